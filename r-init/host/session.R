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
host_begin <- function(namespace, vanilla, interactive) {
  if (nzchar(namespace)) host_register(namespace)
  options(
    keep.source = nzchar(interactive),
    # Without a user, R would end at an error.
    error = if (!nzchar(interactive)) expression(NULL)
  )
  if (!nzchar(vanilla)) host_profiles()
  invisible()
}

# Reads the profiles that R reads when it starts (?Startup). An error in one of them is told, and harms nobody else.
host_profiles <- function() {
  site <- Sys.getenv("R_PROFILE", NA)
  if (is.na(site)) site <- file.path(R.home("etc"), "Rprofile.site")
  user <- Sys.getenv("R_PROFILE_USER", NA)
  if (is.na(user)) user <- if (file.exists(".Rprofile")) ".Rprofile" else path.expand("~/.Rprofile")
  for (file in c(site, user)) {
    if (!nzchar(file) || !file.exists(file)) next
    tryCatch(sys.source(file, globalenv(), keep.source = FALSE), error = function(e) {
      cat("Error in ", file, ": ", conditionMessage(e), "\n", sep = "", file = stderr())
    })
  }
}

host_save_image <- function() save.image(".RData")
