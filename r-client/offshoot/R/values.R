# Values as the interface writes them in JSON: scalars, arrays, rows of matrices, columns of data frames.

encode_value <- function(value) {
  if (is.factor(value)) value <- as.character(value)
  if (inherits(value, c("Date", "POSIXt"))) value <- format_moment(value)
  if (is.data.frame(value)) {
    return(members(lapply(value, encode_column)))
  }
  # These are lists within lists for ever.
  if (inherits(value, "numeric_version")) value <- as.character(value)
  if (is.list(value)) {
    items <- lapply(value, encode_value)
    return(if (is.null(names(value))) array_of(items) else members(items))
  }
  if (is.matrix(value)) return(array_of(lapply(seq_len(nrow(value)), function(row) as_json(unname(value[row, ]), FALSE))))
  if (is.null(value) || is.atomic(value) && !is.raw(value) && !is.complex(value)) return(as_json(unname(value), TRUE))
  fail("offshoot_invalid", "A value of class ", class(value)[[1L]], " cannot be sent as JSON: use putLocalObject().")
}

# A column is an array also if it has one row.
encode_column <- function(column) {
  if (is.list(column) && !inherits(column, c("POSIXt", "numeric_version", "data.frame"))) return(array_of(lapply(unclass(column), encode_value)))
  if (is.factor(column) || inherits(column, "numeric_version")) column <- as.character(column)
  if (inherits(column, c("Date", "POSIXt"))) column <- format_moment(column)
  as_json(unname(column), FALSE)
}

format_moment <- function(value) {
  if (inherits(value, "Date")) format(value) else format(as.POSIXct(value), "%Y-%m-%dT%H:%M:%OS6Z", tz = "UTC")
}

as_json <- function(value, unbox) {
  if (is.character(value) && any(Encoding(value) == "bytes")) {
    fail("offshoot_invalid", "Bytes that are no text cannot be sent as JSON: use putLocalObject().")
  }
  # Classes such as difftime and noquote mean nothing in JSON.
  if (is.object(value) && is.atomic(value)) value <- unclass(value)
  if (is.numeric(value)) {
    text <- ifelse(is.na(value), "null", formatC(value, digits = 17L, format = "g", width = 1L))
    text[is.infinite(value)] <- ifelse(value[is.infinite(value)] > 0, "\"Inf\"", "\"-Inf\"")
    return(if (unbox && length(text) == 1L) text else array_of(text))
  }
  as.character(jsonlite::toJSON(value, auto_unbox = unbox, null = "null", na = "null"))
}

# Whether each member has a name.
has_names <- function(list) length(list) == 0L || !is.null(names(list)) && all(nzchar(names(list)))

array_of <- function(items) paste0("[", paste0(items, collapse = ","), "]")

members <- function(items) {
  if (length(items) == 0L) return("{}")
  keys <- vapply(names(items), function(name) as.character(jsonlite::toJSON(jsonlite::unbox(name))), "")
  paste0("{", paste0(keys, ":", items, collapse = ","), "}")
}

# A value as it has come, with its arrays as vectors. `kind` is its declared type, if it has one.
decode_value <- function(value, kind = "") {
  if (is.null(value)) value <- NA
  if (kind == "data.frame") {
    columns <- lapply(value, function(column) if (length(column) == 0L) logical() else simplify(as.list(column)))
    return(as.data.frame(columns, stringsAsFactors = FALSE, check.names = FALSE))
  }
  decoded <- simplify(value)
  switch(kind,
    numeric = as.numeric(decoded), integer = as.integer(decoded), logical = as.logical(decoded), character = as.character(decoded),
    decoded)
}

# Arrays of scalars of one type become vectors, and rows of one length a matrix. null is NA.
simplify <- function(value) {
  if (!is.list(value) || length(value) == 0L) return(value)
  is_array <- is.null(names(value))
  if (is_array && all(vapply(value, is_scalar, NA))) {
    value[vapply(value, is.null, NA)] <- NA
    types <- types_in(value)
    if (setequal(types, c("numeric", "character"))) {
      value <- with_infinite(value)
      types <- types_in(value)
    }
    return(if (length(types) <= 1L) unlist(value, use.names = FALSE) else value)
  }
  items <- lapply(value, simplify)
  is_rows <- is_array && all(vapply(items, is.atomic, NA)) && length(unique(lengths(items))) == 1L
  if (is_rows) do.call(rbind, items) else items
}

types_in <- function(scalars) {
  unique(vapply(scalars[!is.na(scalars)], function(item) if (is.numeric(item)) "numeric" else typeof(item), ""))
}

# Infinite numbers come as texts among numbers.
with_infinite <- function(value) {
  is_text <- vapply(value, is.character, NA) & !is.na(value)
  if (all(value[is_text] %in% c("Inf", "-Inf"))) value[is_text] <- as.numeric(value[is_text])
  value
}

is_scalar <- function(item) is.null(item) || is.atomic(item) && length(item) == 1L
