# Objects of the global environment, to files in R's own format and back.

# R starts again soon enough with what is not compressed, and disks are cheap.
save_names <- function(names, file) {
  suppressWarnings(save(list = names, file = file, envir = globalenv(), compress = FALSE))
}

save_workspace <- function(file) {
  save_names(ls(globalenv(), all.names = TRUE), file)
  "saved"
}

save_object <- function(file, name) {
  if (!exists(name, envir = globalenv(), inherits = FALSE)) return("absent")
  save_names(name, file)
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
