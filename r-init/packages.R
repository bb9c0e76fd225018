# Packages that are loaded in the zygote, and what they keep of it.

# Package cli counts time by a thread, which no fork copies. It starts none if this variable is set, and its own functions
# for changing the pace start one later. So the packages that need cli can be loaded before the fork.
without_thread <- "CLI_NO_THREAD"
cli_waits <- FALSE

# Returns what is left for each session to do.
load_package <- function(name) {
  was_there <- isNamespaceLoaded("cli")
  if (nzchar(Sys.getenv(without_thread))) {
    loadNamespace(name)
    return(character())
  }
  do.call(Sys.setenv, structure(list("1"), names = without_thread))
  on.exit(Sys.unsetenv(without_thread))
  loadNamespace(name)
  if (was_there || !isNamespaceLoaded("cli")) return(character())
  cli_waits <<- TRUE
  "start the thread by which package cli counts time"
}

start_threads <- function() {
  if (!cli_waits) return(invisible())
  cli <- asNamespace("cli")
  .Call(cli$clic_tick_set, cli$clienv$tick_time, cli$clienv$speed_time)
  .Call(cli$clic_tick_resume, TRUE)
  invisible()
}

# The variables of packages in which the temporary folder of the zygote is named: a list of their environments, with the
# names of the variables. An option has NULL as its environment. The server finds them, once.
places <- NULL
# Environment variables in which it is named.
variables <- character()
# What it is called.
folders <- character()

remember_folder <- function() {
  folders <<- unique(c(normalizePath(tempdir()), tempdir()))
  named <- Sys.getenv()
  named <- names(named)[grepl(basename(tempdir()), named, fixed = TRUE)]
  # This one is R's, and is set in any case.
  variables <<- setdiff(named, "R_SESSION_TMPDIR")
}

# Puts the temporary folder of this session in the place of the zygote's.
take_folder <- function() {
  names <- names(places)
  for (at in seq_along(places)) {
    where <- places[[at]]
    name <- names[[at]]
    if (is.null(where)) {
      options(structure(list(moved(getOption(name))), names = name))
      next
    }
    locked <- bindingIsLocked(name, where)
    if (locked) unlockBinding(name, where)
    assign(name, moved(get(name, envir = where, inherits = FALSE)), envir = where)
    if (locked) lockBinding(name, where)
  }
  for (name in variables) do.call(Sys.setenv, structure(list(moved(Sys.getenv(name))), names = name))
  invisible()
}

# A value with this session's folder instead of the zygote's. Environments have places of their own.
moved <- function(value) {
  if (is.environment(value) || is.function(value)) return(value)
  about <- attributes(value)
  if (is.character(value)) {
    for (folder in folders) value <- gsub(folder, tempdir(), value, fixed = TRUE)
  } else if (is.list(value)) {
    value <- lapply(unclass(value), moved)
  }
  attributes(value) <- lapply(about, moved)
  value
}

# What sessions do first, after the fork.
leave_zygote <- function() {
  if (length(places) > 0L || length(variables) > 0L) take_folder()
  start_threads()
}
