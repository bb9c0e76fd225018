# Names that the first documents use.

#' @rdname remoteLogin
remote_login <- function(...) remoteLogin(...)

#' @rdname remoteLogout
remote_logout <- function() remoteLogout()

#' @rdname remoteExecute
remote_execute <- function(...) remoteExecute(...)

#' @rdname remoteScript
remote_script <- function(...) remoteScript(...)
