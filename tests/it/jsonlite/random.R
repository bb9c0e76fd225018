# Values at random: every type, nested, with all that names, strings and numbers can hold.

pick <- function(...) list(...)[[sample.int(...length(), 1L)]]
chance <- function(probability) stats::runif(1L) < probability
some <- function() sample(c(0L, 1L, 1L, 2L, 3L, 5L, 8L), 1L)

with_missing <- function(x) {
  if (length(x) && chance(0.3)) x[sample.int(length(x), 1L)] <- NA
  x
}

a_string <- function() {
  pieces <- c(
    letters, "\"", "\\", "/", "</", "<", "\n", "\r", "\t", "\b", "\f", "\001", "\037", "\177", " ", ",", "{", "NA", "null",
    "\u00e9", "\u20ac", "\u4e2d", "\U1F600", "\u2028", "\ufeff", "0", "1.5"
  )
  text <- paste(sample(pieces, sample(0:12, 1L), replace = TRUE), collapse = "")
  if (chance(0.1)) iconv("d\u00e9j\u00e0 </", "UTF-8", "latin1") else text
}

strings <- function(n) with_missing(vapply(seq_len(n), function(i) a_string(), ""))

a_number <- function() {
  x <- switch(sample.int(8L, 1L),
    stats::rnorm(1L),
    round(stats::rnorm(1L) * 1000, sample(0:4, 1L)),
    stats::runif(1L, 1, 2) * 2^sample(-1074:1023, 1L),
    floor(stats::runif(1L) * 10^sample(0:20, 1L)),
    sample(1:999, 1L) * 10^sample(-30:30, 1L),
    floor(stats::runif(1L) * 10^15) / 10^sample(0:15, 1L),
    sample(c(0, -0, 1, 0.5, 1e5, 1e15, 1e-5, 2^31, 2^53, 5e-324, .Machine$double.xmax), 1L),
    sample(c(NA, NaN, Inf, -Inf), 1L)
  )
  if (chance(0.3)) -x else x
}

numbers <- function(n) vapply(seq_len(n), function(i) a_number(), 0)

integers <- function(n) with_missing(sample(c(0L, 1L, -1L, .Machine$integer.max, -99999L, 100000L, 7L), n, replace = TRUE))

truths <- function(n) sample(c(TRUE, FALSE, NA), n, replace = TRUE)

a_factor <- function(n) factor(strings(n), ordered = chance(0.3))

days <- function(n) {
  days <- sample(-200000:200000, n, replace = TRUE)
  with_missing(structure(if (chance(0.2)) days + stats::runif(n) else days + 0, class = "Date"))
}

moments <- function(n) {
  seconds <- floor(stats::runif(n, -1e9, 4e9)) %/% sample(c(1, 60, 86400), 1L) * sample(c(1, 60, 86400), 1L)
  zone <- sample(c("UTC", "Europe/Paris", "America/New_York", "Asia/Kolkata"), 1L)
  with_missing(structure(seconds, class = c("POSIXct", "POSIXt"), tzone = zone))
}

a_vector <- function(n) {
  pick(truths, integers, numbers, numbers, strings, strings, a_factor, days, moments)(n)
}

some_names <- function(n) {
  names <- strings(n)
  if (n > 1L && chance(0.3)) names[sample.int(n, 1L)] <- names[[1L]]
  names[Encoding(names) == "latin1"] <- "l"
  names
}

maybe_named <- function(x) if (chance(0.4)) stats::setNames(x, some_names(length(x))) else x

a_matrix <- function(rows) {
  columns <- some()
  matrix(pick(truths, integers, numbers, strings)(rows * columns), rows, columns)
}

an_array <- function() {
  dim <- sample(0:3, sample(1:4, 1L), replace = TRUE)
  array(pick(truths, integers, numbers, strings)(prod(dim)), dim)
}

a_list <- function(depth) maybe_named(lapply(seq_len(some()), function(i) any_value(depth - 1L)))

a_column <- function(rows, depth) {
  kind <- sample.int(if (depth > 0L) 14L else 9L, 1L)
  if (kind <= 9L) return(a_vector(rows))
  switch(kind - 9L,
    lapply(seq_len(rows), function(i) any_value(depth - 1L)),
    a_matrix(rows),
    a_frame(depth - 1L, rows),
    I(a_vector(rows)),
    as.raw(sample(0:255, rows, replace = TRUE))
  )
}

a_frame <- function(depth, rows = some()) {
  columns <- some()
  frame <- structure(lapply(seq_len(columns), function(i) a_column(rows, depth)), names = some_names(columns))
  row_names <- if (chance(0.3)) make.unique(paste0("r", seq_len(rows))) else seq_len(rows)
  structure(frame, class = "data.frame", row.names = row_names)
}

# What toJSON has no method for sends the whole value the other way.
an_oddity <- function() {
  pick(
    complex(real = a_number(), imaginary = a_number()), quote(f(x, "y")), y ~ x, structure(numbers(some()), class = "mine"),
    as.difftime(1, units = "days"), table(sample(3L, 5L, replace = TRUE)), globalenv(), structure(strings(some()), class = "mine")
  )
}

any_value <- function(depth) {
  if (chance(0.01)) return(an_oddity())
  if (depth <= 0L || chance(0.4)) {
    x <- a_vector(some())
    return(if (chance(0.2)) maybe_named(x) else if (chance(0.1)) I(x) else x)
  }
  switch(sample.int(10L, 1L),
    NULL,
    a_matrix(some()),
    an_array(),
    as.raw(sample(0:255, sample(c(0:3, 54L, 60L), 1L), replace = TRUE)),
    a_frame(depth),
    a_frame(depth),
    as.pairlist(a_list(depth)),
    structure(list(any_value(depth - 1L)), class = c("mine", "list")),
    a_list(depth),
    a_list(depth)
  )
}

random_value <- function(seed) {
  set.seed(seed)
  any_value(3L)
}
