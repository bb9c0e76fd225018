# Objects of the global environment, to files in R's own format and back.

# Writes objects into a file, as save() does. The end of a file is written when it is closed, and save() does not
# look whether that has failed. R starts again soon enough with what is not compressed, and disks are cheap.
write_names <- function(names, file, envir = globalenv(), evaluate = TRUE) {
  # Otherwise, R would warn that a pipe is no file.
  to <- file(file, "wb", raw = TRUE)
  is_open <- TRUE
  on.exit(if (is_open) close(to))
  save(list = names, file = to, ascii = FALSE, version = 3L, envir = envir, eval.promises = evaluate, precheck = FALSE)
  status <- close(to)
  is_open <- FALSE
  if (!is.null(status) && status != 0L) stop("the end of the file could not be written; perhaps the disk is full")
}

# Why an expression failed; NULL when it did not.
failure_of <- function(expression) {
  tryCatch({
    expression
    NULL
  }, error = function(condition) paste(conditionMessage(condition), collapse = "\n"))
}

# Writes all objects. Like R's own save.image(), it computes the values of promises and active bindings. Usually all goes
# well. If it does not, what cannot be saved is left out. Without `evaluate`, nothing is computed; `promises` are then the
# objects that have not been computed yet. The first attempt to write goes to `first`, which may be a pipe, and further ones
# to `file`. Returns where the objects are, and a sentence for each that is not saved, or not as a value.
save_workspace <- function(file, first, evaluate, ...) {
  evaluate <- identical(evaluate, "TRUE")
  promises <- c(...)
  names <- ls(globalenv(), all.names = TRUE)
  suppressWarnings({
    if (evaluate) {
      if (is.null(failure_of(write_names(names, first)))) return(first)
      first <- file
    }
    is_active <- vapply(names, bindingIsActive, NA, env = globalenv(), USE.NAMES = FALSE)
    if (evaluate) {
      computed <- compute(names, is_active)
    } else {
      computed <- list(values = globalenv(), failed = is_active | names %in% promises, reasons = NULL)
    }
    problems <- not_computed(names, is_active, computed)
    left <- names[!(is_active & computed$failed)]
    written <- write_what_fits(left, first, file, computed$values)
    append(written, problems, after = 1L)
  })
}

# Computes each promise and each active binding once, so that its side effects do not come again with each attempt to
# write. The values of active bindings are returned in an environment that leads on to all other objects.
compute <- function(names, is_active) {
  values <- new.env(parent = globalenv())
  reasons <- rep(NA_character_, length(names))
  for (at in seq_along(names)) {
    failure <- failure_of({
      value <- mget(names[[at]], envir = globalenv())
      if (is_active[[at]]) list2env(value, values)
    })
    if (!is.null(failure)) reasons[[at]] <- failure
  }
  list(values = values, failed = !is.na(reasons), reasons = reasons)
}

# What to tell of objects whose values are not there. A promise can be saved without its value, an active binding cannot.
not_computed <- function(names, is_active, computed) {
  why <- if (is.null(computed$reasons)) {
    rep("computing it takes too long", length(names))
  } else {
    paste0("it cannot be computed: ", computed$reasons)
  }
  outcome <- ifelse(is_active, "was not saved", "was saved without its value")
  sprintf("object '%s' %s, as %s", names, outcome, why)[computed$failed]
}

# Writes objects whose values are there. If they cannot be written all at once, finds by writing them one by one which
# cannot be written, and writes as many of the others as fit, the smallest first. Returns where they are, and a sentence for
# each that is left.
write_what_fits <- function(names, first, file, values) {
  write <- function(names, to = file) write_names(names, to, values, evaluate = FALSE)
  for (to in unique(c(first, file))) {
    if (is.null(failure <- failure_of(write(names, to)))) return(to)
  }
  sizes <- rep(NA_real_, length(names))
  reasons <- rep(failure, length(names))
  for (at in seq_along(names)) {
    alone <- failure_of(write(names[[at]]))
    if (is.null(alone)) sizes[[at]] <- file.size(file) else reasons[[at]] <- alone
  }
  smallest <- order(sizes, na.last = NA)
  # The first `fit` of them fit together, and the first `above` do not.
  fit <- 0L
  above <- length(smallest) + 1L
  while (above - fit > 1L) {
    middle <- (fit + above) %/% 2L
    if (is.null(failure_of(write(names[smallest[seq_len(middle)]])))) fit <- middle else above <- middle
  }
  if (fit == 0L) stop(failure)
  kept <- smallest[seq_len(fit)]
  write(names[kept])
  c(file, sprintf("object '%s' was not saved: %s", names, reasons)[-kept])
}

save_object <- function(file, name) {
  if (!exists(name, envir = globalenv(), inherits = FALSE)) return("absent")
  suppressWarnings(write_names(name, file))
  "saved"
}

# What save() has written, or else what saveRDS() has, under `name`. Returns warnings.
load_stored <- function(file, name) {
  stored <- gzfile(file, "rb")
  magic <- tryCatch(readBin(stored, "raw", 5L), finally = close(stored))
  warnings_of(if (grepl("^RD[ABX][23]$", rawToChar(magic[magic != 0 & magic != 10]))) {
    load(file, envir = globalenv())
  } else {
    assign(name, readRDS(file), envir = globalenv())
  })
}

# What save() has written, from memory: bytes for unserialize().
load_serialized <- function(bytes) {
  warnings_of({
    objects <- as.list(unserialize(bytes))
    if (length(objects) > 0L) list2env(objects, globalenv())
  })
}

# Where the session works, below its folder, and what it has attached beyond what R attaches itself.
describe_session <- function(work) {
  work <- normalizePath(work)
  here <- normalizePath(getwd(), mustWork = FALSE)
  below <- substring(here, nchar(work) + 2L)
  if (!identical(here, file.path(work, below))) below <- ""
  attached <- rev(sub("^package:", "", grep("^package:", search(), value = TRUE)))
  c(below, setdiff(attached, c("base", "methods", getOption("defaultPackages"))))
}

# The same again, in another session. Returns warnings.
restore_session <- function(work, below, ...) {
  if (nzchar(below)) try(setwd(file.path(work, below)), silent = TRUE)
  unlist(lapply(c(...), function(package) {
    tryCatch({
      suppressPackageStartupMessages(library(package, character.only = TRUE, warn.conflicts = FALSE, quietly = TRUE))
      NULL
    }, error = function(error) paste0("package ", package, ": ", conditionMessage(error)))
  }))
}

warnings_of <- function(expression) {
  warnings <- character()
  withCallingHandlers(expression, warning = function(warning) {
    warnings <<- c(warnings, conditionMessage(warning))
    invokeRestart("muffleWarning")
  })
  warnings
}
