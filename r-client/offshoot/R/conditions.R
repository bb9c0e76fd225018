# Errors are conditions with a class, so that scripts can tell them apart: all are `offshoot_error`.

# Stops with a condition of this class. `details` become part of it.
fail <- function(class, ..., details = list()) {
  condition <- c(list(message = paste0(...), call = NULL), details)
  stop(structure(condition, class = c(class, "offshoot_error", "error", "condition")))
}

# The value of an expression; `NULL` if it fails in a way that does not matter here.
quietly <- function(expr) tryCatch(expr, offshoot_error = function(error) NULL)

# The classes of the answers that say that something is wrong, by status.
STATUS_CLASSES <- c(
  "400" = "offshoot_invalid", "401" = "offshoot_unauthorized", "403" = "offshoot_forbidden", "404" = "offshoot_not_found",
  "409" = "offshoot_exists", "410" = "offshoot_gone", "413" = "offshoot_too_large", "429" = "offshoot_busy",
  "503" = "offshoot_busy"
)

# Stops for an answer that says that something is wrong. `session` is the one that was asked, if it was one.
fail_of_answer <- function(status, content, session = state$session) {
  told <- tryCatch(jsonlite::parse_json(utf8(content))$message, error = function(error) NULL)
  if (!is.character(told) || length(told) != 1L) told <- paste0("The server has answered ", status, ", and gave no reason.")
  class <- unname(STATUS_CLASSES[as.character(status)])
  if (is.na(class)) class <- "offshoot_server_error"
  is_of_now <- identical(session, state$session)
  if (status == 404L && is_of_now && session_is_unknown()) class <- "offshoot_gone"
  if (class == "offshoot_gone" && is_of_now) state$session <- NULL
  hint <- switch(class,
    offshoot_unauthorized = if (is.null(state$tokens)) " (401 Unauthorized)" else " (401 Unauthorized) Log in again with remoteLogin().",
    offshoot_gone = " Open another session with remoteLogin().",
    "")
  fail(class, told, hint, details = list(status = status))
}

# Whether the session of the login is none that the server knows: one that was started again since has forgotten it.
session_is_unknown <- function() {
  session <- state$session
  if (is.null(session)) return(FALSE)
  # If this is not found either, nothing is known.
  state$session <- NULL
  on.exit(state$session <- session)
  tryCatch(!session %in% remoteSessions()$id, error = function(error) FALSE)
}

# A text, if that is what it is.
one_text <- function(value, what = "A file") {
  if (!is.character(value) || length(value) != 1L || is.na(value)) fail("offshoot_invalid", what, " is named by one text.")
  value
}
