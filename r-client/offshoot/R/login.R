# Login, logout, and what is at the beginning of a remote session.

#' Log in, and open a remote session
#'
#' Logs in to a server, opens an R session there, reports how the R on this machine and the remote one differ, and goes to the
#' remote prompt. Each of these steps but the first can be left out.
#'
#' With `session = TRUE` and `commandline = FALSE`, you stay at the prompt of this R; [resume()] leads to the remote one. With
#' `session = FALSE`, there is no remote session: services can be published and called. `diff` and `commandline` matter only if
#' there is a session.
#'
#' Whoever has an account can log in by its name and password, also where accounts come from a directory (LDAP, Active
#' Directory) or from the operating system of the server. A token takes the place of both: one that was made on the server for
#' this purpose, or one of an OpenID Connect provider that the server trusts.
#'
#' @param deployr_endpoint the address of the server, with its port: `"http://localhost:12800"`.
#' @param session `TRUE` to open a remote session, or the identity of one that you have already (see [remoteSessions()]).
#' @param diff whether to report how this R and the remote one differ, as [diffLocalRemote()] does.
#' @param commandline whether to go to the remote prompt.
#' @param prompt the remote prompt.
#' @param username,password who logs in. You are asked if they are not given.
#' @param token a token instead of a name and a password. If none of the three is given, the environment variable
#'   `OFFSHOOT_TOKEN` is looked at first.
#' @return `TRUE`, invisibly.
#' @seealso [remoteLogout()], [remoteExecute()], [remoteCommandLine()]
#' @examplesIf nzchar(Sys.getenv("OFFSHOOT_SERVER"))
#' remoteLogin(Sys.getenv("OFFSHOOT_SERVER"), diff = FALSE, commandline = FALSE)
#' remoteExecute("R.version$major")
#' remoteLogout()
#' @export
remoteLogin <- function(deployr_endpoint, session = TRUE, diff = TRUE, commandline = TRUE, prompt = "REMOTE> ", username = NULL,
                        password = NULL, token = NULL) {
  endpoint <- sub("/+$", "", one_text(deployr_endpoint, "The endpoint"))
  if (!grepl("^https?://[^/]+", endpoint)) {
    fail("offshoot_invalid", "The endpoint has to be an address such as \"http://localhost:12800\", and not \"", deployr_endpoint, "\".")
  }
  warn_of_clear_text(endpoint)
  if (is.null(username) && is.null(password) && is.null(token) && nzchar(Sys.getenv("OFFSHOOT_TOKEN"))) {
    token <- Sys.getenv("OFFSHOOT_TOKEN")
  }
  if (!is.null(state$session)) {
    message("The session of the login before goes on without you: remoteLogin(session = \"", state$session, "\") leads back to it.")
  }
  forget_login()
  state$endpoint <- endpoint
  state$prompt <- prompt
  done <- FALSE
  on.exit(if (!done) forget_login())
  state$tokens <- if (is.null(token)) tokens_for(username, password) else list(access_token = token)
  # A token is looked at by the server when it is used for the first time.
  if (identical(session, FALSE) && !is.null(token)) send("GET", "/sessions")
  if (!identical(session, FALSE)) state$session <- session_for(session)
  done <- TRUE
  if (!is.null(state$session)) begin_remote(diff, commandline)
  invisible(TRUE)
}

#' Log in by a token of Azure Active Directory
#'
#' Gets a token for a name and a password from Azure Active Directory, and logs in with it. If you have a token already, give
#' it to [remoteLogin()].
#'
#' @inheritParams remoteLogin
#' @param authuri where tokens are given, such as `"https://login.windows.net"`.
#' @param tenantid the directory that knows you.
#' @param clientid the identity of the application that asks for you.
#' @param resource the identity of the application that the token is for.
#' @param username,password your name there, as `user@domain`, and its password. You are asked if they are not given.
#' @return `TRUE`, invisibly.
#' @seealso [remoteLogin()]
#' @examplesIf nzchar(Sys.getenv("OFFSHOOT_TENANT"))
#' remoteLoginAAD("https://localhost:12800", authuri = "https://login.windows.net",
#'   tenantid = Sys.getenv("OFFSHOOT_TENANT"), clientid = Sys.getenv("OFFSHOOT_CLIENT"),
#'   resource = Sys.getenv("OFFSHOOT_RESOURCE"), commandline = FALSE)
#' @export
remoteLoginAAD <- function(deployr_endpoint, authuri = NULL, tenantid = NULL, clientid = NULL, resource = NULL, session = TRUE,
                           diff = TRUE, commandline = TRUE, prompt = "REMOTE> ", username = NULL, password = NULL) {
  if (is.null(authuri) || is.null(tenantid) || is.null(clientid)) {
    fail("offshoot_invalid", "authuri, tenantid and clientid say where the token comes from: all of them are needed.")
  }
  if (is.null(username)) username <- ask("Username: ")
  if (is.null(password)) password <- ask("Password: ", hidden = TRUE)
  form <- c(grant_type = "password", client_id = clientid, username = username, password = password, resource = resource)
  handle <- curl::new_handle(post = TRUE, postfields = paste0(names(form), "=", curl::curl_escape(enc2utf8(form)), collapse = "&"))
  address <- paste0(sub("/+$", "", authuri), "/", curl::curl_escape(tenantid), "/oauth2/token")
  answer <- tryCatch(curl::curl_fetch_memory(address, handle), error = function(error) {
    fail("offshoot_unreachable", authuri, " cannot be reached: ", conditionMessage(error))
  })
  told <- tryCatch(jsonlite::parse_json(utf8(answer$content)), error = function(error) list())
  if (is.null(told$access_token)) {
    reason <- if (is.null(told$error_description)) paste("the answer was", answer$status_code) else told$error_description
    fail("offshoot_unauthorized", authuri, " has given no token: ", reason)
  }
  remoteLogin(deployr_endpoint, session, diff, commandline, prompt, token = told$access_token)
}

