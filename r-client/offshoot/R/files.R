# Files of the remote working folder.

#' Files of the remote working folder
#'
#' @return `listRemoteFiles()` gives their names; the others TRUE, but `getRemoteFile()` the content, if it is not to be written to a
#'   file.
#' @param filename the name of a file. Folders before it are those of this machine.
#' @param as "text" or "raw".
#' @param destination a file here to write to, for contents of any size; NULL to return the content.
listRemoteFiles <- function() as.character(unlist(send_json("GET", session_path("files"))))

putLocalFile <- function(filename) {
  if (!file.exists(filename)) fail("offshoot_invalid", "There is no file \"", filename, "\".")
  send("POST", session_path("files"), file = curl::form_file(filename, type = "application/octet-stream", name = basename(filename)))
  invisible(TRUE)
}

getRemoteFile <- function(filename, as = c("text", "raw"), destination = NULL) {
  as <- match.arg(as)
  path <- session_path("files", basename(filename))
  if (!is.null(destination)) {
    send("GET", path, into = destination)
    return(invisible(TRUE))
  }
  content <- send("GET", path)
  if (as == "raw") content else utf8(content)
}

deleteRemoteFile <- function(filename) {
  send("DELETE", session_path("files", basename(filename)))
  invisible(TRUE)
}
