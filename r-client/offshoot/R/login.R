# Login, logout, and what is at the beginning of a remote session.

#' Log in, and open a remote session
#'
#' @param deployr_endpoint the server: "http://host:12800".
#' @param session whether to open a remote session. Without one, services can be published and called.
#' @param diff whether to report how this R and the remote one differ.
#' @param commandline whether to go to the remote prompt.
#' @param prompt the remote prompt.
#' @param username,password asked for if they are not given.
#' @param token a token instead of a name and a password.
#' @return TRUE, invisibly.
remoteLogin <- function(deployr_endpoint, session = TRUE, diff = TRUE, commandline = TRUE, prompt = "REMOTE> ", username = NULL,
                        password = NULL, token = NULL) {
  endpoint <- sub("/+$", "", deployr_endpoint)
  if (!grepl("^https?://[^/]+", endpoint)) {
    fail("offshoot_invalid", "The endpoint has to be an address such as \"http://localhost:12800\", and not \"", deployr_endpoint, "\".")
  }
  warn_of_clear_text(endpoint)
  state$endpoint <- endpoint
  state$session <- NULL
  state$prompt <- prompt
  if (is.null(token)) {
    if (is.null(username)) username <- ask("Username: ")
    if (is.null(password)) password <- ask("Password: ", hidden = TRUE)
    body <- jsonlite::toJSON(list(username = username, password = password), auto_unbox = TRUE)
    state$tokens <- tryCatch(send_json("POST", "/login", body, authorized = FALSE), error = function(error) {
      state$endpoint <- NULL
      stop(error)
    })
  } else {
    state$tokens <- list(access_token = token)
  }
  begin_remote(session, diff, commandline)
}

#' Log in by a token of Azure Active Directory
#'
#' @inheritParams remoteLogin
#' @param authuri,tenantid,clientid,resource where the token comes from, and for what.
#' @return TRUE, invisibly.
remoteLoginAAD <- function(deployr_endpoint, authuri = NULL, tenantid = NULL, clientid = NULL, resource = NULL, session = TRUE,
                           diff = TRUE, commandline = TRUE, prompt = "REMOTE> ", username = NULL, password = NULL) {
  if (is.null(authuri) || is.null(tenantid) || is.null(clientid)) {
    fail("offshoot_invalid", "authuri, tenantid and clientid say where the token comes from: all of them are needed.")
  }
  if (is.null(username)) username <- ask("Username: ")
  if (is.null(password)) password <- ask("Password: ", hidden = TRUE)
  form <- list(grant_type = "password", client_id = clientid, username = username, password = password)
  if (!is.null(resource)) form$resource <- resource
  text <- paste0(names(form), "=", vapply(form, curl::curl_escape, ""), collapse = "&")
  handle <- curl::new_handle(post = TRUE, postfields = text)
  answer <- curl::curl_fetch_memory(paste0(sub("/+$", "", authuri), "/", tenantid, "/oauth2/token"), handle)
  told <- tryCatch(jsonlite::fromJSON(utf8(answer$content)), error = function(error) list())
  if (is.null(told$access_token)) {
    fail("offshoot_unauthorized", "No token was given: ", if (is.null(told$error_description)) answer$status_code else told$error_description)
  }
  remoteLogin(deployr_endpoint, session, diff, commandline, prompt, token = told$access_token)
}

begin_remote <- function(session, diff, commandline) {
  if (session) {
    state$session <- send_json("POST", "/sessions", "{}")$sessionId
    if (diff) diffLocalRemote()
    if (commandline) {
      cat("Your REMOTE R session is now active.", "Commands:",
        "        - pause() to switch to local session & leave remote session on hold.",
        "        - resume() to return to remote session.",
        "        - exit to leave (and terminate) remote session.", "", sep = "\n")
      remoteCommandLine(state$prompt)
    }
  }
  invisible(TRUE)
}

#' End the remote session, and log out
#'
#' @return TRUE, invisibly.
remoteLogout <- function() {
  if (!is.null(state$session)) {
    tryCatch(send("DELETE", session_path("force")), offshoot_error = function(error) NULL)
  }
  if (!is.null(state$tokens$refresh_token)) {
    path <- paste0("/login/refreshToken?refreshToken=", curl::curl_escape(state$tokens$refresh_token))
    tryCatch(send("DELETE", path, authorized = FALSE), offshoot_error = function(error) NULL)
  }
  state$session <- state$tokens <- state$endpoint <- NULL
  invisible(TRUE)
}

# Asks for a line; what is typed is not shown if it is to be hidden and the terminal can do that.
ask <- function(prompt, hidden = FALSE) {
  if (!interactive()) fail("offshoot_invalid", "Nobody is there to be asked: give username and password.")
  if (!hidden || .Platform$OS.type != "unix") return(readline(prompt))
  system("stty -echo 2>/dev/null")
  on.exit({
    system("stty echo 2>/dev/null")
    cat("\n")
  })
  readline(prompt)
}

# Says once for each server that a password goes over the network as it is.
warn_of_clear_text <- function(endpoint) {
  host <- sub("^https?://\\[?([^]:/]+).*", "\\1", endpoint)
  if (startsWith(endpoint, "https:") || host %in% c("localhost", "127.0.0.1", "::1") || endpoint %in% state$warned) return()
  state$warned <- c(state$warned, endpoint)
  warning("The password goes to ", host, " in the clear: use https:// if the server has it.", call. = FALSE)
}
