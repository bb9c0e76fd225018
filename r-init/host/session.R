# The beginning of an interactive life, and what is done at each prompt.

# Namespaces that clients call functions of, by their names. A session registers the one that its client names.
host_namespaces <- list()

# Makes a namespace of R code, in the process from which sessions are forked. What the code may use of ours is in its imports.
host_make_namespace <- function(name, version, code) {
  imports <- new.env(parent = .BaseNamespaceEnv, hash = TRUE)
  attr(imports, "name") <- paste0("imports:", name)
  ours <- parent.env(environment())
  for (own in ls(ours)) if (is.function(ours[[own]])) imports[[own]] <- ours[[own]]
  namespace <- new.env(parent = imports, hash = TRUE)
  info <- new.env(hash = TRUE, parent = baseenv())
  info$spec <- c(name = name, version = version)
  info$exports <- new.env(hash = TRUE, parent = baseenv())
  info$imports <- list(base = TRUE)
  info$path <- ""
  info$dynlibs <- NULL
  info$S3methods <- matrix(NA_character_, 0L, 4L)
  namespace$.__NAMESPACE__. <- info
  namespace$.__S3MethodsTable__. <- new.env(hash = TRUE, parent = baseenv())
  namespace$.packageName <- name
  for (expression in parse(text = code, keep.source = FALSE, encoding = "UTF-8")) eval(expression, namespace)
  host_namespaces[[name]] <<- namespace
  invisible()
}

# Those functions that `exported` of a namespace names are reached by `::`, and all by `:::`.
host_register <- function(name) {
  namespace <- host_namespaces[[name]]
  if (is.null(namespace)) stop("there is no namespace '", name, "'", call. = FALSE)
  exported <- get0("exported", namespace, inherits = FALSE)
  info <- namespace$.__NAMESPACE__.
  for (own in exported) info$exports[[own]] <- c(own, use.names = FALSE)
  info$path <- host_package_folder(info$spec)
  .Internal(registerNamespace(name, namespace))
}

# A folder with what R reads of each package that is loaded, for example when it looks for help.
host_package_folder <- function(spec) {
  folder <- file.path(tempdir(check = TRUE), "packages", spec[["name"]])
  dir.create(folder, recursive = TRUE)
  writeLines(paste0(c("Package: ", "Version: "), spec[c("name", "version")]), file.path(folder, "DESCRIPTION"))
  folder
}

# Everything comes as text.
host_begin <- function(namespace, interactive) {
  if (nzchar(namespace)) host_register(namespace)
  options(
    keep.source = nzchar(interactive),
    # Without a user, R would end at an error.
    error = if (!nzchar(interactive)) expression(NULL)
  )
  invisible()
}

# Does what R does when it starts (?Startup), as its command line says: reads the profiles and the workspace of the working folder, and
# calls .First(). An error is told, and ends only what it is in.
host_start <- function() {
  arguments <- commandArgs()
  given <- setdiff(arguments[cumsum(arguments == "--args") == 0L], "--args")
  without <- function(...) any(c("--vanilla", ...) %in% given)
  if (!without("--no-site-file")) host_profile(Sys.getenv("R_PROFILE", file.path(R.home("etc"), "Rprofile.site")))
  if (!without("--no-init-file")) {
    usual <- if (file.exists(".Rprofile")) ".Rprofile" else path.expand("~/.Rprofile")
    host_profile(Sys.getenv("R_PROFILE_USER", usual))
  }
  if (!without("--no-restore", "--no-restore-data") && file.exists(".RData")) {
    if (host_tries(".RData", load(".RData", globalenv())) && !any(c("-q", "--quiet", "--silent") %in% given)) {
      cat(gettext("[Previously saved workspace restored]", domain = "R"), "\n\n", sep = "")
    }
  }
  if (is.function(first <- get0(".First", globalenv(), inherits = FALSE))) host_tries(".First()", first())
}

host_profile <- function(file) {
  if (nzchar(file) && file.exists(file)) host_tries(file, sys.source(file, globalenv(), keep.source = FALSE))
}

# Evaluates `code`. Whether there was no error; one is told with where it was, and so are warnings.
host_tries <- function(where, code) {
  tell <- function(kind, condition) cat(kind, " in ", where, ": ", conditionMessage(condition), "\n", sep = "", file = stderr())
  tryCatch(withCallingHandlers({
    code
    TRUE
  }, warning = function(w) {
    if (getOption("warn") >= 2L) return()
    if (getOption("warn") >= 0L) tell("Warning", w)
    tryInvokeRestart("muffleWarning")
  }), error = function(e) {
    tell("Error", e)
    FALSE
  })
}

host_save_image <- function() save.image(".RData")
