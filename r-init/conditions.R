# Handlers for the conditions that reach the top of an evaluation. They only record: what R does next (print
# a message, unwind for an error) stays R's business. `record` is a native routine, src/r/conditions.rs, which
# also keeps R from printing a recorded error.

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

on_printed_error <- function(condition) report("printed error", condition)

# For `warnings()`, as R's prompt does it: those of the last evaluation that had any, the first 50 of them.
keep_warning <- function(condition) {
  is_first <- report("warning", condition)
  earlier <- if (is_first) list() else get0("last.warning", envir = baseenv(), ifnotfound = list())
  if (length(earlier) >= 50L) return()
  one <- list(conditionCall(condition))
  names(one) <- condition_text(condition)
  assign("last.warning", c(earlier, one), envir = baseenv())
}

# warn = 2 makes errors of warnings, and a negative one drops them, both as in R itself.
on_warning <- function(condition) {
  level <- getOption("warn")
  if (is.numeric(level) && length(level) == 1L && !is.na(level)) {
    if (level >= 2) return()
    if (level >= 0) keep_warning(condition)
  } else {
    keep_warning(condition)
  }
  tryInvokeRestart("muffleWarning")
}

on_message <- function(condition) report("message", condition)

on_interrupt <- function(condition) report("interrupt", condition)

# Evaluated as it is, and not inside a function, such a call leaves the handlers on the stack with no frame of
# ours: sys.calls(), parent.frame() and on.exit() see what they would see at R's prompt.
call_for <- function(handlers) {
  as.call(list(as.name(".Internal"), as.call(list(
    as.name(".addCondHands"), names(handlers), unname(handlers), parent.frame(), NULL, TRUE
  ))))
}

# Conditions are recorded for whoever asked for the evaluation.
establish <- call_for(list(error = on_error, warning = on_warning, message = on_message, interrupt = on_interrupt))

# R prints them, as at its prompt; recorded is what stops the evaluation.
establish_printed <- call_for(list(error = on_printed_error, interrupt = on_interrupt))

# What R's prompt does after each statement. R's own function for it is not exported; this one is for what comes on
# top of an error, and says so.
print_warnings <- quote(.Internal(printDeferredWarnings()))
