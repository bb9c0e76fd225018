# Errors are conditions with a class, so that scripts can tell them apart: all are `offshoot_error`.

# Stops with a condition of this class. `...` becomes part of the condition.
fail <- function(class, ..., details = list()) {
  message <- paste0(...)
  stop(structure(c(list(message = message, call = NULL), details), class = c(class, "offshoot_error", "error", "condition")))
}

# The classes of the answers that say that something is wrong, by status.
status_classes <- c(
  "400" = "offshoot_invalid", "401" = "offshoot_unauthorized", "403" = "offshoot_forbidden", "404" = "offshoot_not_found",
  "409" = "offshoot_exists", "410" = "offshoot_gone", "413" = "offshoot_too_large", "429" = "offshoot_busy",
  "503" = "offshoot_busy"
)

# Stops for an answer that says that something is wrong.
fail_of_answer <- function(status, content) {
  told <- tryCatch(jsonlite::fromJSON(rawToChar(content))$message, error = function(error) NULL)
  if (!is.character(told) || length(told) != 1L) told <- "The server gave no reason."
  class <- unname(status_classes[as.character(status)])
  if (is.na(class)) class <- "offshoot_server_error"
  hint <- switch(class,
    offshoot_unauthorized = " (401 Unauthorized) Log in with remoteLogin().",
    offshoot_gone = " Open another with remoteLogin().",
    "")
  fail(class, told, hint, details = list(status = status))
}
