# Breakpoints: lines of files at which R stops in its browser. R knows none, so the code is changed: before a statement stands
#   .doTrace(if (rtvs:::is_breakpoint("file.R", 3)) browser())
# The client knows such a call when it sees it on the stack, and steps out of it. Who steps through the code comes to such a call before
# it is made: its place is marked, so that the client is told of it then (describe_traceback()), and steps on to the statement. Files are
# known by their names without folders.

# For each file, the lines that have a breakpoint.
breakpoints <- new.env()

# Whether R stops at them at all, and R's own functions while others take their places.
stopping <- new.env()
stopping$on <- FALSE

is_breakpoint <- function(filename, line_number) stopping$on && line_number %in% breakpoints[[filename]]

enable_breakpoints <- function(enable) {
  stopping$on <- isTRUE(enable)
  watch_parse(stopping$on)
  if (stopping$on) reapply_breakpoints()
  invisible()
}

add_breakpoint <- function(filename, line_number, reapply = TRUE) {
  name <- basename(filename)
  assign(name, unique(c(breakpoints[[name]], as.numeric(line_number))), envir = breakpoints)
  if (isTRUE(reapply)) reapply_breakpoints()
  invisible()
}

remove_breakpoint <- function(filename, line_number) {
  name <- basename(filename)
  left <- setdiff(breakpoints[[name]], line_number)
  assign(name, if (length(left) > 0L) left, envir = breakpoints)
  reapply_breakpoints()
  invisible()
}

# Changes the functions of the workspace as the breakpoints are now. One that runs stays as it is until it is called again.
reapply_breakpoints <- function() {
  names <- ls(globalenv(), all.names = TRUE)
  for (name in setdiff(names, unevaluated_promises(globalenv(), names))) {
    if (bindingIsActive(as.name(name), globalenv()) || bindingIsLocked(name, globalenv())) next
    value <- get(name, envir = globalenv(), inherits = FALSE)
    if (!is.function(value) || is.primitive(value)) next
    changed <- with_breakpoints(value)
    if (!identical(body(changed), body(value))) assign(name, changed, envir = globalenv())
  }
  invisible()
}

# A function with the breakpoints of its file.
with_breakpoints <- function(f) {
  place <- unmarked(attr(f, "srcref"))
  if (is.null(place)) return(f)
  old <- without_stops(body(f))
  file <- file_of(place)
  lines <- if (!is.null(file)) breakpoints[[basename(file)]]
  new <- if (any(covers(place, lines))) in_function(old, place, basename(file), settled(lines, spans_in_function(old, place, lines))) else old
  changed <- f
  body(changed) <- new
  attributes(changed) <- attributes(f)
  attr(changed, "srcref") <- place_of(new, place)
  changed
}

# Expressions that were parsed with their places in a file, with its breakpoints.
parsed_with_breakpoints <- function(expressions) {
  places <- attr(expressions, "srcref")
  file <- if (length(places) > 0L && length(places) == length(expressions)) file_of(places[[1L]])
  lines <- if (!is.null(file)) breakpoints[[basename(file)]]
  if (length(lines) == 0L) return(expressions)
  statements <- lapply(as.list(expressions), without_stops)
  lines <- settled(lines, spans_in_statements(statements, places, lines))
  changed <- expressions
  changed[] <- as.expression(in_statements(statements, places, basename(file), lines))
  changed
}

# The path of the file that a place is in; NULL if it is in none.
file_of <- function(place) {
  source <- attr(place, "srcfile")
  if (!is.environment(source)) return(NULL)
  name <- source$filename
  if (!is.character(name) || !nzchar(name) || (inherits(source, "srcfilecopy") && !isTRUE(source$isFile))) return(NULL)
  if (grepl("^(/|~|[A-Za-z]:|[a-z]+://)", name) || is.null(source$wd)) path.expand(name) else file.path(source$wd, name)
}

is_block <- function(code) is.call(code) && identical(code[[1L]], quote(`{`)) && is.list(attr(code, "srcref"))

is_function_code <- function(code) is.call(code) && identical(code[[1L]], quote(`function`))

# What stands in a call may be missing, as in x[, 1].
is_missing <- function(call, at) identical(call[[at]], quote(expr = ))

covers <- function(place, lines) lines >= place[[1L]] & lines <= place[[3L]]

# Rows of first and last lines, with what is there: a statement, the body of a function, or another block. What is far from the
# lines that matter is not looked into.
span_of <- function(place, last, kind) matrix(c(place[[1L]], last, kind), 1L)

spans_in_statements <- function(statements, places, lines) {
  do.call(rbind, c(list(matrix(0, 0L, 3L)), lapply(seq_along(statements), function(at) {
    place <- places[[at]]
    rbind(span_of(place, place[[3L]], statement_kind), if (any(covers(place, lines))) spans_in(statements[[at]], lines))
  })))
}

spans_in <- function(code, lines) {
  if (!is.call(code)) return(NULL)
  if (is_block(code)) {
    places <- attr(code, "srcref")
    whole <- attr(code, "wholeSrcref")
    inner <- spans_in_statements(as.list(code)[-1L], places[-1L], lines)
    last <- if (is.null(whole)) max(places[[1L]][[1L]], inner[, 2L]) else whole[[3L]]
    return(rbind(span_of(places[[1L]], last, block_kind), inner))
  }
  if (is_function_code(code)) return(spans_in_function(code[[3L]], if (length(code) > 3L) code[[4L]], lines))
  do.call(rbind, lapply(seq_along(code), function(at) if (!is_missing(code, at)) spans_in(code[[at]], lines)))
}

