# The client's grid: a window of a table, a matrix or a vector, as texts.

# `rows` and `cols` are the places wanted, from 1; all without them. `row_selector` is a function of the whole that returns the
# order of its rows, which are counted after that. The texts go column by column. There are no names where the client has to count.
grid_data <- function(x, rows = NULL, cols = NULL, row_selector = NULL) {
  dims <- dim(x)
  if (length(dims) > 2L) stop("this has more than two dimensions", call. = FALSE)
  is_flat <- length(dims) < 2L
  size <- if (is_flat) c(length(x), 1L) else dims
  rows <- window_of(rows, size[[1L]], "rows")
  cols <- window_of(cols, size[[2L]], "columns")
  chosen <- if (is.null(row_selector)) rows else row_selector(x)[rows]
  columns <- lapply(cols, function(col) as_texts(column_part(x, chosen, col, is_flat)))
  answer <- list(
    is_1d = is_flat,
    row.start = first_of(rows), row.count = length(rows), row.names = as.list(row_labels(x, chosen, is_flat)),
    col.start = first_of(cols), col.count = length(cols), col.names = as.list(if (!is_flat) column_labels(x, cols)),
    data = as.list(unlist(columns))
  )
  Filter(Negate(is.null), lapply(answer, function(part) if (is.list(part) && length(part) == 0L) NULL else part))
}

first_of <- function(places) if (length(places) > 0L) places[[1L]] else 1L

# Places that there are.
window_of <- function(places, size, what) {
  if (is.null(places)) return(seq_len(size))
  if (!is.numeric(places) || anyNA(places)) stop("the ", what, " have to be numbers", call. = FALSE)
  places <- as.integer(places)
  places[places >= 1L & places <= size]
}

# A part of a column. Some classes return a table of one column.
column_part <- function(x, rows, col, is_flat) {
  if (is_flat) return(if (is.list(x)) unclass(x)[rows] else x[rows])
  if (is.data.frame(x)) {
    column <- .subset2(x, col)
    return(if (length(dim(column)) == 2L) column[rows, , drop = FALSE] else column[rows])
  }
  part <- x[rows, col, drop = TRUE]
  if (is.object(part) && length(dim(part)) == 2L) part <- unclass(part)
  if (length(dim(part)) == 2L && length(part) == length(rows)) dim(part) <- NULL
  part
}

# Each element as a text. Numbers have as many digits as all of them need.
as_texts <- function(values) {
  if (length(dim(values)) == 2L) {
    parts <- lapply(seq_len(ncol(values)), function(col) as_texts(if (is.data.frame(values)) values[[col]] else values[, col]))
    return(do.call(paste, c(parts, sep = ", ")))
  }
  texts <- if (is.list(values) && !is.object(values)) {
    vapply(values, function(value) tryCatch(short_text_of(value), error = function(e) class(value)[[1L]]), "")
  } else if (is.factor(values) || is.character(values)) {
    as.character(values)
  } else if (is.numeric(values) && !is.object(values)) {
    format(as.vector(values), trim = TRUE)
  } else if (inherits(values, "ts")) {
    format(as.vector(values), trim = TRUE)
  } else {
    trimws(tryCatch(format(values), error = function(e) as.character(values)))
  }
  texts <- as.character(texts)
  texts[is.na(texts)] <- "NA"
  unname(texts)
}

# A cell that has a value of its own, which may be large.
short_text_of <- function(value) {
  most <- 100L
  vector <- (is.atomic(value) || is.factor(value)) && length(value) > most
  text <- paste(as_texts_of_element(if (vector) value[seq_len(most)] else value), collapse = ", ")
  if (nchar(text) > most) paste0(substr(text, 1L, most - 3L), "...") else text
}

as_texts_of_element <- function(value) {
  if (is.null(value)) return("NULL")
  if (is.factor(value) || is.character(value)) return(as.character(value))
  if (is.atomic(value)) return(format(value, trim = TRUE))
  if (is.data.frame(value) || is.list(value)) return(paste0("<", class(value)[[1L]], " ", length(value), ">"))
  if (is.language(value)) return(deparse(value, nlines = 1L)[[1L]])
  paste0("<", class(value)[[1L]], ">")
}

row_labels <- function(x, rows, is_flat) {
  if (is.data.frame(x)) return(if (.row_names_info(x) > 0L) row.names(x)[rows] else as.character(rows))
  labels <- if (inherits(x, "ts")) {
    format(as.vector(stats::time(x)))
  } else if (is_flat) {
    names(x)
  } else if (is.list(dimnames(x))) {
    dimnames(x)[[1L]]
  }
  labels_at(labels, rows, if (is_flat) "[%d]" else "[%d,]")
}

column_labels <- function(x, cols) {
  labels <- if (is.data.frame(x)) names(x) else if (is.list(dimnames(x))) dimnames(x)[[2L]]
  labels_at(labels, cols, "[,%d]")
}

# The labels at some places. Where one is missing, it is the place as R prints it.
labels_at <- function(labels, places, form) {
  if (is.null(labels)) return(NULL)
  labels <- labels[places]
  missing <- is.na(labels)
  labels[missing] <- sprintf(form, as.integer(places[missing]))
  labels
}

# The order of the rows by columns, of which negative ones go down. Columns that cannot be compared do not count.
grid_order <- function(x, ...) {
  columns <- c(...)
  is_flat <- length(dim(x)) < 2L
  count <- if (is_flat) length(x) else dim(x)[[1L]]
  keys <- lapply(columns, function(column) {
    values <- column_part(x, seq_len(count), abs(column), is_flat)
    if (is.list(values) && !is.object(values)) return(NULL)
    key <- tryCatch(xtfrm(values), error = function(e) NULL)
    if (length(key) != count) return(NULL)
    if (column < 0) -as.numeric(key) else as.numeric(key)
  })
  keys <- Filter(Negate(is.null), keys)
  if (length(keys) == 0L) seq_len(count) else do.call(order, keys)
}
