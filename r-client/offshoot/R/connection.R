# The connection: where the server is, the tokens, and the session.

state <- new.env(parent = emptyenv())
state$endpoint <- NULL
state$tokens <- NULL
state$session <- NULL
state$prompt <- "REMOTE> "

# For how many seconds each a request waits before it is sent again, if its connection has failed and sending it twice
# does no harm.
PAUSES <- c(0.2, 1)

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

# The path of something in the session.
session_path <- function(...) paste0("/sessions/", require_session(), encoded(...))

# A path of these parts, each encoded for itself.
encoded <- function(...) paste0(vapply(c(...), function(part) paste0("/", curl::curl_escape(enc2utf8(part))), ""), collapse = "")

# A handle for a request. `body` is JSON. `upload` is a connection to read the body from, of `size` bytes, and `form` a
# file that is sent as a form.
new_request <- function(method, body = NULL, upload = NULL, size = 0, form = NULL, accept = NULL, authorized = TRUE) {
  # Paths are sent as they are, as `..` is a name here; and a network is known to have dropped also while code runs for long. That it is
  # silent for long is no failure, which newer versions of curl would take it for.
  handle <- curl::new_handle(noproxy = no_proxy(), connecttimeout = 30, path_as_is = TRUE, tcp_keepalive = TRUE, low_speed_time = 0)
  headers <- list(Expect = "")
  if (authorized && !is.null(state$tokens)) headers$Authorization <- paste("Bearer", state$tokens$access_token)
  if (!is.null(accept)) headers$Accept <- accept
  if (!is.null(form)) {
    curl::handle_setform(handle, file = form)
  } else if (!is.null(upload)) {
    headers[["Content-Type"]] <- "application/octet-stream"
    curl::handle_setopt(handle, upload = TRUE, infilesize_large = size, readfunction = function(bytes, ...) readBin(upload, "raw", bytes))
  } else if (!is.null(body) || method %in% c("POST", "PATCH")) {
    headers[["Content-Type"]] <- "application/json"
    bytes <- if (is.null(body)) raw() else charToRaw(enc2utf8(body))
    curl::handle_setopt(handle, post = TRUE, postfieldsize_large = length(bytes), postfields = bytes)
  }
  curl::handle_setopt(handle, customrequest = method)
  curl::handle_setheaders(handle, .list = headers)
  handle
}

# The hosts that no proxy is used for: this machine, and those of the environment, which the option would hide.
no_proxy <- function() {
  known <- Sys.getenv(c("no_proxy", "NO_PROXY"))
  if ("*" %in% known) return("*")
  paste(c("localhost,127.0.0.1,::1", known[nzchar(known)]), collapse = ",")
}

# Sends a request, and returns the bytes of the answer. `file` is a file whose bytes are sent as they are, `form` one that is
# sent as a form, and `into` a file for the answer.
send <- function(method, path, body = NULL, file = NULL, form = NULL, into = NULL, authorized = TRUE) {
  if (authorized) require_login()
  url <- paste0(state$endpoint, path)
  # What is wrong with these is no failure of the connection.
  force(body)
  force(form)
  # What is there already stays as it is until all of the new content is here.
  part <- if (!is.null(into)) new_part(into)
  on.exit(unlink(part))
  attempt <- function() {
    upload <- NULL
    if (!is.null(file)) {
      upload <- base::file(file, "rb")
      on.exit(close(upload))
    }
    handle <- new_request(method, body, upload, if (is.null(file)) 0 else file.size(file), form, authorized = authorized)
    show_progress(handle)
    if (is.null(into)) curl::curl_fetch_memory(url, handle) else curl::curl_fetch_disk(url, part, handle)
  }
  answer <- again_if_safe(method, attempt)
  if (answer$status_code == 401L && authorized && refresh_tokens()) answer <- again_if_safe(method, attempt)
  failed <- answer$status_code >= 300L
  content <- if (is.character(answer$content) && failed) readBin(answer$content, "raw", file.size(answer$content)) else answer$content
  if (failed) fail_of_answer(answer$status_code, content)
  if (!is.null(into) && !file.rename(part, into)) fail("offshoot_invalid", "The file \"", into, "\" cannot be written.")
  content
}

# A new file beside this one, for what is to become it.
new_part <- function(file) {
  part <- tempfile(".part-", dirname(file))
  if (!suppressWarnings(file.create(part))) fail("offshoot_invalid", "The file \"", file, "\" cannot be written.")
  part
}

# Makes an attempt, and another after a pause if the connection fails and nothing can have been done twice.
again_if_safe <- function(method, attempt) {
  pauses <- if (method == "GET") PAUSES else numeric()
  repeat {
    answer <- tryCatch(attempt(), error = identity)
    if (!inherits(answer, "error")) return(answer)
    # An interrupt in a function that curl calls looks so.
    if (grepl("aborted by an application callback", conditionMessage(answer))) fail("offshoot_interrupted", "It was interrupted.")
    if (length(pauses) == 0L) fail("offshoot_unreachable", "The server at ", state$endpoint, " cannot be reached: ", conditionMessage(answer))
    Sys.sleep(pauses[[1L]])
    pauses <- pauses[-1L]
  }
}

# Sends a request whose answer is JSON. `body` is JSON already, or a list.
send_json <- function(method, path, body = NULL, ...) {
  if (!is.null(body) && !is.character(body)) body <- jsonlite::toJSON(body, auto_unbox = TRUE, null = "null")
  content <- send(method, path, body, ...)
  if (length(content) == 0L) return(NULL)
  # fromJSON() would take what is no JSON for the address of something.
  tryCatch(jsonlite::parse_json(utf8(content)), error = function(error) {
    fail("offshoot_server_error", "What has answered at ", state$endpoint, " does not speak this interface.")
  })
}

utf8 <- function(bytes) {
  text <- rawToChar(bytes)
  Encoding(text) <- "UTF-8"
  text
}

# New tokens for the refresh token; FALSE if there are none to be had.
refresh_tokens <- function() {
  if (is.null(state$tokens$refresh_token)) return(FALSE)
  body <- list(refreshToken = state$tokens$refresh_token)
  tokens <- quietly(send_json("POST", "/login/refreshToken", body, authorized = FALSE))
  if (is.null(tokens)) return(FALSE)
  state$tokens <- tokens
  TRUE
}

# From how many bytes on a transfer shows how far it has come, if somebody is there to see it.
SHOWN_FROM <- 8 * 1024^2

# Shows how far the transfer of this handle has come.
show_progress <- function(handle) {
  if (!interactive()) return(invisible())
  bar <- NULL
  is_over <- FALSE
  show <- function(moved) {
    if (is_over || moved[[1L]] < SHOWN_FROM) return()
    if (is.null(bar)) bar <<- utils::txtProgressBar(max = moved[[1L]], style = 3)
    utils::setTxtProgressBar(bar, moved[[2L]])
    if (moved[[2L]] < moved[[1L]]) return()
    close(bar)
    is_over <<- TRUE
  }
  curl::handle_setopt(handle, noprogress = FALSE, progressfunction = function(down, up) {
    show(if (up[[1L]] > down[[1L]]) up else down)
    TRUE
  })
  invisible()
}
