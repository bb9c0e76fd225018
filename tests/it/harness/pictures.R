# Draws the scripts of a folder by png() in these sizes, each script in a process of its own for each size:
# `Rscript pictures.R FOLDER WIDTHxHEIGHTxRESOLUTION...` makes FOLDER/NAME/SIZE/PAGE.png of FOLDER/NAME.R.
arguments <- commandArgs(trailingOnly = TRUE)
# Loaded once, and not by each process.
for (package in c("ggplot2", "lattice")) requireNamespace(package, quietly = TRUE)
setwd(arguments[[1L]])
scripts <- list.files(pattern = "[.]R$")
jobs <- expand.grid(script = scripts, size = seq_along(arguments[-1L]), stringsAsFactors = FALSE)

draw <- function(script, size) {
  folder <- file.path(getwd(), sub("[.]R$", "", script), size)
  dir.create(folder, recursive = TRUE)
  code <- parse(script, keep.source = FALSE, encoding = "UTF-8")
  # Files that the script writes.
  dir.create(work <- tempfile())
  setwd(work)
  measures <- as.numeric(strsplit(arguments[[1L + size]], "x")[[1L]])
  sink(nullfile())
  png(file.path(folder, "%05d.png"), width = measures[[1L]], height = measures[[2L]], res = measures[[3L]])
  setTimeLimit(elapsed = 60)
  for (statement in code) eval(statement, globalenv())
  graphics.off()
  file.create(file.path(folder, "done"))
  TRUE
}

run <- function(job) draw(jobs$script[[job]], jobs$size[[job]])
invisible(parallel::mclapply(seq_len(nrow(jobs)), run, mc.cores = parallel::detectCores(), mc.preschedule = FALSE))
