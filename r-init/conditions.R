# Handlers for the conditions that reach the top of an evaluation. They only record: what R does next (print
# a message, unwind for an error) stays R's business. `record` is a native routine, src/r/conditions.rs.

condition_call <- function(condition) {
  call <- conditionCall(condition)
  if (is.null(call)) "" else tryCatch(deparse(call, nlines = 1L)[[1L]], error = function(e) "")
}

condition_text <- function(condition) {
  tryCatch(paste(as.character(conditionMessage(condition)), collapse = "\n"), error = function(e) "")
}

report <- function(kind, condition) {
  .Call(record, kind, condition_text(condition), condition_call(condition), class(condition))
}

on_error <- function(condition) report("error", condition)

# warn = 2 makes errors of warnings, and a negative one drops them, both as in R itself.
on_warning <- function(condition) {
  level <- getOption("warn")
  if (is.numeric(level) && length(level) == 1L && !is.na(level)) {
    if (level >= 2) return()
    if (level >= 0) report("warning", condition)
  } else {
    report("warning", condition)
  }
  tryInvokeRestart("muffleWarning")
}

on_message <- function(condition) report("message", condition)

on_interrupt <- function(condition) report("interrupt", condition)

# Evaluated as it is, and not inside a function, this call leaves the handlers on the stack with no frame of
# ours: sys.calls(), parent.frame() and on.exit() see what they would see at R's prompt.
establish <- as.call(list(as.name(".Internal"), as.call(list(
  as.name(".addCondHands"),
  c("error", "warning", "message", "interrupt"),
  list(on_error, on_warning, on_message, on_interrupt),
  environment(),
  NULL,
  TRUE
))))
