#' A remote R at your prompt
#'
#' Runs R code in a session on another machine. [remoteLogin()] opens one and leads to its prompt; [remoteExecute()],
#' [remoteScript()] and [remote()] run code there from scripts. [getRemoteObject()] and [listRemoteFiles()] are about objects
#' and files, [createSnapshot()] keeps all that a session has, and [publishService()] makes a web service of R code.
#'
#' Errors are conditions of class `offshoot_error`, and of one of these: `offshoot_no_login`, `offshoot_no_session`,
#' `offshoot_unreachable` (no connection), `offshoot_invalid`, `offshoot_unauthorized`, `offshoot_forbidden`,
#' `offshoot_not_found`, `offshoot_exists`, `offshoot_gone` (the session has ended), `offshoot_too_large`, `offshoot_busy`,
#' `offshoot_interrupted` (a transfer), `offshoot_remote_error` (from [remote()]), `offshoot_server_error`.
#'
#' @section Options:
#' `mrsdeploy.console_update`: how often a server that has no events is asked for what running code has printed, in
#' milliseconds (5000). With less than 1000, nothing is shown before the code has ended.
#'
#' @importFrom R6 R6Class
#' @keywords internal
"_PACKAGE"
