# Values as the interface writes them in JSON: scalars, arrays, rows of matrices, columns of data frames.

encode_value <- function(value) {
  if (is.factor(value)) value <- as.character(value)
  if (inherits(value, c("Date", "POSIXt"))) value <- format_moment(value)
  if (is.data.frame(value)) {
    columns <- lapply(value, function(column) as_json(unname(encodable(column)), FALSE))
    return(members(columns))
  }
  if (is.list(value)) {
    items <- lapply(value, encode_value)
    return(if (is.null(names(value))) array_of(items) else members(items))
  }
  if (is.matrix(value)) return(array_of(lapply(seq_len(nrow(value)), function(row) as_json(unname(value[row, ]), FALSE))))
  if (is.null(value) || is.atomic(value) && !is.raw(value) && !is.complex(value)) return(as_json(unname(value), TRUE))
  fail("offshoot_invalid", "A value of class ", class(value)[[1L]], " cannot be sent as JSON: use putLocalObject().")
}

encodable <- function(column) {
  if (is.factor(column)) as.character(column) else if (inherits(column, c("Date", "POSIXt"))) format_moment(column) else column
}

format_moment <- function(value) {
  if (inherits(value, "Date")) format(value) else format(as.POSIXct(value), "%Y-%m-%dT%H:%M:%OS6Z", tz = "UTC")
}

as_json <- function(value, unbox) {
  if (is.numeric(value)) {
    text <- ifelse(is.na(value), "null", formatC(value, digits = 17L, format = "g", width = 1L))
    text[is.infinite(value)] <- ifelse(value[is.infinite(value)] > 0, "\"Inf\"", "\"-Inf\"")
    return(if (unbox && length(text) == 1L) text else array_of(text))
  }
  as.character(jsonlite::toJSON(value, auto_unbox = unbox, null = "null", na = "null"))
}

array_of <- function(items) paste0("[", paste0(items, collapse = ","), "]")

members <- function(items) {
  if (length(items) == 0L) return("{}")
  keys <- vapply(names(items), function(name) as.character(jsonlite::toJSON(jsonlite::unbox(name))), "")
  paste0("{", paste0(keys, ":", items, collapse = ","), "}")
}

# A value as it has come, with its arrays as vectors. `kind` is its declared type, if it has one.
decode_value <- function(value, kind = NULL) {
  if (identical(kind, "data.frame")) {
    columns <- lapply(value, function(column) simplify(as.list(column)))
    return(as.data.frame(columns, stringsAsFactors = FALSE, check.names = FALSE))
  }
  decoded <- simplify(value)
  switch(if (is.null(kind)) "" else kind,
    numeric = as.numeric(decoded), integer = as.integer(decoded), logical = as.logical(decoded), character = as.character(decoded),
    decoded)
}

# Arrays of scalars become vectors, and rows of one length a matrix. null is NA.
simplify <- function(value) {
  if (!is.list(value)) return(value)
  if (length(value) == 0L) return(list())
  scalar <- vapply(value, function(item) is.null(item) || is.atomic(item) && length(item) == 1L, NA)
  if (is.null(names(value)) && all(scalar)) {
    value[vapply(value, is.null, NA)] <- NA
    return(unlist(value, use.names = FALSE))
  }
  items <- lapply(value, simplify)
  lengths <- lengths(items)
  is_rows <- is.null(names(value)) && all(vapply(items, is.atomic, NA)) && length(unique(lengths)) == 1L
  if (is_rows) do.call(rbind, items) else items
}