spans_in_function <- function(body, place, lines) {
  place <- body_place(body, place)
  rbind(if (!is.null(place)) span_of(place, place[[3L]], body_kind), spans_in(body, lines))
}

statement_kind <- 0
body_kind <- 1
block_kind <- 2

# A body in braces knows where it is. Another is where its function is.
body_place <- function(body, place) {
  if (!is_block(body)) return(place)
  start <- attr(body, "srcref")[[1L]]
  end <- attr(body, "wholeSrcref")
  if (!is.null(place)) start[c(3L, 4L, 6L, 8L)] <- place[c(3L, 4L, 6L, 8L)] else if (!is.null(end)) start[3L] <- end[3L]
  start
}

# For the lines that are `wanted`, those `at` which R can stop. On a line between the statements of a block, that is the next of
# them, and on a further line of a statement, that statement.
settled <- function(lines, spans) {
  starts <- spans[spans[, 3L] != block_kind, 1L]
  found <- vapply(lines, function(line) {
    if (line %in% starts) return(line)
    around <- spans[spans[, 1L] <= line & spans[, 2L] >= line, , drop = FALSE]
    if (nrow(around) == 0L) return(NA_real_)
    inner <- around[order(around[, 2L] - around[, 1L], -around[, 3L])[[1L]], ]
    later <- starts[starts > line & starts <= inner[[2L]]]
    if (inner[[3L]] != statement_kind && length(later) > 0L) min(later) else max(starts[starts <= line])
  }, 0)
  kept <- !is.na(found)
  list(wanted = lines[kept], at = found[kept])
}

in_statements <- function(statements, places, file, lines) {
  before <- -1L
  lapply(seq_along(statements), function(at) {
    first <- places[[at]][[1L]]
    statement <- statements[[at]]
    if (any(covers(places[[at]], lines$at))) statement <- in_code(statement, file, lines)
    # Of several statements on a line, R stops at the first.
    if (first != before) statement <- with_stops(statement, places[[at]], file, lines)
    before <<- first
    statement
  })
}

in_code <- function(code, file, lines) {
  if (!is.call(code)) return(code)
  if (is_block(code)) {
    about <- attributes(code)
    places <- about$srcref[-1L]
    statements <- in_statements(as.list(code)[-1L], places, file, lines)
    about$srcref[-1L] <- places_of(statements, places)
    changed <- as.call(c(code[[1L]], statements))
    attributes(changed) <- about
    return(changed)
  }
  if (is_function_code(code)) {
    place <- if (length(code) > 3L) code[[4L]]
    code[3L] <- list(in_function(code[[3L]], place, file, lines))
    if (!is.null(place)) code[[4L]] <- place_of(code[[3L]], place)
    return(code)
  }
  for (at in seq_along(code)) if (!is_missing(code, at) && is.call(code[[at]])) code[[at]] <- in_code(code[[at]], file, lines)
  code
}

in_function <- function(body, place, file, lines) {
  place <- body_place(body, place)
  changed <- in_code(body, file, lines)
  if (is.null(place)) changed else with_stops(changed, place, file, lines)
}

# A statement after the calls that stop before it. In the browser, all of it is at the statement's place.
with_stops <- function(statement, place, file, lines) {
  for (line in lines$wanted[lines$at == place[[1L]]]) {
    here <- marked(place)
    stops <- as.call(list(quote(`{`), stop_at(file, line), statement))
    attr(stops, "srcref") <- list(here, here, place_of(statement, place))
    statement <- stops
  }
  statement
}

stop_at <- function(file, line) bquote(.doTrace(if (rtvs:::is_breakpoint(.(file), .(line))) browser()))

# Places that are marked, as nothing but a call that stops is there yet.
marked <- function(place) structure(place, stops = TRUE)

unmarked <- function(place) {
  attr(place, "stops") <- NULL
  place
}

is_marked <- function(place) isTRUE(attr(place, "stops"))

place_of <- function(statement, place) if (is_stop(statement)) marked(place) else place

places_of <- function(statements, places) Map(place_of, statements, places)

is_stop <- function(code) {
  is.call(code) && length(code) == 3L && identical(code[[1L]], quote(`{`)) && is.call(code[[2L]]) &&
    identical(code[[2L]][[1L]], quote(.doTrace)) && length(code[[2L]]) == 2L &&
    grepl("rtvs:::is_breakpoint(", deparse(code[[2L]], nlines = 1L)[[1L]], fixed = TRUE)
}

# The code as it was.
without_stops <- function(code) {
  while (is_stop(code)) code <- code[[3L]]
  if (!is.call(code) || !(".doTrace" %in% all.names(code))) return(code)
  for (at in seq_along(code)) if (!is_missing(code, at) && is.call(code[[at]])) code[at] <- list(without_stops(code[[at]]))
  if (is_block(code)) attr(code, "srcref") <- lapply(attr(code, "srcref"), unmarked)
  if (is_function_code(code) && length(code) > 3L) code[4L] <- list(unmarked(code[[4L]]))
  code
}
