# How this R and the remote one differ.

#' Report how this R and the remote one differ
#'
#' Tells whether both R have the same version, which packages are installed here and not there, and which are installed in
#' different versions. Packages that are only there are not reported. [remoteLogin()] does this unless it is told not to.
#'
#' @return a list with both versions of R (`local`, `remote`), the `missing` packages, and a data frame of the `versions` that
#'   differ; invisibly.
#' @examplesIf nzchar(Sys.getenv("OFFSHOOT_SERVER"))
#' remoteLogin(Sys.getenv("OFFSHOOT_SERVER"), diff = FALSE, commandline = FALSE)
#' different <- diffLocalRemote()
#' remoteLogout()
#' @export
diffLocalRemote <- function() {
  require_session()
  here <- installed_packages()
  # The function has no surroundings there.
  list_packages <- `environment<-`(installed_packages, globalenv())
  there <- remote_value(quote(list(r = R.version.string, packages = list_packages())), list(list_packages = list_packages))
  cat("Diff report between local and remote R sessions...\n\n")
  if (identical(there$r, R.version.string)) {
    cat("Local and Remote R versions are the same: ", R.version.string, "\n\n", sep = "")
  } else {
    cat("Warning! Local and Remote R versions differ:\n local: ", R.version.string, "\nremote: ", there$r, "\n\n", sep = "")
  }
  missing <- sort(setdiff(names(here), names(there$packages)))
  if (length(missing) > 0L) {
    cat("These R packages installed on the local machine are not on the remote R instance:\n\n")
    print(data.frame("Missing Packages" = missing, check.names = FALSE), right = TRUE)
    cat("\n\n")
  }
  common <- sort(intersect(names(here), names(there$packages)))
  versions <- data.frame(Package = common, Local = unname(here[common]), Remote = unname(there$packages[common]))
  versions <- versions[versions$Local != versions$Remote, ]
  rownames(versions) <- NULL
  if (nrow(versions) > 0L) {
    cat("These R packages are installed on both machines in different versions:\n\n")
    print(versions)
    cat("\n\n")
  }
  invisible(list(local = R.version.string, remote = there$r, missing = missing, versions = versions))
}

# The versions of the installed packages, by name; of several of one name, the first that library() finds. This is many times
# faster than installed.packages(), which reads all that is said about each.
installed_packages <- function() {
  facts <- function(folder) file.path(folder, "Meta", "package.rds")
  folders <- list.files(.libPaths(), full.names = TRUE)
  folders <- folders[file.exists(facts(folders))]
  folders <- folders[!duplicated(basename(folders))]
  version <- function(folder) tryCatch(readRDS(facts(folder))$DESCRIPTION[["Version"]], error = function(error) NA_character_)
  versions <- structure(vapply(folders, version, ""), names = basename(folders))
  versions[!is.na(versions)]
}
