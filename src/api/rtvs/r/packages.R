# Packages: those that are there, those that could be, and the functions in them. Lists, as JSON has no vectors here.

packages.installed <- function() {
  fields <- c("Title", "Description", "Author", "Maintainer", "URL", "BugReports", "Repository", "Published")
  rows_of(utils::installed.packages(fields = fields))
}

packages.available <- function() rows_of(utils::available.packages())

# A matrix of texts as a list of its rows, without what is not known.
rows_of <- function(table) {
  names <- colnames(table)
  rows <- lapply(seq_len(nrow(table)), function(row) {
    values <- table[row, ]
    known <- which(!is.na(values) & !duplicated(names))
    structure(as.list(unname(values[known])), names = names[known])
  })
  rows
}

packages.loaded <- function() as.list(loadedNamespaces())

packages.libpaths <- function() as.list(.libPaths())

# All installed packages with the names of their functions. None is loaded for it.
packages.installed.functions <- function() {
  table <- utils::installed.packages(fields = "Description")
  table <- table[!duplicated(table[, "Package"]), , drop = FALSE]
  Filter(Negate(is.null), lapply(seq_len(nrow(table)), function(row) {
    names <- tryCatch(names_in(table[row, "LibPath"], table[row, "Package"]), error = function(e) NULL)
    if (is.null(names)) return(NULL)
    list(
      Package = table[[row, "Package"]], Description = table[[row, "Description"]], Version = table[[row, "Version"]],
      ExportedFunctions = as.list(names$exported), InternalFunctions = as.list(setdiff(names$all, names$exported))
    )
  }))
}

package.exported.functions.names <- function(package) as.list(names_of(package)$exported)

package.all.functions.names <- function(package) as.list(names_of(package)$all)

names_of <- function(package) {
  if (isNamespaceLoaded(package)) {
    where <- asNamespace(package)
    all <- ls(where)
    exported <- if (package == "base") all else getNamespaceExports(where)
    is_function <- function(name) !bindingIsActive(as.name(name), where) && is.function(get0(name, where, inherits = FALSE))
    all <- Filter(is_function, all)
    return(list(all = all, exported = sort(intersect(exported, all))))
  }
  folder <- find.package(package)
  names_in(dirname(folder), basename(folder))
}

# What an installed package has by its index, in which data is not told from functions.
names_in <- function(library, package) {
  if (package == "base") return(names_of("base"))
  folder <- file.path(library, package)
  index <- file.path(folder, "R", paste0(package, ".rdx"))
  if (!file.exists(index)) return(NULL)
  all <- names(readRDS(index)$variables)
  all <- sort(all[!startsWith(all, ".")])
  about <- file.path(folder, "Meta", "nsInfo.rds")
  if (!file.exists(about)) return(list(all = all, exported = all))
  about <- readRDS(about)
  exported <- about$exports
  for (pattern in about$exportPatterns) exported <- c(exported, grep(pattern, all, value = TRUE))
  list(all = all, exported = sort(intersect(unique(exported), all)))
}

# 1 if this session has loaded the package from that library, or else 0. Others may have it loaded: here, that keeps no files.
package_lock_state <- function(package_name, lib_path = NULL) {
  if (!isNamespaceLoaded(package_name)) return(0L)
  if (is.null(lib_path)) return(1L)
  loaded <- getNamespaceInfo(package_name, "path")
  same <- normalizePath(dirname(loaded), mustWork = FALSE) == normalizePath(lib_path, mustWork = FALSE)
  if (same) 1L else 0L
}

# Removes a package if it is not loaded, and returns its state.
package_uninstall <- function(package_name, lib_path = NULL) {
  state <- package_lock_state(package_name, lib_path)
  if (state != 0L) return(state)
  if (is.null(lib_path)) utils::remove.packages(package_name) else utils::remove.packages(package_name, lib_path)
  host_notify("packages_removed")
  state
}

# Installs a package again if it is not loaded, and returns its state.
package_update <- function(package_name, lib_path = NULL) {
  state <- package_lock_state(package_name, lib_path)
  if (state != 0L) return(state)
  if (is.null(lib_path)) utils::install.packages(package_name) else utils::install.packages(package_name, lib = lib_path)
  state
}
