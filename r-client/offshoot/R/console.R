# What the remote session prints, here.

# What has been shown of the output of one run.
new_console <- function() {
  # In pieces: to append to one long text would take longer and longer.
  shown <- list()
  show <- function(text) {
    cat(text)
    utils::flush.console()
  }
  list(
    # More of the output.
    add = function(text) {
      shown[[length(shown) + 1L]] <<- text
      show(text)
    },
    # All of the output so far. What was shown before may be that of the run before, if this one had to wait for it.
    upto = function(text) {
      rest <- not_shown(text, paste(unlist(shown), collapse = ""))
      shown <<- list(text)
      show(rest)
    }
  )
}

# What of a text was not shown yet. Of a very long one, the server leaves out the middle, which was shown all the same.
not_shown <- function(text, shown) {
  if (startsWith(text, shown)) return(substring(text, nchar(shown) + 1L))
  end <- substring(shown, max(1L, nchar(shown) - 999L))
  if (!startsWith(text, substr(shown, 1L, 1000L))) return(text)
  found <- gregexpr(end, text, fixed = TRUE)[[1L]]
  last <- found[[length(found)]]
  if (last < 0L) text else substring(text, last + nchar(end))
}

# Has the console text of the running code shown while it runs: by events, if the server has them, or else by asking now and
# then. `step()` is to be called while waiting, `rest()` when the code has ended, to receive what is on its way, and `end()`
# afterwards.
watch_console <- function(console, run) {
  pause <- getOption("mrsdeploy.console_update", 5000) / 1000
  if (pause < 1) return(list(step = function() NULL, rest = function() NULL, end = function() NULL))
  url <- paste0(state$endpoint, session_path("console-output"))
  request <- NULL
  asked <- NULL
  is_over <- FALSE
  is_open <- TRUE
  latest <- Sys.time()
  start <- function(handle, ...) {
    request <<- handle
    curl::curl_fetch_multi(url, pool = run$pool, handle = handle, ..., fail = function(message) is_open <<- FALSE)
  }
  ask_once <- function() {
    asked <<- NULL
    start(new_request("GET"), done = function(answer) {
      if (answer$status_code == 200L) console$upto(jsonlite::parse_json(utf8(answer$content))$consoleOutput)
      asked <<- Sys.time()
    })
  }
  start(new_request("GET", accept = "text/event-stream"), data = event_reader(function(text) {
    latest <<- Sys.time()
    run$moved <- TRUE
    console$add(text)
  }), done = function(answer) {
    is_open <<- FALSE
    if (!grepl("event-stream", answer$type) && !is_over) ask_once()
  })
  list(
    step = function() if (!is.null(asked) && seconds_since(asked) >= pause) ask_once(),
    rest = function() {
      latest <<- Sys.time()
      transfer(run, Inf, function() !is_open || seconds_since(latest) >= 1)
    },
    end = function() {
      is_over <<- TRUE
      try(curl::multi_cancel(request), silent = TRUE)
    }
  )
}

# Takes the bytes of a stream of events as they come; `show` gets the texts that these carry.
event_reader <- function(show) {
  left <- list()
  function(bytes, final) {
    left[[length(left) + 1L]] <<- bytes
    ends <- which(bytes == as.raw(10L))
    # A long line comes in several pieces.
    if (length(ends) == 0L) return()
    came <- unlist(left)
    end <- length(came) - length(bytes) + max(ends)
    lines <- strsplit(utf8(came[seq_len(end)]), "\n", fixed = TRUE)[[1L]]
    left <<- list(came[seq_along(came) > end])
    texts <- sub("^data: ", "", grep("^data: \"", lines, value = TRUE))
    if (length(texts) > 0L) show(paste(unlist(jsonlite::parse_json(array_of(texts))), collapse = ""))
  }
}

# As a number: a difference of times has units of its own choice.
seconds_since <- function(moment) as.numeric(Sys.time() - moment, units = "secs")
