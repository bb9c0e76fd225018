# Files that go from the client to the session, and back.

# Puts what the client has sent into a file of that name, and returns its path.
save_to_temp_folder <- function(blob_id, file_name) {
  name <- basename(file_name)
  if (!nzchar(name) || name %in% c(".", "..")) stop("'", file_name, "' is no name for a file", call. = FALSE)
  path <- file.path(tempdir(check = TRUE), name)
  writeBin(host_blob_get(blob_id), path)
  path
}

# Unpacks a project, which the client has sent as a ZIP archive, into a folder of its name.
save_to_project_folder <- function(blob_id, project_name, dest_dir) {
  archive <- tempfile("project", fileext = ".zip")
  on.exit(unlink(archive))
  writeBin(host_blob_get(blob_id), archive)
  folder <- file.path(path.expand(dest_dir), project_name)
  names <- utils::unzip(archive, list = TRUE)$Name
  parts <- strsplit(names, "[/\\\\]")
  outside <- grepl("^[/\\\\]|^[A-Za-z]:", names) | vapply(parts, function(part) ".." %in% part, NA)
  if (any(outside)) stop("the archive has '", names[outside][[1L]], "', which would not be in the folder of the project", call. = FALSE)
  dir.create(folder, showWarnings = FALSE, recursive = TRUE)
  utils::unzip(archive, exdir = folder)
  # Clients on Windows may name their folders so. Here it is all one name.
  for (name in grep("\\", names, fixed = TRUE, value = TRUE)) {
    unpacked <- file.path(folder, name)
    if (!file.exists(unpacked)) next
    moved <- file.path(folder, gsub("\\", "/", name, fixed = TRUE))
    dir.create(dirname(moved), showWarnings = FALSE, recursive = TRUE)
    file.rename(unpacked, moved)
  }
  folder
}

# Sends a file to the client, into its folder of downloads if no path there is given.
fetch_file <- function(remotePath, localPath = "", silent = FALSE) {
  path <- path.expand(remotePath)
  if (!file.exists(path)) stop("there is no file '", remotePath, "'", call. = FALSE)
  if (dir.exists(path)) stop("'", remotePath, "' is a folder", call. = FALSE)
  blob <- create_compressed_blob(bytes_of_file(path))
  host_notify("fetch", path, blob, if (is.null(localPath)) "" else localPath, isTRUE(silent))
  invisible()
}

# A table as CSV, in a compressed blob.
export_to_csv <- function(value, sep = ",", dec = ".") {
  file <- tempfile(fileext = ".csv")
  on.exit(unlink(file))
  if (!is.data.frame(value)) value <- as.data.frame(value)
  utils::write.table(value, file, sep = sep, dec = dec, qmethod = "double", col.names = NA)
  create_compressed_blob(bytes_of_file(file))
}

# A plot as a picture, in a blob. `device` is one of R's functions: png, bmp, jpeg, tiff.
export_to_image <- function(device_id, plot_id, device, width, height, resolution) {
  create_blob(history_export(device_id, plot_id, function(file) {
    device(filename = file, width = width, height = height, res = resolution)
  }))
}

# A plot as a PDF, in a blob. `device` is pdf or cairo_pdf, and the measures are inches.
export_to_pdf <- function(device_id, plot_id, device = grDevices::pdf, width, height, paper) {
  # Some clients name no device.
  if (is.numeric(device)) return(export_to_pdf(device_id, plot_id, grDevices::pdf, device, width))
  paper <- if (!missing(paper)) list(paper = paper)
  create_blob(history_export(device_id, plot_id, function(file) {
    do.call(device, c(list(file, width = width, height = height), paper))
  }))
}

# Makes a document of an R Markdown file that the client has sent, and returns it as a blob.
rmarkdown_publish <- function(blob_id, output_format, encoding = "UTF-8") {
  if (!requireNamespace("rmarkdown", quietly = TRUE)) stop("package rmarkdown is not installed", call. = FALSE)
  folder <- tempfile("document")
  dir.create(folder)
  on.exit(unlink(folder, recursive = TRUE))
  source <- file.path(folder, "document.Rmd")
  writeBin(in_utf8(host_blob_get(blob_id), encoding), source)
  made <- rmarkdown::render(source, output_format = output_format, quiet = TRUE, envir = new.env(parent = globalenv()))
  create_blob(bytes_of_file(made))
}

# Bytes of a text, in UTF-8 without a mark. Code page 65001 is UTF-8.
in_utf8 <- function(bytes, encoding) {
  if (!(tolower(encoding) %in% c("cp65001", "utf-8", "utf8"))) {
    bytes <- iconv(list(bytes), encoding, "UTF-8", toRaw = TRUE)[[1L]]
    if (is.null(bytes)) stop("the document is not in the encoding ", encoding, call. = FALSE)
  }
  mark <- as.raw(c(0xef, 0xbb, 0xbf))
  if (identical(utils::head(bytes, 3L), mark)) utils::tail(bytes, -3L) else bytes
}

executable_exists_on_path <- function(name) nzchar(Sys.which(name)[[1L]])

exists_on_path <- function(name) any(file.exists(file.path(strsplit(Sys.getenv("PATH"), .Platform$path.sep, fixed = TRUE)[[1L]], name)))
