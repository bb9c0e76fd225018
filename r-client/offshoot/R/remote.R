# One expression, there.

#' The value of an expression in the remote session
#'
#' Evaluates an expression in the remote session, and returns its value. What the expression prints appears here. It sees the
#' objects of the remote session, and what is sent along; what it assigns is gone afterwards.
#'
#' @param expr an expression, usually in braces.
#' @param ... objects that are sent along: names of objects here, or `name = value`.
#' @return the value, whatever it is.
#' @seealso [remoteExecute()], which runs code as the prompt does
#' @examplesIf nzchar(Sys.getenv("OFFSHOOT_SERVER"))
#' remoteLogin(Sys.getenv("OFFSHOOT_SERVER"), diff = FALSE, commandline = FALSE)
#' rows <- 3
#' remote({
#'   large <- mtcars[order(-mtcars$hp), ]
#'   head(large, rows)
#' }, rows)
#' remoteLogout()
#' @export
remote <- function(expr, ...) remote_value(substitute(expr), variables_of(substitute(list(...)), parent.frame()))

# The value that an expression has there, in which these variables are bound.
remote_value <- function(expression, variables) {
  require_session()
  put_object(REMOTE_NAME, list(expression = expression, variables = variables))
  # Code that fails has removed it already.
  on.exit(quietly(send("DELETE", session_path("workspace", REMOTE_NAME))))
  result <- execute(REMOTE_CODE)
  if (!result$success) fail("offshoot_remote_error", "The remote session says: ", result$errorMessage, details = list(result = result))
  fetch_object(REMOTE_NAME)
}

# What an expression is called while it is on its way, and its value on its way back.
REMOTE_NAME <- ".offshoot_remote"

REMOTE_CODE <- "invisible(.offshoot_remote <- (function() {
  given <- get('.offshoot_remote', globalenv())
  rm('.offshoot_remote', envir = globalenv())
  remote <- as.function(list(given$expression), list2env(given$variables, parent = globalenv()))
  remote()
})())"

# The values of the arguments of this call, by name: an argument without one has to be a name.
variables_of <- function(call, where) {
  arguments <- as.list(call)[-1L]
  names <- names(arguments)
  if (is.null(names)) names <- rep("", length(arguments))
  for (at in which(names == "")) {
    if (!is.name(arguments[[at]])) {
      fail("offshoot_invalid", "What is sent along needs a name: remote({ ... }, x = ", deparse(arguments[[at]])[[1L]], ").")
    }
    names[[at]] <- as.character(arguments[[at]])
  }
  structure(lapply(arguments, eval, envir = where), names = names)
}
