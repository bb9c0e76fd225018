# Objects: from this R to the remote one, and back.

#' Objects of the remote session
#'
#' `putLocalObject()` brings objects to the remote session, and `getRemoteObject()` brings them here. Any object of R goes either
#' way as it is: models, functions with their closures, environments, S4 and reference objects. `putLocalWorkspace()` and
#' `getRemoteWorkspace()` bring all that [ls()] shows in the global environment.
#'
#' @param obj names of objects.
#' @param name the name of a list that has them on the other side; `NULL` for the global environment.
#' @return the objects by name, invisibly; for a workspace, the names.
#' @seealso [listRemoteFiles()] for files
#' @examplesIf nzchar(Sys.getenv("OFFSHOOT_SERVER"))
#' remoteLogin(Sys.getenv("OFFSHOOT_SERVER"), diff = FALSE, commandline = FALSE)
#' frame <- data.frame(x = 1:5, y = c(2.1, 3.9, 6.2, 7.8, 10.1))
#' putLocalObject("frame")
#' remoteExecute("fit <- lm(y ~ x, frame)")
#' fit <- getRemoteObject("fit")$fit
#' round(coef(fit), 2)
#' remoteLogout()
#' @export
getRemoteObject <- function(obj, name = NULL) {
  require_names(obj, name)
  objects <- structure(lapply(obj, fetch_object), names = obj)
  into <- objects
  if (!is.null(name)) {
    into <- as.list(get0(name, globalenv(), inherits = FALSE))
    into[obj] <- objects
    into <- structure(list(into), names = name)
  }
  list2env(into, globalenv())
  invisible(objects)
}

#' @rdname getRemoteObject
#' @export
putLocalObject <- function(obj, name = NULL) {
  require_names(obj, name)
  where <- parent.frame()
  missing <- obj[!vapply(obj, exists, NA, envir = where)]
  if (length(missing) > 0L) fail("offshoot_invalid", "There is no object ", paste(sQuote(missing, FALSE), collapse = ", "), " here.")
  objects <- mget(obj, envir = where, inherits = TRUE)
  if (is.null(name)) {
    for (one in obj) put_object(one, objects[[one]])
  } else {
    put_object(name, objects)
  }
  invisible(objects)
}

#' @rdname getRemoteObject
#' @export
getRemoteWorkspace <- function() {
  names <- as.character(unlist(send_json("GET", session_path("workspace"))))
  getRemoteObject(names)
  invisible(names)
}

#' @rdname getRemoteObject
#' @export
putLocalWorkspace <- function() {
  names <- ls(globalenv())
  for (name in names) put_object(name, get(name, globalenv()))
  invisible(names)
}

# An object is easily given in place of its name.
require_names <- function(obj, name) {
  if (!is.character(obj) || anyNA(obj) || !all(nzchar(obj))) {
    fail("offshoot_invalid", "Objects are given by their names: \"x\", or c(\"x\", \"y\").")
  }
  if (!is.null(name)) one_text(name, "A list")
}

# An object goes by way of a file, either way, so that it is in memory once.
fetch_object <- function(name) {
  file <- tempfile(fileext = ".RData")
  on.exit(unlink(file))
  send("GET", session_path("workspace", name), into = file)
  objects <- new.env(parent = emptyenv())
  load(file, objects)
  get(name, objects, inherits = FALSE)
}

put_object <- function(name, object) {
  file <- tempfile(fileext = ".rds")
  on.exit(unlink(file))
  connection <- base::file(file, "wb")
  tryCatch(serialize(object, connection, xdr = FALSE), finally = close(connection))
  send("POST", session_path("workspace", name), file = file)
}
