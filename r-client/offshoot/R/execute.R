# Code in the remote session.

#' Run R code in the remote session
#'
#' Runs code as if it were typed at the remote prompt: visible values are printed, and so are warnings and errors. What it
#' prints appears here while it runs. An error of the code is no error here: look at `success`. Interrupting stops the remote
#' code, and the session goes on.
#'
#' `inputs` and `outputs` go as JSON: vectors, matrices, data frames, and lists of these. [putLocalObject()] and
#' [getRemoteObject()] carry everything that R has.
#'
#' While code runs with `async = TRUE`, this R is free. The value is a handle: `$done()` tells whether the code has ended,
#' `$output()` what it has printed so far, `$wait()` waits and gives the result, `$cancel()` stops the code. Everything else that
#' is asked of the session waits until the code has ended.
#'
#' @param rcode R code, or the path of a file of R code (which ends in `.R`, or `script` is `TRUE`).
#' @param script whether `rcode` is the path of a file.
#' @param inputs objects to bind before: a named list, or JSON such as `[{"name": "x", "value": 120}]`.
#' @param outputs names of objects to return.
#' @param displayPlots whether to show plots in a plot window here. This needs package png.
#' @param writePlots whether to keep the files of plots in the working folder here.
#' @param recPlots is there for scripts that name it: plots come as pictures.
#' @param async whether to return at once.
#' @param closeOnComplete whether the session ends with code that was run with `async = TRUE`.
#' @return A list with `success`, `errorMessage`, `outputParameters` (by name), `consoleOutput` and `changedFiles` (names of
#'   files that the code has made or changed), invisibly; with `async = TRUE`, a handle.
#' @seealso [remote()] for the value of one expression; [remoteScript()]
#' @examplesIf nzchar(Sys.getenv("OFFSHOOT_SERVER"))
#' remoteLogin(Sys.getenv("OFFSHOOT_SERVER"), diff = FALSE, commandline = FALSE)
#' result <- remoteExecute("y <- x^2; summary(y)", inputs = list(x = c(1, 2, 3)), outputs = "y")
#' result$outputParameters$y
#'
#' run <- remoteExecute("Sys.sleep(0.2); cat('ready\n')", async = TRUE)
#' run$wait()$consoleOutput
#' remoteLogout()
#' @export
remoteExecute <- function(rcode, script = FALSE, inputs = NULL, outputs = NULL, displayPlots = FALSE, writePlots = FALSE,
                          recPlots = FALSE, async = FALSE, closeOnComplete = FALSE) {
  code <- code_of(rcode, script)
  finish <- function(result) {
    take_plots(result$changedFiles, displayPlots, writePlots)
    result
  }
  if (async) return(RemoteRun$new(code, inputs, outputs, finish, closeOnComplete))
  invisible(finish(execute(code, inputs, outputs)))
}

#' Run a file of R code in the remote session
#'
#' The whole file is one run, as with [remoteExecute()]: a device that it opens stays open until it closes it.
#'
#' @inheritParams remoteExecute
#' @param name the path of a file of R code on this machine.
#' @return as [remoteExecute()].
#' @seealso [remoteExecute()]
#' @examplesIf nzchar(Sys.getenv("OFFSHOOT_SERVER"))
#' remoteLogin(Sys.getenv("OFFSHOOT_SERVER"), diff = FALSE, commandline = FALSE)
#' script <- tempfile(fileext = ".R")
#' writeLines(c("fit <- lm(dist ~ speed, cars)", "coef(fit)"), script)
#' remoteScript(script)
#' remoteLogout()
#' @export
remoteScript <- function(name, inputs = NULL, outputs = NULL, displayPlots = TRUE, writePlots = TRUE, recPlots = TRUE,
                         async = FALSE, closeOnComplete = FALSE) {
  remoteExecute(name, script = TRUE, inputs, outputs, displayPlots, writePlots, recPlots, async, closeOnComplete)
}

# Code as one text, from a file if it is the path of one.
code_of <- function(rcode, script) {
  if (script) rcode <- one_text(rcode, "A file of R code")
  if (!is.null(rcode) && !is.character(rcode)) {
    fail("offshoot_invalid", "R code has to be a text, and not of class ", class(rcode)[[1L]], ": remote() takes expressions.")
  }
  is_path <- length(rcode) == 1L && !grepl("\n", rcode, fixed = TRUE) && grepl("[.][Rr]$", rcode) && file.exists(rcode)
  if (!script && !is_path) return(paste(rcode, collapse = "\n"))
  if (!file.exists(rcode) || dir.exists(rcode)) fail("offshoot_invalid", "There is no file \"", rcode, "\".")
  paste(in_utf8(readLines(rcode, warn = FALSE), rcode), collapse = "\n")
}

# Lines of a file as UTF-8, which is what most have; or else what this R has as its own encoding.
in_utf8 <- function(lines, file) {
  if (!all(validUTF8(lines))) {
    if (!l10n_info()[["Latin-1"]]) fail("offshoot_invalid", "The file \"", file, "\" is not in UTF-8: save it so.")
    return(enc2utf8(lines))
  }
  Encoding(lines) <- "UTF-8"
  sub("^\ufeff", "", lines)
}

# How long most code takes at most; what takes longer is shown as it is printed, in seconds.
WATCHED_AFTER <- 0.3

