# Files of the remote working folder.

#' Files of the remote working folder
#'
#' `listRemoteFiles()` tells what is there, `putLocalFile()` brings a file there, `getRemoteFile()` brings one here, and
#' `deleteRemoteFile()` removes one. Files of any size go either way without being held in memory.
#'
#' @param filename a file. Of a path, `getRemoteFile()` and `deleteRemoteFile()` look at the last part only, and
#'   `putLocalFile()` names the remote file so.
#' @param as whether the content is returned as `"text"` or as `"raw"` bytes.
#' @param destination the file here that the content is written to; `NULL` for none.
#' @return `listRemoteFiles()` gives names. `getRemoteFile()` gives the content, invisibly; `NULL` if it is larger than 64 MiB, or is
#'   no text and `as` is `"text"`. The others give `TRUE`, invisibly.
#' @seealso [getRemoteObject()] for objects
#' @examplesIf nzchar(Sys.getenv("OFFSHOOT_SERVER"))
#' remoteLogin(Sys.getenv("OFFSHOOT_SERVER"), diff = FALSE, commandline = FALSE)
#' file <- file.path(tempdir(), "cars.csv")
#' write.csv(cars, file, row.names = FALSE)
#' putLocalFile(file)
#' remoteExecute("nrow(read.csv('cars.csv'))")
#' listRemoteFiles()
#' substr(getRemoteFile("cars.csv", destination = NULL), 1, 14)
#' deleteRemoteFile("cars.csv")
#' remoteLogout()
#' @export
listRemoteFiles <- function() as.character(unlist(send_json("GET", session_path("files"))))

#' @rdname listRemoteFiles
#' @export
putLocalFile <- function(filename) {
  one_text(filename)
  if (!file.exists(filename) || dir.exists(filename)) fail("offshoot_invalid", "There is no file \"", filename, "\".")
  send("POST", session_path("files"), form = curl::form_file(filename, type = "application/octet-stream"))
  invisible(TRUE)
}

# Up to which size the content of a file is also returned, in bytes.
RETURNED_UP_TO <- 64 * 1024^2

#' @rdname listRemoteFiles
#' @export
getRemoteFile <- function(filename, as = c("text", "raw"), destination = basename(filename)) {
  as <- match.arg(as)
  name <- basename(one_text(filename))
  file <- if (is.null(destination)) tempfile() else one_text(destination)
  if (is.null(destination)) on.exit(unlink(file))
  send("GET", session_path("files", name), into = file)
  size <- file.size(file)
  content <- if (is.null(destination) || size <= RETURNED_UP_TO) readBin(file, "raw", size)
  if (as == "text" && !is.null(content)) content <- if (!any(content == as.raw(0L))) utf8(content)
  invisible(content)
}

#' @rdname listRemoteFiles
#' @export
deleteRemoteFile <- function(filename) {
  send("DELETE", session_path("files", basename(one_text(filename))))
  invisible(TRUE)
}
