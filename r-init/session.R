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

# Where packages are installed from. The first is R's usual one: packages ask for it by this name. Others are called by their places.
use_repositories <- function(...) {
  repositories <- c(...)
  if (length(repositories) == 0L) return(invisible())
  places <- sub("^[a-z]+:/+([^/:]*).*$", "\\1", repositories)
  options(repos = structure(repositories, names = make.unique(c("CRAN", places[-1L]))))
}

# Fits two small models and does with them what people do: prints, predicts, saves and loads them. What R reads from disk for
# that, it has read before the first fork.
warm_statistics <- function() {
  data <- data.frame(y = c(1.1, 1.9, 3.2, 3.9, 5.1, 6.2), x = 1:6, group = factor(c("a", "b", "a", "b", "a", "b")))
  line <- stats::lm(y ~ x + group, data)
  curve <- stats::glm(c(0, 0, 1, 0, 1, 1) ~ x, stats::binomial(), data)
  utils::capture.output(print(line), print(summary(line)), print(summary(curve)), print(stats::anova(line)), print(data), utils::str(data))
  stats::predict(line, data[1:2, ], interval = "confidence")
  stats::predict(curve, data.frame(x = 2.5), type = "response")
  stats::residuals(curve)
  stats::aggregate(y ~ group, data, mean)
  stats::quantile(data$y)
  tapply(data$y, data$group, mean)
  merge(data, data[1:2, ], by = "x")
  do.call(rbind, lapply(split(data, data$group), function(part) part[1L, ]))
  file <- tempfile()
  on.exit(unlink(file))
  # As an image comes into a session.
  .warm <- list(line, curve)
  write_names(".warm", file, environment())
  load_stored(file, "")
  rm(".warm", envir = globalenv())
  restore_session(getwd(), "")
  saveRDS(line, file)
  readRDS(file)
  utils::write.csv(data, file, row.names = FALSE)
  utils::read.csv(file)
  invisible()
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
