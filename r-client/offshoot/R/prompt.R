# The remote prompt: lines that are typed, or that follow in a script, run in the remote session.

#' Go to the remote prompt
#'
#' `pause()` at that prompt leads back to this R, and `exit` ends the remote session.
#'
#' @param prompt the prompt.
#' @inheritParams remoteExecute
#' @return nothing, invisibly.
remoteCommandLine <- function(prompt = "REMOTE> ", displayPlots = TRUE, writePlots = FALSE, recPlots = TRUE) {
  require_session()
  if (!has_prompt()) {
    message("There is no prompt under Rscript and source(): the code goes on in this R. Use remoteExecute() or remoteScript().")
    return(invisible())
  }
  state$prompt <- prompt
  repeat {
    code <- read_code(prompt)
    if (is.null(code)) return(invisible())
    word <- sub("\\s*(#.*)?$", "", trimws(code))
    if (word == "") next
    if (grepl("^pause\\s*\\(\\s*\\)$", word)) return(invisible())
    if (word == "exit") {
      remoteLogout()
      return(invisible())
    }
    if (grepl("^resume\\s*\\(\\s*\\)$", word)) next
    going <- tryCatch({
      result <- execute(code)
      take_plots(result$changedFiles, displayPlots, writePlots)
      TRUE
    }, offshoot_error = function(error) {
      message("Error: ", conditionMessage(error))
      !is.null(state$session)
    })
    if (!going) return(invisible())
  }
}

#' Leave the remote prompt; to be typed there
#'
#' @return nothing, invisibly.
pause <- function() {
  message("This is the local R already; resume() leads back to the remote one.")
  invisible()
}

#' Return to the remote prompt
#'
#' @return nothing, invisibly.
resume <- function() remoteCommandLine(state$prompt)

# Whether lines can be read that follow: from somebody at a terminal, or from what R reads as its input.
has_prompt <- function() {
  is_sourced <- any(vapply(sys.calls(), function(call) identical(call[[1L]], quote(source)), NA))
  !is_sourced && (interactive() || !any(grepl("^--file=", commandArgs())))
}

# Reads lines until they are a complete piece of code, or are wrong. NULL at the end of the input.
read_code <- function(prompt) {
  lines <- character()
  repeat {
    line <- read_line(if (length(lines) == 0L) prompt else "+ ")
    if (is.null(line)) return(NULL)
    if (is.na(line)) {
      lines <- character()
      next
    }
    lines <- c(lines, line)
    code <- paste(lines, collapse = "\n")
    wrong <- tryCatch({
      parse(text = code, keep.source = FALSE)
      NULL
    }, error = conditionMessage)
    if (is.null(wrong)) return(code)
    if (!grepl("unexpected end of input|INCOMPLETE_STRING|unexpected INCOMPLETE_STRING", wrong)) {
      message("Error: ", wrong)
      lines <- character()
    }
  }
}

# One line; NULL at the end of the input, NA if somebody has interrupted.
read_line <- function(prompt) {
  if (interactive()) return(tryCatch(readline(prompt), interrupt = function(interrupt) NA_character_))
  # R shows what it reads, but not our prompt.
  cat(prompt)
  line <- readLines(stdin(), n = 1L)
  if (length(line) == 0L) NULL else line
}
