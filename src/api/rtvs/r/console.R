# What the client sets when it begins, and what R shows by the client from then on.

# What changes while the session runs. `view_env` also has the values that View() shows; the client removes them.
view_env <- new.env()
state <- new.env()
state$viewed <- 0
state$autosave <- FALSE

# No questions in windows of R's own, which would open where nobody sits.
suppress_ui <- function() invisible(options(menu.graphics = FALSE))

# Where packages come from; NULL leaves it as it is.
set_mirror <- function(url) {
  if (is.null(url) || !nzchar(url)) return(invisible())
  others <- getOption("repos")
  options(repos = c(CRAN = url, others[setdiff(names(others), "CRAN")]))
  invisible()
}

open_url <- function(url) {
  host_notify("page", url)
  invisible()
}

# R's pager, whose arguments these are (options(pager)).
show_file <- function(files, header = "", title = "", delete.file = FALSE) {
  header <- rep_len(if (length(header) > 0L) header else "", length(files))
  for (at in seq_along(files)) {
    caption <- if (nzchar(header[[at]])) header[[at]] else title
    host_notify("file", normalizePath(files[[at]], mustWork = FALSE), caption, isTRUE(delete.file))
  }
  invisible()
}

# R's editor (options(editor)), of a value or of a file. A value is edited as code.
edit_file <- function(name = NULL, file = "", title = "") {
  if (is.null(name) && nzchar(file)) {
    path <- normalizePath(file, mustWork = FALSE)
    if (!file.exists(path)) file.create(path)
    text <- host_ask("edit", NULL, path)
    if (is.null(text)) return(invisible())
    writeBin(charToRaw(enc2utf8(text)), path)
    return(invisible())
  }
  text <- host_ask("edit", paste(deparse(name), collapse = "\n"), NULL)
  if (is.null(text)) return(name)
  edited <- eval(parse(text = text, keep.source = getOption("keep.source"), encoding = "UTF-8"), globalenv())
  if (is.function(edited) && is.function(name)) environment(edited) <- environment(name)
  edited
}

# Takes the place of R's own function, also for the packages.
setwd <- function(dir) {
  before <- .Internal(setwd(dir))
  host_notify("folder", getwd())
  invisible(before)
}

# With 0, View() shows the value as it is now, and with 1 as it will be.
set_view_mode <- function(mode) {
  view_env$view_mode <- mode
  invisible()
}

# What is more than a line is shown by the client, and the rest by R.
view <- function(x, title) {
  code <- paste(deparse(substitute(x), backtick = TRUE), collapse = "\n")
  if (missing(title)) title <- code
  if (!is.function(x) && length(dim(x)) == 0L && !is.list(x) && length(x) <= 1L) return(invisible(print(x)))
  if (!is.function(x) && !identical(as.numeric(view_env$view_mode), 1)) {
    state$viewed <- state$viewed + 1
    name <- paste0("x", state$viewed)
    assign(name, x, envir = view_env)
    code <- paste0("rtvs:::view_env$", name)
  }
  host_notify("view", code, title)
  invisible()
}

# The caller's call, of R's own function instead of ours, evaluated there: such functions look at what was written.
forward <- function(call, to, where) {
  call[[1L]] <- to
  eval(call, where)
}

# Without arguments, the client lists the packages.
library <- function() {
  if (nargs() == 0L) {
    host_notify("packages")
    return(invisible())
  }
  forward(sys.call(), quote(base::library), parent.frame())
}
formals(library) <- formals(base::library)

# The client may hold files of packages, and looks at them again afterwards.
install.packages <- function() {
  host_ask("before_packages")
  on.exit(host_ask("after_packages"))
  forward(sys.call(), quote(utils::install.packages), parent.frame())
}
formals(install.packages) <- formals(utils::install.packages)

remove.packages <- function() {
  on.exit(host_notify("packages_removed"))
  forward(sys.call(), quote(utils::remove.packages), parent.frame())
}
formals(remove.packages) <- formals(utils::remove.packages)

redirected <- "rtvs::redirected"

# Puts our functions before R's own.
redirect_functions <- function(...) {
  if (redirected %in% search()) return(invisible())
  functions <- list(View = view, library = library, install.packages = install.packages, remove.packages = remove.packages)
  attach(functions, name = redirected, warn.conflicts = FALSE)
  invisible()
}

# The workspace of a session whose client has left without a word is there in the next one.
autosave_file <- function() path.expand("~/.Autosave.RData")

# Asks whether to load it. Answers whether it can be removed.
query_reload_autosave <- function() {
  file <- autosave_file()
  if (!file.exists(file)) return(FALSE)
  question <- paste0(
    "When the connection to the last session was lost, its workspace was saved in ", file, ". Load it now? ",
    "With No, it is removed without being loaded."
  )
  answer <- host_ask("confirm", question, "yes_no_cancel")
  if (!identical(answer, "yes")) return(identical(answer, "no"))
  tryCatch({
    load(file, envir = globalenv())
    TRUE
  }, error = function(e) {
    host_notify("message", paste0("The workspace in ", file, " cannot be loaded: ", conditionMessage(e)))
    FALSE
  })
}

enable_autosave <- function(delete_existing) {
  if (isTRUE(delete_existing)) {
    unlink(autosave_file())
    host_notify("workspace_taken")
  }
  state$autosave <- TRUE
  invisible()
}

# What is done when the client has left.
autosave <- function() if (state$autosave) save_state()

# Another session may have the file, which stays whole.
save_state <- function() {
  names <- ls(globalenv(), all.names = TRUE)
  if (length(setdiff(names, ".Random.seed")) == 0L) return(invisible())
  file <- autosave_file()
  draft <- tempfile(".Autosave", tmpdir = dirname(file))
  on.exit(unlink(draft))
  save(list = names, file = draft, envir = globalenv())
  file.rename(draft, file)
  host_notify("workspace_left")
}
