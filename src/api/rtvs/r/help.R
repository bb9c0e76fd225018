# Help: pages in the client's browser, and the text about a function for the client's editor.

# Shows the page of a topic. If there is none, what a search finds.
show_help <- function(topic) {
  topic <- trimws(topic)
  if (startsWith(topic, "??")) return(invisible(print(utils::help.search(trimws(substring(topic, 3L))))))
  topic <- trimws(sub("^[?]", "", topic))
  found <- find_help(topic)
  if (length(found) > 0L) print(found) else print(utils::help.search(topic))
  invisible()
}

# A topic may be "package::name".
find_help <- function(topic) {
  parts <- regmatches(topic, regexec("^([A-Za-z][A-Za-z0-9.]*):::?(.+)$", topic))[[1L]]
  if (length(parts) == 3L) {
    if (!nzchar(system.file(package = parts[[2L]]))) return(character())
    return(do.call(utils::help, list(parts[[3L]], package = parts[[2L]])))
  }
  do.call(utils::help, list(topic))
}

# The source of the help page that describes a function of a package that is attached, or else loaded; "" without one.
signature.help1 <- function(topic) {
  found <- do.call(utils::help, list(topic))
  if (length(found) == 0L) found <- do.call(utils::help, list(topic, package = loadedNamespaces()))
  page_source(found)
}

signature.help2 <- function(topic, package) {
  if (!nzchar(system.file(package = package))) return("")
  page_source(do.call(utils::help, list(topic, package = package)))
}

page_source <- function(found) {
  if (length(found) == 0L) return("")
  page <- as.character(found)[[1L]]
  folder <- dirname(page)
  package <- basename(dirname(folder))
  # R has no other way to its help pages by their names.
  fetch <- get("fetchRdDB", envir = asNamespace("tools"))
  paste(as.character(fetch(file.path(folder, package), basename(page))), collapse = "")
}
