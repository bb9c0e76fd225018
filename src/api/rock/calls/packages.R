# What the dialect shows of packages. Evaluated in a session of its own, which has the name of the package that
# is asked for, if one is, in `.arguments`.

methods <- c("AggregateMethods", "AssignMethods", "Options")

installed <- function() {
  utils::installed.packages(
    fields = c("Title", "Description", "Author", "Maintainer", "Date/Publication", methods)
  )
}

# As an object with the names and the cells apart. I() keeps a single one in an array.
installed_as_rows <- function() {
  packages <- installed()
  list(
    rowNames = I(unname(rownames(packages))),
    columnNames = I(colnames(packages)),
    rows = unname(packages)
  )
}

described <- function() suppressWarnings(utils::packageDescription(.arguments))

# As an object of texts; NULL for a package that is not there.
described_as_texts <- function() {
  description <- described()
  if (!is.list(description)) return(NULL)
  c(list(name = .arguments), lapply(unclass(description), paste, collapse = "\n"))
}

# The methods that packages declare for DataSHIELD, in their descriptions or in a file of that name.
declared <- function() {
  split <- function(text) {
    names <- if (is.na(text)) character() else trimws(strsplit(text, ",", fixed = TRUE)[[1L]])
    names[nzchar(names)]
  }
  packages <- installed()
  found <- list()
  for (at in which(!duplicated(rownames(packages)))) {
    texts <- packages[at, methods]
    file <- file.path(packages[at, "LibPath"], rownames(packages)[[at]], "DATASHIELD")
    if (all(is.na(texts)) && file.exists(file)) {
      texts <- read.dcf(file, fields = methods)[1L, ]
    }
    if (!all(is.na(texts))) {
      found[[rownames(packages)[[at]]]] <- lapply(stats::setNames(as.list(texts), methods), split)
    }
  }
  found
}

declared_as_arrays <- function() rapply(declared(), I, how = "list")
