# The connection: where the server is, the tokens, and the session.

state <- new.env(parent = emptyenv())
state$endpoint <- NULL
state$tokens <- NULL
state$session <- NULL
state$prompt <- "REMOTE> "

# How often a request is sent again whose connection has failed, if sending it twice does no harm.
RETRIES <- 2L

require_login <- function() {
  if (is.null(state$endpoint)) fail("offshoot_no_login", "There is no login: call remoteLogin() first.")
}

require_session <- function() {
  require_login()
  if (is.null(state$session)) {
    fail("offshoot_no_session", "There is no remote session: call remoteLogin() with session = TRUE.")
  }
  state$session
}

# The path of something in the session; parts of it are encoded.
session_path <- function(...) paste0("/sessions/", require_session(), encoded(...))

# A path of these parts, each encoded for itself.
encoded <- function(...) paste0(vapply(c(...), function(part) paste0("/", curl::curl_escape(part)), ""), collapse = "")

# A handle for a request. `body` is JSON, or raw bytes, or the path of a file.
new_request <- function(method, body = NULL, file = NULL, type = "application/json", accept = NULL, authorized = TRUE) {
  handle <- curl::new_handle(customrequest = method, noproxy = "localhost,127.0.0.1,::1", connecttimeout = 30)
  headers <- c("Content-Type" = type, "Expect" = "")
  if (authorized && !is.null(state$tokens)) headers[["Authorization"]] <- paste("Bearer", state$tokens$access_token)
  if (!is.null(accept)) headers[["Accept"]] <- accept
  if (!is.null(body)) {
    if (is.character(body)) body <- charToRaw(enc2utf8(body))
    curl::handle_setopt(handle, post = TRUE, postfieldsize_large = length(body), postfields = body, customrequest = method)
  } else if (method %in% c("POST", "PATCH") && is.null(file)) {
    curl::handle_setopt(handle, post = TRUE, postfieldsize_large = 0, postfields = raw(), customrequest = method)
  }
  if (!is.null(file)) curl::handle_setform(handle, file = file)
  if (!is.null(file)) headers <- headers[names(headers) != "Content-Type"]
  curl::handle_setheaders(handle, .list = as.list(headers))
  handle
}

# Sends a request; returns the content of the answer. `into` is a file for it instead.
send <- function(method, path, body = NULL, file = NULL, type = "application/json", into = NULL, authorized = TRUE) {
  if (authorized) require_login()
  url <- paste0(state$endpoint, path)
  attempt <- function() {
    handle <- new_request(method, body, file, type, authorized = authorized)
    if (is.null(into)) curl::curl_fetch_memory(url, handle) else curl::curl_fetch_disk(url, into, handle)
  }
  tries <- if (method == "GET") RETRIES else 0L
  answer <- NULL
  repeat {
    answer <- tryCatch(attempt(), error = identity)
    if (!inherits(answer, "error")) break
    if (tries == 0L) fail("offshoot_unreachable", "The server at ", state$endpoint, " cannot be reached: ", conditionMessage(answer))
    tries <- tries - 1L
  }
  if (answer$status_code == 401L && authorized && refresh_tokens()) answer <- attempt()
  content <- if (is.null(into) || answer$status_code >= 300L) body_of(answer) else answer$content
  if (answer$status_code >= 300L) {
    if (answer$status_code == 410L) state$session <- NULL
    fail_of_answer(answer$status_code, content)
  }
  content
}

body_of <- function(answer) if (is.raw(answer$content)) answer$content else readBin(answer$content, "raw", file.size(answer$content))

# Sends a request whose answer is JSON. `body` is JSON already, or a list.
send_json <- function(method, path, body = NULL, ...) {
  if (!is.null(body) && !is.character(body)) body <- jsonlite::toJSON(body, auto_unbox = TRUE, null = "null")
  content <- send(method, path, body, ...)
  if (length(content) == 0L) return(NULL)
  jsonlite::fromJSON(utf8(content), simplifyVector = FALSE)
}

utf8 <- function(bytes) {
  text <- rawToChar(bytes)
  Encoding(text) <- "UTF-8"
  text
}

# New tokens for the refresh token; FALSE if there are none to be had.
refresh_tokens <- function() {
  if (is.null(state$tokens$refresh_token)) return(FALSE)
  body <- jsonlite::toJSON(list(refreshToken = state$tokens$refresh_token), auto_unbox = TRUE)
  tokens <- tryCatch(send_json("POST", "/login/refreshToken", body, authorized = FALSE), offshoot_error = function(error) NULL)
  if (is.null(tokens)) return(FALSE)
  state$tokens <- tokens
  TRUE
}
