# Names that the first documents of Microsoft R Server use.

#' @rdname remoteLogin
#' @param ... what `remoteLogin()` takes.
#' @export
remote_login <- function(...) remoteLogin(...)

#' @rdname remoteLogout
#' @export
remote_logout <- function() remoteLogout()

#' @rdname remoteExecute
#' @param ... what `remoteExecute()` takes.
#' @export
remote_execute <- function(...) remoteExecute(...)

#' @rdname remoteScript
#' @param ... what `remoteScript()` takes.
#' @export
remote_script <- function(...) remoteScript(...)
