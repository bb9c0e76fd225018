# Snapshots of the remote session.

#' Snapshots of the remote session
#'
#' A snapshot keeps what a session has: its objects, the files of its working folder, the packages that it has installed, and which
#' are attached. `loadSnapshot()` brings all of that into the session that is there, where it replaces what has the same names. A
#' snapshot stays on the server until it is deleted, and nobody else sees it. `createSnapshot()` and `loadSnapshot()` need a
#' session, the others only a login.
#'
#' @param name what the snapshot is called.
#' @param snapshot_id the identity of a snapshot, or what `createSnapshot()` has returned.
#' @param file a file here for the ZIP archive; `NULL` to return its bytes.
#' @return `createSnapshot()` gives a list with `snapshotId`; `listSnapshots()` the identities, which print with their names and
#'   sizes, and become a data frame with all of that by [as.data.frame()]; `downloadSnapshot()` bytes, or `TRUE`; the others
#'   `TRUE`, invisibly.
#' @examplesIf nzchar(Sys.getenv("OFFSHOOT_SERVER"))
#' remoteLogin(Sys.getenv("OFFSHOOT_SERVER"), diff = FALSE, commandline = FALSE)
#' remoteExecute("fit <- lm(dist ~ speed, cars)")
#' snapshot <- createSnapshot("with a model")
#' remoteExecute("rm(fit)")
#' loadSnapshot(snapshot)
#' remoteExecute("class(fit)")
#' deleteSnapshot(snapshot)
#' remoteLogout()
#' @export
createSnapshot <- function(name = NULL) {
  send_json("POST", session_path("snapshot"), if (is.null(name)) "{}" else list(name = name))
}

#' @rdname createSnapshot
#' @export
loadSnapshot <- function(snapshot_id) {
  send("POST", session_path("loadsnapshot", snapshot_of(snapshot_id)))
  invisible(TRUE)
}

#' @rdname createSnapshot
#' @export
listSnapshots <- function() {
  listed <- send_json("GET", "/snapshots")
  field <- function(name, kind) vapply(listed, function(one) as.vector(one[[name]], mode(kind)), kind)
  details <- data.frame(
    id = field("id", ""), name = field("name", ""), owner = field("owner", ""), creationTime = field("creationTime", ""),
    contentSize = field("contentSize", 0)
  )
  structure(details$id, details = details, class = "snapshots")
}

#' @rdname createSnapshot
#' @export
downloadSnapshot <- function(snapshot_id, file = NULL) {
  path <- paste0("/snapshots", encoded(snapshot_of(snapshot_id)))
  if (is.null(file)) return(send("GET", path))
  send("GET", path, into = file)
  invisible(TRUE)
}

#' @rdname createSnapshot
#' @export
deleteSnapshot <- function(snapshot_id) {
  send("DELETE", paste0("/snapshots", encoded(snapshot_of(snapshot_id))))
  invisible(TRUE)
}

# The identity of a snapshot.
snapshot_of <- function(snapshot) {
  id <- if (is.list(snapshot)) snapshot$snapshotId else as.character(snapshot)
  if (!is.character(id) || length(id) != 1L) fail("offshoot_invalid", "A snapshot is named by its identity, or by what createSnapshot() has returned.")
  id
}

#' @export
print.snapshots <- function(x, ...) {
  if (length(x) == 0L) cat("No snapshots.\n") else print(as.data.frame(x), ...)
  invisible(x)
}

#' @export
as.data.frame.snapshots <- function(x, ...) attr(x, "details")
