# What R's top level has to be told or asked (src/r/toplevel.rs and the files beside it).

# R's own words for what is wrong with code that does not parse.
syntax_error <- function(text) {
  tryCatch({
    parse(text = text, keep.source = FALSE, encoding = "UTF-8")
    ""
  }, error = conditionMessage)
}

parse_with_source <- function(text) parse(text = text, keep.source = TRUE, encoding = "UTF-8")

# The text of the last error, as long as R keeps it, and then none.
fill_error_text <- function() .Internal(seterrmessage(strrep("x", 1e5)))

empty_error_text <- function() .Internal(seterrmessage(""))

# Messages reach a program whole, and not only their first 1,000 bytes.
options(warning.length = 8170L)

# Package data.table leaves out the printing of a table that has just been changed in place, once: it takes the next
# printing for that of the statement itself. Where statements are not printed, the next one is the user's own.
data_table_not_printed <- function(...) {
  global <- get0(".global", asNamespace("data.table"), inherits = FALSE)
  if (is.environment(global) && exists("print", global, inherits = FALSE)) assign("print", "", global)
}
