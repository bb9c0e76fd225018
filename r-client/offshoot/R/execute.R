# Code in the remote session.

#' Run R code in the remote session
#'
#' @param rcode R code, or the path of a file with R code if `script` is TRUE.
#' @param script whether `rcode` is the path of a file.
#' @param inputs objects to bind before: a named list, or JSON as `[{"name": "x", "value": 1}]`.
#' @param outputs names of objects to return.
#' @param displayPlots whether to show plots here.
#' @param writePlots whether to keep the files of plots in the working folder here.
#' @param recPlots ignored: plots come as pictures.
#' @return a list with `success`, `errorMessage`, `outputParameters` by name, `consoleOutput` and `changedFiles`.
remoteExecute <- function(rcode, script = FALSE, inputs = NULL, outputs = NULL, displayPlots = FALSE, writePlots = FALSE,
                          recPlots = FALSE) {
  result <- execute(code_of(rcode, script), inputs, outputs)
  take_plots(result$changedFiles, displayPlots, writePlots)
  invisible(result)
}

#' Run a file of R code in the remote session
#'
#' @inheritParams remoteExecute
#' @param name the path of the file.
#' @return as [remoteExecute()].
remoteScript <- function(name, inputs = NULL, outputs = NULL, displayPlots = TRUE, writePlots = TRUE, recPlots = TRUE) {
  remoteExecute(name, script = TRUE, inputs, outputs, displayPlots, writePlots)
}

code_of <- function(rcode, script) {
  is_path <- length(rcode) == 1L && !grepl("\n", rcode) && grepl("[.][Rr]$", rcode) && file.exists(rcode)
  if (!script && !is_path) return(paste(rcode, collapse = "\n"))
  if (!file.exists(rcode)) fail("offshoot_invalid", "There is no file \"", rcode, "\".")
  paste(readLines(rcode, warn = FALSE, encoding = "UTF-8"), collapse = "\n")
}

# Runs code, and prints what it prints while it runs.
execute <- function(code, inputs = NULL, outputs = NULL, echo = TRUE) {
  path <- session_path("execute")
  handle <- new_request("POST", execute_body(code, inputs, outputs))
  answer <- NULL
  failure <- NULL
  pool <- curl::new_pool()
  curl::curl_fetch_multi(paste0(state$endpoint, path), pool = pool, handle = handle,
    done = function(got) answer <<- got, fail = function(message) failure <<- message)
  printed <- if (echo) console() else NULL
  watching <- FALSE
  waiting <- function() is.null(answer) && is.null(failure)
  begun <- Sys.time()
  tryCatch(
    while (waiting()) {
      curl::multi_run(timeout = 0.1, poll = TRUE, pool = pool)
      # Most code is done by then; what takes longer is shown as it is printed.
      if (echo && !watching && waiting() && Sys.time() - begun > 0.3) {
        watching <- TRUE
        watch_console(printed, pool)
      }
    },
    interrupt = function(interrupt) {
      tryCatch(send("POST", session_path("cancel")), offshoot_error = function(error) NULL)
      while (waiting()) curl::multi_run(timeout = 0.1, poll = TRUE, pool = pool)
    }
  )
  if (!is.null(failure)) fail("offshoot_unreachable", "The connection has failed while the code ran: ", failure)
  if (answer$status_code == 401L && refresh_tokens()) return(execute(code, inputs, outputs, echo))
  if (answer$status_code >= 300L) {
    if (answer$status_code == 410L) state$session <- NULL
    fail_of_answer(answer$status_code, answer$content)
  }
  result <- jsonlite::fromJSON(utf8(answer$content), simplifyVector = FALSE)
  if (echo) printed$rest(result$consoleOutput)
  names <- vapply(result$outputParameters, function(output) output$name, "")
  result$outputParameters <- structure(lapply(result$outputParameters, function(output) decode_value(output$value)), names = names)
  result$changedFiles <- as.character(unlist(result$changedFiles))
  result[c("success", "errorMessage", "outputParameters", "consoleOutput", "changedFiles")]
}

execute_body <- function(code, inputs, outputs) {
  given <- if (is.character(inputs)) {
    paste(inputs, collapse = "\n")
  } else if (is.list(inputs)) {
    pairs <- mapply(function(name, value) members(list(name = as_json(name, TRUE), value = encode_value(value))), names(inputs), inputs)
    array_of(pairs)
  }
  body <- list(code = as.character(jsonlite::toJSON(code, auto_unbox = TRUE)))
  if (!is.null(given)) body$inputParameters <- given
  if (!is.null(outputs)) body$outputParameters <- as.character(jsonlite::toJSON(as.character(outputs)))
  members(body)
}

# What has been printed of the output of one run.
console <- function() {
  shown <- 0L
  list(
    print = function(text) {
      cat(text)
      utils::flush.console()
      shown <<- shown + nchar(text)
    },
    rest = function(text) if (nchar(text) > shown) cat(substring(text, shown + 1L))
  )
}

# Prints the console text of the running code as it comes, by events.
watch_console <- function(printed, pool) {
  handle <- new_request("GET", accept = "text/event-stream")
  left <- raw()
  curl::curl_fetch_multi(paste0(state$endpoint, session_path("console-output")), pool = pool, handle = handle,
    data = function(bytes, final) {
      left <<- c(left, bytes)
      end <- max(0L, which(left == as.raw(10L)))
      lines <- strsplit(utf8(left[seq_len(end)]), "\n", fixed = TRUE)[[1L]]
      left <<- left[-seq_len(end)]
      texts <- sub("^data: ", "", grep("^data: \"", lines, value = TRUE))
      for (text in texts) printed$print(jsonlite::fromJSON(text))
    },
    fail = function(message) NULL)
}

# Shows plots here, and keeps their files here, as it is wanted.
take_plots <- function(files, display, write) {
  plots <- grep("[.]png$", files, value = TRUE)
  if (length(plots) == 0L || !(display || write)) return(invisible())
  if (display && !requireNamespace("png", quietly = TRUE)) {
    warning("Package png is needed to show plots here.", call. = FALSE)
    display <- FALSE
  }
  for (plot in plots) {
    file <- if (write) basename(plot) else tempfile(fileext = ".png")
    send("GET", session_path("files", plot), into = file)
    if (display) show_picture(png::readPNG(file))
    if (!write) unlink(file)
  }
  invisible()
}

show_picture <- function(picture) {
  before <- graphics::par(mar = c(0, 0, 0, 0))
  on.exit(graphics::par(before))
  graphics::plot.new()
  graphics::plot.window(c(0, ncol(picture)), c(0, nrow(picture)), asp = 1)
  graphics::rasterImage(picture, 0, 0, ncol(picture), nrow(picture))
}
