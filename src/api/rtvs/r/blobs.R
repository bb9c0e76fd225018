# Values for the client: as JSON, and as blobs, which are bytes that both sides know by a number.

# The client asks for this, and knows what the functions here do by it.
version <- 1

# What can be called as `rtvs::name`.
exported <- c("debug_source", "fetch_file")

toJSON <- function(value) host_json(value)

create_blob <- function(data) {
  if (!is.raw(data)) stop("a blob has to be made of a raw vector", call. = FALSE)
  host_blob_create(data)
}

# The client unpacks it when it has it.
create_compressed_blob <- function(data) {
  if (!is.raw(data)) stop("a blob has to be made of a raw vector", call. = FALSE)
  host_blob_create(zipped(data))
}

get_blob <- function(blob_id) host_blob_get(blob_id)

destroy_blob <- function(blob_id) invisible(host_blob_destroy(blob_id))

# A ZIP archive with one entry, `data`. R's own gzip files have what it takes: the compressed bytes, their sum and their number.
zipped <- function(data) {
  file <- tempfile("zipped")
  on.exit(unlink(file))
  to <- gzfile(file, "wb")
  writeBin(data, to)
  close(to)
  gzip <- readBin(file, "raw", file.size(file))
  size <- length(gzip)
  # Ten bytes of a header without options, then eight for the sum and the number at the end.
  if (gzip[[4L]] != 0) stop("R has written a gzip file of an unknown form", call. = FALSE)
  deflated <- if (size > 18L) gzip[11:(size - 8L)] else raw()
  sum <- gzip[(size - 7L):(size - 4L)]
  about <- c(
    bytes_of(20, 2L), bytes_of(0, 2L), bytes_of(8, 2L), bytes_of(0, 2L), bytes_of(33, 2L), sum,
    bytes_of(length(deflated), 4L), bytes_of(length(data), 4L), bytes_of(4, 2L), bytes_of(0, 2L)
  )
  name <- charToRaw("data")
  entry <- c(charToRaw("PK"), bytes_of(1027, 2L), about, name, deflated)
  directory <- c(charToRaw("PK"), bytes_of(513, 2L), bytes_of(20, 2L), about, raw(14L), name)
  end <- c(
    charToRaw("PK"), bytes_of(1541, 2L), raw(4L), bytes_of(1, 2L), bytes_of(1, 2L),
    bytes_of(length(directory), 4L), bytes_of(length(entry), 4L), raw(2L)
  )
  c(entry, directory, end)
}

# A number as that many bytes, the lowest first.
bytes_of <- function(number, count) {
  if (number < 0 || number >= 256^count) stop("this is too large for a ZIP archive", call. = FALSE)
  as.raw(number %/% 256^(seq_len(count) - 1L) %% 256)
}

bytes_of_file <- function(file) readBin(file, "raw", file.size(file))
