# Writes the examples in the help pages of packages into a folder: `Rscript examples.R FOLDER PACKAGE...` makes
# FOLDER/PACKAGE-TOPIC.R of each page.
arguments <- commandArgs(trailingOnly = TRUE)
for (package in arguments[-1L]) {
  pages <- tools::Rd_db(package)
  for (page in names(pages)) {
    file <- file.path(arguments[[1L]], paste0(package, "-", sub("[.]Rd$", "", basename(page)), ".R"))
    tools::Rd2ex(pages[[page]], file, commentDontrun = TRUE, commentDonttest = TRUE)
    if (!file.exists(file)) next
    # Examples find their package attached.
    writeLines(c(sprintf("library(%s)", package), readLines(file, encoding = "UTF-8")), file, useBytes = TRUE)
  }
}