# Runs code, and prints what it prints while it runs.
execute <- function(code, inputs = NULL, outputs = NULL, echo = TRUE) {
  run <- begin_run(code, inputs, outputs)
  console <- new_console()
  watch <- NULL
  on.exit(if (!is.null(watch)) watch$end())
  wait <- function() {
    while (is_running(run)) {
      drive(run, 0.05)
      if (echo && is.null(watch) && is_running(run) && seconds_since(run$begun) > WATCHED_AFTER) {
        watch <<- watch_console(console, run)
      }
      if (!is.null(watch)) watch$step()
    }
  }
  tryCatch(wait(), interrupt = function(interrupt) {
    cancel_run()
    # What it says about the interrupt is shown as well.
    wait()
  })
  if (refresh_for(run)) return(execute(code, inputs, outputs, echo))
  # The code has ended: there is nothing more to interrupt.
  if (!is.null(watch)) tryCatch(watch$rest(), interrupt = function(interrupt) NULL)
  result <- result_of(run)
  if (echo) console$upto(result$consoleOutput)
  result
}

# Begins to run code. The answer comes when the code has ended, and is there after `drive()` has got it.
begin_run <- function(code, inputs, outputs) {
  run <- new.env(parent = emptyenv())
  body <- execute_body(code, inputs, outputs)
  run$begun <- Sys.time()
  run$endpoint <- state$endpoint
  run$session <- state$session
  run$pool <- curl::new_pool()
  handle <- new_request("POST", body)
  run$bytes <- 0
  run$is_sent <- FALSE
  curl::handle_setopt(handle, noprogress = FALSE, progressfunction = function(down, up) {
    note_progress(run, down, up)
    TRUE
  })
  curl::curl_fetch_multi(paste0(state$endpoint, session_path("execute")), pool = run$pool, handle = handle,
    done = function(answer) run$answer <- answer, fail = function(message) run$failure <- message)
  run$handle <- handle
  run
}

is_running <- function(run) is.null(run$answer) && is.null(run$failure)

# What curl says of a request: how many bytes there are and how many have passed, each way.
note_progress <- function(run, down, up) {
  bytes <- down[[2L]] + up[[2L]]
  if (bytes != run$bytes) {
    run$bytes <- bytes
    run$moved <- TRUE
  }
  if (up[[1L]] > 0 && up[[2L]] >= up[[1L]]) run$is_sent <- TRUE
}

# Sends and receives until `is_over()`, or for about so many seconds. curl's own waiting counts whole seconds and takes the processor
# meanwhile; this sleeps, and for longer the longer nothing moves.
transfer <- function(run, seconds, is_over) {
  begun <- Sys.time()
  shortest <- 0.0005
  pause <- shortest
  repeat {
    run$moved <- FALSE
    # An interrupt in a function that curl calls would end the request.
    suspendInterrupts(curl::multi_run(timeout = 0, poll = TRUE, pool = run$pool))
    if (is_over() || seconds_since(begun) >= seconds) return(invisible())
    if (run$moved) {
      pause <- shortest
    } else {
      Sys.sleep(pause)
      pause <- min(2 * pause, 0.02)
    }
  }
}

# Sends and receives until the code has ended, or something else that was waited for, or for about so many seconds.
drive <- function(run, seconds, is_over = function() FALSE) {
  transfer(run, seconds, function() !is_running(run) || is_over())
}

# Stops the code that runs in the session.
cancel_run <- function() quietly(send("POST", session_path("cancel")))

# Whether the run was refused because of a token that is too old, and there is a new one now.
refresh_for <- function(run) !is.null(run$answer) && run$answer$status_code == 401L && refresh_tokens()

# The result of a run that has ended, with its outputs as R values.
result_of <- function(run) {
  if (!is.null(run$failure)) {
    if (grepl("connect to|resolve", run$failure)) fail("offshoot_unreachable", "The server at ", run$endpoint, " cannot be reached: ", run$failure)
    fail("offshoot_unreachable", "The connection has failed while the code ran, which may go on there: ", run$failure)
  }
  if (run$answer$status_code >= 300L) fail_of_answer(run$answer$status_code, run$answer$content, run$session)
  result <- jsonlite::parse_json(utf8(run$answer$content))
  names <- vapply(result$outputParameters, function(output) output$name, "")
  result$outputParameters <- structure(lapply(result$outputParameters, function(output) decode_value(output$value)), names = names)
  result$changedFiles <- as.character(unlist(result$changedFiles))
  result[c("success", "errorMessage", "outputParameters", "consoleOutput", "changedFiles")]
}

execute_body <- function(code, inputs, outputs) {
  given <- if (is.character(inputs)) {
    paste(inputs, collapse = "\n")
  } else if (!is.null(inputs)) {
    if (!is.list(inputs) || !has_names(inputs)) {
      fail("offshoot_invalid", "inputs has to be a list of objects by name, or JSON.")
    }
    pair <- function(name, value) members(list(name = as_json(name, TRUE), value = encode_value(value)))
    array_of(mapply(pair, names(inputs), inputs))
  }
  body <- list(code = as.character(jsonlite::toJSON(code, auto_unbox = TRUE)))
  if (!is.null(given)) body$inputParameters <- given
  if (!is.null(outputs)) body$outputParameters <- as.character(jsonlite::toJSON(as.character(outputs)))
  members(body)
}
