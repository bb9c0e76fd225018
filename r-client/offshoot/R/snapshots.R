# Snapshots of the remote session.

#' Snapshots: what a remote session has, kept on the server
#'
#' @param name what the snapshot is called.
#' @param snapshot_id the identity of a snapshot, or what `createSnapshot()` has returned.
#' @param file a file for the ZIP; NULL to return its bytes.
#' @return `createSnapshot()` gives a list with `snapshotId`, `listSnapshots()` a data frame, the others TRUE.
createSnapshot <- function(name = NULL) {
  body <- if (is.null(name)) "{}" else members(list(name = as_json(name, TRUE)))
  send_json("POST", session_path("snapshot"), body)
}

loadSnapshot <- function(snapshot_id) {
  send("POST", session_path("loadsnapshot", snapshot_of(snapshot_id)))
  invisible(TRUE)
}

listSnapshots <- function() {
  listed <- send_json("GET", "/snapshots")
  data.frame(
    id = vapply(listed, function(one) one$id, ""), name = vapply(listed, function(one) one$name, ""),
    owner = vapply(listed, function(one) one$owner, ""), creationTime = vapply(listed, function(one) one$creationTime, ""),
    contentSize = vapply(listed, function(one) as.numeric(one$contentSize), 0)
  )
}

downloadSnapshot <- function(snapshot_id, file = NULL) {
  path <- paste0("/snapshots", encoded(snapshot_of(snapshot_id)))
  if (is.null(file)) return(send("GET", path))
  send("GET", path, into = file)
  invisible(TRUE)
}

deleteSnapshot <- function(snapshot_id) {
  send("DELETE", paste0("/snapshots", encoded(snapshot_of(snapshot_id))))
  invisible(TRUE)
}

snapshot_of <- function(snapshot) if (is.list(snapshot)) snapshot$snapshotId else snapshot
