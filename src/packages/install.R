# Installs packages into an empty folder. R runs this in a process of its own. Its arguments are: what to do, the folder,
# the package's name, the ref, and then the repositories.

arguments <- commandArgs(trailingOnly = TRUE)
action <- arguments[[1L]]
stage <- arguments[[2L]]
name <- arguments[[3L]]
ref <- arguments[[4L]]

options(
  repos = arguments[-(1:4)],
  warn = 1,
  timeout = max(600, getOption("timeout")),
  Ncpus = 1L
)

helper <- function(package) {
  if (!requireNamespace(package, quietly = TRUE)) utils::install.packages(package, lib = stage)
  loadNamespace(package)
}

missing <- function(packages) setdiff(packages, list.files(stage))

wanted <- switch(action,
  cran = {
    utils::install.packages(name, lib = stage)
    name
  },
  github = {
    helper("remotes")
    remotes::install_github(name, ref = ref, upgrade = FALSE, force = TRUE, lib = stage)
  },
  bioconductor = {
    helper("BiocManager")
    BiocManager::install(name, ask = FALSE, update = FALSE, lib = stage)
    name
  },
  update = {
    old <- utils::old.packages()
    if (!is.null(old)) utils::update.packages(ask = FALSE, oldPkgs = old, instlib = stage)
    rownames(old)
  }
)

# install.packages() only warns when it fails.
if (length(missing(wanted)) > 0L) {
  stop("not installed: ", paste(missing(wanted), collapse = ", "), call. = FALSE)
}
