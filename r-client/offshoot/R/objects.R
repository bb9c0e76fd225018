# Objects: from this R to the remote one, and back.

#' Get objects of the remote session, and put objects there
#'
#' Any object of R goes either way: models, functions with their closures, environments, S4 objects.
#'
#' @param obj names of objects.
#' @param name the name of a list that has them on the other side; NULL for the global environment.
#' @return the objects, by name, invisibly.
getRemoteObject <- function(obj, name = NULL) {
  objects <- structure(lapply(obj, fetch_object), names = obj)
  if (is.null(name)) {
    list2env(objects, globalenv())
  } else {
    known <- if (exists(name, globalenv(), inherits = FALSE)) get(name, globalenv()) else list()
    assign(name, utils::modifyList(as.list(known), objects, keep.null = TRUE), globalenv())
  }
  invisible(objects)
}

putLocalObject <- function(obj, name = NULL) {
  missing <- obj[!vapply(obj, exists, NA, envir = globalenv())]
  if (length(missing) > 0L) fail("offshoot_invalid", "There is no object ", paste(sQuote(missing, FALSE), collapse = ", "), " here.")
  objects <- mget(obj, envir = globalenv(), inherits = TRUE)
  if (is.null(name)) {
    for (one in obj) put_object(one, objects[[one]])
  } else {
    put_object(name, objects)
  }
  invisible(objects)
}

#' Get and put whole workspaces
#'
#' @return the names of the objects, invisibly.
getRemoteWorkspace <- function() {
  names <- as.character(unlist(send_json("GET", session_path("workspace"))))
  getRemoteObject(names)
  invisible(names)
}

putLocalWorkspace <- function() {
  names <- ls(globalenv())
  putLocalObject(names)
  invisible(names)
}

# A file of save(), which may be large, goes by a file.
fetch_object <- function(name) {
  file <- tempfile(fileext = ".RData")
  on.exit(unlink(file))
  send("GET", session_path("workspace", name), into = file)
  into <- new.env()
  load(file, into)
  get(name, into)
}

put_object <- function(name, object) {
  send("POST", session_path("workspace", name), body = serialize(object, NULL, xdr = FALSE), type = "application/octet-stream")
}