#' End the remote session, and log out
#'
#' Ends the session at once, whatever it does, and makes the tokens of the login invalid. The word `exit` at the remote prompt
#' does the same.
#'
#' @return `TRUE`, invisibly.
#' @seealso [remoteLogin()]
#' @examplesIf nzchar(Sys.getenv("OFFSHOOT_SERVER"))
#' remoteLogin(Sys.getenv("OFFSHOOT_SERVER"), diff = FALSE, commandline = FALSE)
#' remoteLogout()
#' @export
remoteLogout <- function() {
  # Also if somebody does not wait for a server that is silent.
  on.exit(forget_login())
  if (!is.null(state$session)) {
    quietly(send("DELETE", session_path("force")))
  }
  if (!is.null(state$tokens$refresh_token)) {
    path <- paste0("/login/refreshToken?refreshToken=", curl::curl_escape(state$tokens$refresh_token))
    quietly(send("DELETE", path, authorized = FALSE))
  }
  invisible(TRUE)
}

#' Your sessions on the server
#'
#' @return a data frame with the `id`, the `name` and the `owner` of each session. `remoteLogin(session = id)` leads to one.
#' @seealso [remoteLogin()]
#' @examplesIf nzchar(Sys.getenv("OFFSHOOT_SERVER"))
#' remoteLogin(Sys.getenv("OFFSHOOT_SERVER"), diff = FALSE, commandline = FALSE)
#' nrow(remoteSessions())
#' remoteLogout()
#' @export
remoteSessions <- function() {
  listed <- send_json("GET", "/sessions")
  field <- function(name) vapply(listed, function(one) one[[name]], "")
  data.frame(id = field("id"), name = field("name"), owner = field("owner"))
}

forget_login <- function() state$session <- state$tokens <- state$endpoint <- NULL

tokens_for <- function(username, password) {
  if (is.null(username)) username <- ask("Username: ")
  if (is.null(password)) password <- ask("Password: ", hidden = TRUE)
  send_json("POST", "/login", list(username = username, password = password), authorized = FALSE)
}

# The identity of a new session, or of the one that is named.
session_for <- function(session) {
  if (isTRUE(session)) return(send_json("POST", "/sessions", "{}")$sessionId)
  if (!is.character(session) || length(session) != 1L) fail("offshoot_invalid", "session has to be TRUE, FALSE, or the identity of a session.")
  mine <- remoteSessions()
  if (!session %in% mine$id) fail("offshoot_not_found", "You have no session ", sQuote(session, FALSE), " there: see remoteSessions().")
  session
}

begin_remote <- function(diff, commandline) {
  if (diff) diffLocalRemote()
  if (!commandline) return(invisible())
  if (has_prompt()) cat("Your REMOTE R session is now active.", "Commands:",
    "        - pause() to switch to local session & leave remote session on hold.",
    "        - resume() to return to remote session.",
    "        - exit to leave (and terminate) remote session.", "", sep = "\n")
  remoteCommandLine(state$prompt)
}

# Asks for a line; what is typed is not shown if it is to be hidden and the terminal can do that.
ask <- function(prompt, hidden = FALSE) {
  if (!interactive()) fail("offshoot_invalid", "Nobody is there to be asked: give username and password, or a token.")
  if (hidden && .Platform$OS.type == "unix" && system("stty -echo 2>/dev/null") == 0L) {
    on.exit({
      system("stty echo 2>/dev/null")
      cat("\n")
    })
  }
  readline(prompt)
}

# Says once for each server that a password goes over the network as it is.
warn_of_clear_text <- function(endpoint) {
  host <- sub("^https?://(\\[[^]]*\\]|[^:/]+).*", "\\1", endpoint)
  if (startsWith(endpoint, "https:") || host %in% c("localhost", "127.0.0.1", "[::1]") || endpoint %in% state$warned) return()
  state$warned <- c(state$warned, endpoint)
  warning("The password goes to ", host, " in the clear: use https:// if the server has it.", call. = FALSE)
}
