# What a session is given when it starts, in its own process, after the fork.

# Where R looks for packages, before a session has a folder of its own for them.
libraries <- .libPaths()

begin_session <- function() {
  # As .libPaths() would, which looks at each folder again.
  assign(".lib.loc", c(Sys.getenv("R_LIBS_USER"), libraries), envir = environment(.libPaths))
  # A seed of the zygote would make all sessions draw the same numbers.
  if (exists(".Random.seed", envir = globalenv(), inherits = FALSE)) {
    rm(".Random.seed", envir = globalenv())
  }
  setTimeLimit()
  invisible()
}

r_version <- function() paste(R.version$major, R.version$minor, sep = ".")

# Where R and its packages are, so that sessions may read there.
r_places <- function() c(vapply(c("home", "share", "doc", "include"), R.home, ""), libraries)

# Where packages are installed from. The first is R's usual one: packages ask for it by this name.
use_repositories <- function(first, ...) {
  if (!missing(first)) options(repos = c(CRAN = first, ...))
}

# Before the first fork: what is garbage now would be copied into every session that touches its pages.
settle <- function() {
  # What this process has warned of is not for `warnings()` in a session.
  assign("last.warning", NULL, envir = baseenv())
  gc(full = TRUE)
  invisible()
}

# Nobody is there to write: an editor would hold the session until its time is up.
options(editor = function(...) stop("there is no editor in an R session of a server", call. = FALSE))
