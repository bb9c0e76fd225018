# The remote prompt: lines that are typed, or that follow in a script, run in the remote session.

#' The remote prompt
#'
#' At the remote prompt, what you type runs in the remote session. Three lines mean something else there: `pause()` leads back to
#' this R, and the session waits; `exit` ends the session and logs out; `resume()` does nothing. In this R, `resume()` leads to
#' the remote prompt again.
#'
#' Lines are read until they are complete. Code that cannot be parsed is refused here, and nothing of it is sent. Interrupting
#' stops the remote code.
#'
#' In a script that R reads as its input (`R --no-save < script.R`, or line by line from an editor), the lines after
#' `remoteLogin()` are remote until `pause()`. `Rscript` and [source()] read a whole file before any of it runs, so there is no
#' prompt, and the code goes on here: use [remoteExecute()] or [remoteScript()] there.
#'
#' @param prompt the remote prompt.
#' @inheritParams remoteExecute
#' @return nothing.
#' @seealso [remoteLogin()]
#' @examplesIf nzchar(Sys.getenv("OFFSHOOT_SERVER")) && interactive()
#' remoteLogin(Sys.getenv("OFFSHOOT_SERVER"), commandline = FALSE)
#' remoteCommandLine("there> ")
#' @export
remoteCommandLine <- function(prompt = "REMOTE> ", displayPlots = TRUE, writePlots = TRUE, recPlots = TRUE) {
  require_session()
  if (!has_prompt()) {
    message("There is no prompt under Rscript and source(): the code goes on in this R. Use remoteExecute() or remoteScript().")
    return(invisible())
  }
  state$prompt <- prompt
  repeat {
    code <- read_code(prompt)
    if (is.null(code)) return(invisible())
    # Clients' words, with spaces and comments after them.
    word <- gsub("\\s", "", sub("#.*", "", code))
    if (word %in% c("", "resume()")) next
    if (word == "pause()") return(invisible())
    if (word == "exit") {
      remoteLogout()
      return(invisible())
    }
    if (!run_line(code, displayPlots, writePlots) || is.null(state$session)) return(invisible())
  }
}

# Runs what was typed; FALSE if that leads back to this R.
run_line <- function(code, displayPlots, writePlots) {
  tryCatch({
    result <- execute(code)
    take_plots(result$changedFiles, displayPlots, writePlots)
    TRUE
  }, error = function(error) {
    message("Error: ", conditionMessage(error))
    # A login that is refused is only to be had here.
    !inherits(error, "offshoot_unauthorized")
  }, interrupt = function(interrupt) {
    # Code that is not stopped by the first.
    message("\nThis is the local R. What runs there may go on: resume() leads back to it, remoteLogout() ends it.")
    FALSE
  })
}

#' @rdname remoteCommandLine
#' @export
pause <- function() {
  message("This is the local R already; resume() leads back to the remote one.")
  invisible()
}

#' @rdname remoteCommandLine
#' @export
resume <- function() remoteCommandLine(state$prompt)

# Whether lines can be read that follow: from somebody at a terminal, or from what R reads as its input.
has_prompt <- function() {
  reads_files <- function(at) identical(sys.function(at), base::source) || identical(sys.function(at), base::sys.source)
  is_sourced <- any(vapply(seq_len(sys.nframe()), reads_files, NA))
  # What follows is for the script.
  arguments <- commandArgs()
  arguments <- arguments[cumsum(arguments == "--args") == 0L]
  !is_sourced && (interactive() || !any(grepl("^(--file=|-e$)", arguments)))
}

# At the end of the input, readline() gives empty lines for ever; nobody types so many.
EMPTY_LINES <- 200L

# Reads lines until they are a complete piece of code. NULL at the end of the input.
read_code <- function(prompt) {
  lines <- character()
  empty <- 0L
  is_in_string <- FALSE
  repeat {
    line <- read_line(if (length(lines) == 0L) prompt else "+ ", is_in_string)
    if (is.null(line)) return(NULL)
    if (is.na(line)) {
      lines <- character()
      is_in_string <- FALSE
      cat("\n")
      next
    }
    empty <- if (nzchar(line)) 0L else empty + 1L
    if (empty > EMPTY_LINES) return(NULL)
    if (length(lines) == 0L && !nzchar(line)) next
    lines <- c(lines, line)
    code <- paste(lines, collapse = "\n")
    wrong <- tryCatch({
      parse(text = code, keep.source = FALSE)
      NULL
    }, error = conditionMessage)
    if (is.null(wrong)) {
      remember_line(code)
      return(code)
    }
    is_in_string <- grepl("INCOMPLETE_STRING", wrong, fixed = TRUE)
    if (!is_in_string && !ends_early(wrong, code)) {
      message("Error: ", sub("^<text>:", "", wrong))
      lines <- character()
    }
  }
}

# Whether the parser misses the end of this code. It says so in the language of the user, but always of the line after the last.
ends_early <- function(wrong, code) {
  startsWith(wrong, paste0("<text>:", lengths(gregexpr("\n", paste0(code, "\n"), fixed = TRUE)) + 1L, ":0:"))
}

# One line; NULL at the end of the input, NA if somebody has interrupted.
read_line <- function(prompt, is_in_string) {
  # readline() drops spaces at both ends, which count within a string.
  if (interactive() && !is_in_string) return(tryCatch(of_no_locale(readline(prompt)), interrupt = function(interrupt) NA_character_))
  # R shows the line that it reads, but not our prompt.
  cat(prompt)
  line <- tryCatch(readLines(stdin(), n = 1L), interrupt = function(interrupt) NA_character_)
  if (length(line) == 0L) NULL else of_no_locale(line)
}

# In the locale C, R knows nothing of letters beyond ASCII, and would send codes in their place. They are nearly always UTF-8.
of_no_locale <- function(line) {
  known <- l10n_info()
  if (!known$MBCS && !known[["Latin-1"]] && !is.na(line) && validUTF8(line)) Encoding(line) <- "UTF-8"
  line
}

# Has a line come again with the arrow keys, where R can do that.
remember_line <- function(code) {
  if (interactive()) try(utils::timestamp(code, prefix = "", suffix = "", quiet = TRUE), silent = TRUE)
}
