# Values as text, for a line of the client's list of variables. Functions that make such functions are called by the client in
# its requests.

# As deparse() writes it: whole, or the first line of about that many characters.
make_repr_deparse <- function(max_length = NULL) {
  if (is.null(max_length)) return(deparsed)
  width <- min(max(as.integer(max_length), 20L), 500L)
  # A text is never broken into lines, however long it is.
  function(x) substr(deparse(x, width.cutoff = width, nlines = 1L)[[1L]], 1L, 2L * width)
}

deparsed <- function(x) {
  lines <- deparse(x)
  if (length(lines) == 1L) lines else paste(lines, collapse = if (is.language(x) || is.function(x)) "\n" else "")
}

deparse_str <- function(x) paste(deparse(x), collapse = "")

# As str() writes it, and the end cut off. `expected_length` is of no use here.
make_repr_str <- function(max_length = NULL, expected_length = NULL, overflow_suffix = NULL) {
  if (is.null(max_length)) return(structured)
  suffix <- if (is.null(overflow_suffix)) "..." else overflow_suffix
  kept <- max(as.integer(max_length) - nchar(suffix), 0L)
  function(x) {
    text <- structured(x)
    if (nchar(text) > max_length) paste0(substr(text, 1L, kept), suffix) else text
  }
}

# The types that str() writes before a single element.
simple_types <- c("logical", "integer", "double", "complex", "character")

structured <- function(x) {
  if (is.symbol(x)) return(as.character(x))
  if (length(x) == 1L && is.null(attributes(x)) && typeof(x) %in% simple_types) {
    # What str() would do, without its detours.
    if (is.na(x)) return(if (is.double(x) && is.nan(x)) "NaN" else "NA")
    if (is.logical(x) || is.integer(x)) return(as.character(x))
    if (!is.character(x)) return(format.default(x, digits = 3L))
    if (nchar(x, "bytes") <= 128L) return(encodeString(x, quote = "\""))
  }
  lines <- utils::capture.output(utils::str(x))
  text <- paste(lines, collapse = "\n")
  if (length(x) == 1L && is.null(attributes(x))) sub("^ chr ", "", text) else text
}

# As toString() writes it. That has no words for everything.
repr_toString <- function(x) {
  if (is.symbol(x)) return(as.character(x))
  text <- tryCatch(toString(x), error = function(e) NULL)
  if (is.character(text) && length(text) == 1L) text else deparsed(x)
}
