# What the client's debugger asks while R waits in its browser, and how it runs files.

# Evaluates a file in the workspace, so that R can stop at each of its statements: they are one block.
debug_source <- function(file, encoding = "unknown") {
  path <- normalizePath(file, mustWork = TRUE)
  cat("Sourcing: ", path, "\n", sep = "")
  parsed <- base::parse(file, keep.source = TRUE, encoding = encoding)
  places <- attr(parsed, "srcref")
  if (length(parsed) == 0L) return(invisible())
  statements <- as.list(parsed_with_breakpoints(parsed))
  block <- as.call(c(quote(`{`), statements))
  attr(block, "srcref") <- c(places[1L], places_of(statements, places))
  invisible(eval(block, globalenv()))
}

# R's own source() parses files, too, as do some packages. While breakpoints are on, what it parses has them.
watched <- c("parse", "source")

watch_parse <- function(watch) {
  if (watch == !is.null(stopping$unwatched)) return(invisible())
  before <- mget(watched, envir = baseenv())
  put <- if (watch) lapply(before, parsing_with_breakpoints) else stopping$unwatched
  stopping$unwatched <- if (watch) before
  for (name in watched) {
    unlockBinding(name, baseenv())
    assign(name, put[[name]], envir = baseenv())
    lockBinding(name, baseenv())
  }
}

# Both come to R's parser by `.Internal(parse(...))`.
parsing_with_breakpoints <- function(f) {
  is_parsing <- function(code) {
    is.call(code) && identical(code[[1L]], quote(.Internal)) && is.call(code[[2L]]) && identical(code[[2L]][[1L]], quote(parse))
  }
  change <- function(code) {
    if (is_parsing(code)) return(as.call(list(parsed_with_breakpoints, code)))
    if (!is.call(code)) return(code)
    for (at in seq_along(code)) if (!is_missing(code, at) && is.call(code[[at]])) code[[at]] <- change(code[[at]])
    code
  }
  body(f) <- change(body(f))
  f
}

# The stack, from the workspace on: for each environment the call that was made in it and where that is written. Where R has come to a
# call that stops at a breakpoint, that one takes the place of ours.
describe_traceback <- function() {
  count <- sys.nframe()
  calls <- sys.calls()
  lapply(seq_len(count), function(at) {
    call <- calls[[at]]
    place <- attr(call, "srcref")
    file <- if (inherits(place, "srcref")) file_of(place)
    frame <- list(call = paste(deparse(call, nlines = 50L), collapse = "\n"))
    if (!is.null(file)) {
      if (is_marked(place)) frame$call <- deparse_str(stop_at(basename(file), place[[1L]]))
      frame$filename <- file
      frame$line_number <- place[[1L]]
    }
    name <- environment_name(if (at == 1L) globalenv() else sys.frame(at - 1L))
    if (!is.null(name)) frame$env_name <- name
    frame
  })
}

environment_name <- function(environment) {
  name <- environmentName(environment)
  if (!nzchar(name)) return(NULL)
  if (isNamespace(environment)) name <- paste0("namespace:", name)
  sprintf("<environment: %s>", name)
}

# Lets R stop in the caller of the function in which it waits, or `n` calls above it.
browser_set_debug <- function(n = 1, skip_toplevel = 0) {
  frame <- sys.nframe() - 1L - n
  if (frame < 0L) stop("there are not so many calls", call. = FALSE)
  host_debug(if (frame == 0L) globalenv() else sys.frame(frame))
  invisible()
}
