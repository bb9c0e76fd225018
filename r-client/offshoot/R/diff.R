# How this R and the remote one differ.

#' Report how this R and the remote one differ
#'
#' @return a list with `local` and `remote` versions, `missing` packages and `versions` of packages that differ, invisibly.
diffLocalRemote <- function() {
  code <- ".offshoot <- local({ p <- installed.packages(fields = 'Version')[, c('Package', 'Version'), drop = FALSE]
    p <- p[!duplicated(p[, 1L]), , drop = FALSE]; list(r = R.version.string, package = unname(p[, 1L]), version = unname(p[, 2L])) })
    .offshoot_r <- .offshoot$r; .offshoot_p <- .offshoot$package; .offshoot_v <- .offshoot$version; rm(.offshoot)"
  told <- execute(code, outputs = c(".offshoot_r", ".offshoot_p", ".offshoot_v"), echo = FALSE)$outputParameters
  execute("rm(.offshoot_r, .offshoot_p, .offshoot_v)", echo = FALSE)
  here <- utils::installed.packages()[, c("Package", "Version"), drop = FALSE]
  here <- here[!duplicated(here[, 1L]), , drop = FALSE]
  cat("Diff report between local and remote R sessions...\n\n")
  if (identical(told$.offshoot_r, R.version.string)) {
    cat("Local and Remote R versions are the same:", R.version.string, "\n\n")
  } else {
    cat("Warning! Local and Remote R versions differ:\n local: ", R.version.string, "\nremote: ", told$.offshoot_r, "\n\n", sep = "")
  }
  missing <- sort(setdiff(here[, "Package"], told$.offshoot_p))
  if (length(missing) > 0L) {
    cat("These R packages installed on the local machine are not on the remote R instance:\n\n")
    print(data.frame("Missing Packages" = missing, check.names = FALSE), right = TRUE)
    cat("\n\n")
  }
  common <- intersect(here[, "Package"], told$.offshoot_p)
  local <- here[match(common, here[, "Package"]), "Version"]
  remote <- told$.offshoot_v[match(common, told$.offshoot_p)]
  versions <- data.frame(Package = common, Local = unname(local), Remote = remote)[local != remote, , drop = FALSE]
  if (nrow(versions) > 0L) {
    versions <- versions[order(versions$Package), ]
    rownames(versions) <- NULL
    cat("The versions of these R packages installed on both machines differ:\n\n")
    print(versions)
    cat("\n\n")
  }
  invisible(list(local = R.version.string, remote = told$.offshoot_r, missing = missing, versions = versions))
}
