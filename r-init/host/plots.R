# Graphics devices with a history of pages, for somebody who looks at one page at a time and turns back to earlier ones. Such a
# device is one of png(), so that a page looks as png() draws it. R draws on it all the time, and its file is never complete: a
# page is sent by replaying what R has recorded of it into another file (r-init/pages.R).

# The devices by their ids: environments with
#   id, name; number, that of the device in R; canvas: width and height in pixels, pixels per inch;
#   pages: a list of environments; active, the id of the page that is shown, and drawn, of that which is on the device, or "";
#   pattern, the names of the files in which the device draws; begun, the number of pages that it has begun;
#   operations, the length of R's recording at the last look.
# A page has its id, and as far as they are known its recording and its picture with the size of that; `changed` says that it
# has not been sent as it is, `finished` that nothing was drawn on it after that.
histories <- new.env()

# The most pages that a device keeps. The oldest give way.
most_kept <- 100L

# The most bytes that the recordings of a device's pages take: they hold the data that was drawn.
most_recorded <- 2^28

# A picture of more bytes is drawn again when it is needed.
largest_kept_picture <- 2^18

# No canvas has a longer side.
longest_side <- 20000

# How many canvases were opened, for the names of their files.
canvases <- 0L

# Set while this code draws itself, so that it does not look at what it does.
engaged <- FALSE

# Set while pages are looked at, sent or turned, so that host_meanwhile(), which R may call at any moment, leaves them alone.
working <- FALSE

# No page is sent before this moment while R computes, so that sending takes no more than a part of the time.
rest_until <- 0

# Whether R was seen at work since the last prompt; what is drawn in less than these seconds, or that after the last page, is sent once,
# when it is complete.
computing <- FALSE
quick <- 0.2

# A UUID. It takes no numbers from R's own generator, which are the user's.
new_id <- function() {
  source <- file("/dev/urandom", "rb", raw = TRUE)
  on.exit(close(source))
  bytes <- as.integer(readBin(source, "raw", 16L))
  bytes[[7L]] <- bytes[[7L]] %% 16L + 64L
  bytes[[9L]] <- bytes[[9L]] %% 64L + 128L
  text <- paste(sprintf("%02x", bytes), collapse = "")
  paste(substring(text, c(1L, 9L, 13L, 17L, 21L), c(8L, 12L, 16L, 20L, 32L)), collapse = "-")
}

checked_canvas <- function(width, height, resolution) {
  canvas <- suppressWarnings(as.numeric(c(width, height, resolution)))
  if (length(canvas) != 3L || !all(is.finite(canvas)) || any(canvas < 1) || any(canvas > longest_side) || prod(canvas[1:2]) > 2^28) {
    stop("a device has to have a width, a height and a resolution that are positive, and it must not be too large", call. = FALSE)
  }
  canvas
}

# Opens a device, whose size is asked for, and makes it the current one. `name` is what R calls it.
history_open <- function(name = "history") {
  id <- new_id()
  size <- host_ask("device_size", id)
  if (length(size) != 3L) stop("nobody shows plots", call. = FALSE)
  history <- list2env(list(
    id = id, name = name, canvas = checked_canvas(size[[1L]], size[[2L]], size[[3L]]),
    pages = list(), active = "", drawn = ""
  ), parent = emptyenv())
  open_canvas(history)
  assign(id, history, envir = histories)
  invisible()
}

open_canvas <- function(history) {
  canvases <<- canvases + 1L
  folder <- gsub("%", "%%", tempdir(check = TRUE), fixed = TRUE)
  pattern <- file.path(folder, sprintf(".history-%d-%%d.png", canvases))
  canvas <- history$canvas
  forget_metrics()
  grDevices::png(pattern, width = canvas[[1L]], height = canvas[[2L]], res = canvas[[3L]])
  grDevices::dev.control("enable")
  history$number <- grDevices::dev.cur()[[1L]]
  history$pattern <- pattern
  history$begun <- 0L
  history$operations <- 0L
  # R takes a device for an interactive one by its name.
  devices <- get(".Devices", envir = baseenv())
  devices[[history$number]] <- structure(history$name, filepath = pattern)
  assign(".Devices", devices, envir = baseenv())
  assign(".Device", devices[[history$number]], envir = baseenv())
}

# The devices in the order of their numbers. One that R has closed by itself, because it failed, is forgotten.
open_histories <- function() {
  all <- mget(ls(histories), envir = histories)
  for (history in all) if (!is_open(history)) forget_history(history)
  all <- mget(ls(histories), envir = histories)
  all[order(vapply(all, function(history) history$number, 0L))]
}

is_open <- function(history) {
  history$number %in% grDevices::dev.list() &&
    identical(attr(get(".Devices", envir = baseenv())[[history$number]], "filepath"), history$pattern)
}

forget_history <- function(history) {
  rm(list = history$id, envir = histories)
  unlink(sheet(history, history$begun))
  host_notify("device_closed", history$id)
}

# The current device, if it has a history.
current_history <- function() {
  if (length(histories) == 0L) return(NULL)
  current <- grDevices::dev.cur()
  for (history in as.list(histories)) if (history$number == current && is_open(history)) return(history)
  NULL
}

has_history <- function() !engaged && !is.null(current_history())

# The file of a page. R makes it when the page begins, and completes it when the next one begins.
sheet <- function(history, number) sprintf(history$pattern, number)

page_of <- function(history, id) {
  for (page in history$pages) if (page$id == id) return(page)
  NULL
}

add_page <- function(history, recording = NULL) {
  page <- list2env(list(id = new_id(), recording = recording, picture = NULL, changed = TRUE, finished = FALSE), parent = emptyenv())
  # Counted from the newest.
  sizes <- vapply(rev(history$pages), function(page) as.numeric(utils::object.size(page$recording)), 0)
  fitting <- sum(cumsum(sizes) <= most_recorded)
  history$pages <- c(utils::tail(history$pages, min(fitting, most_kept - 1L)), list(page))
  page
}

# Evaluates something while a device is the current one, and this code does not look at what it does.
on_device <- function(history, action) {
  before <- engaged
  on.exit(engaged <<- before)
  engaged <<- TRUE
  current <- grDevices::dev.cur()
  if (current == history$number) return(action)
  grDevices::dev.set(history$number)
  if (current > 1L) on.exit(grDevices::dev.set(current), add = TRUE, after = FALSE)
  action
}

at_work <- function(action) {
  before <- working
  working <<- TRUE
  on.exit(working <<- before)
  invisible(action)
}

# Takes note of what was drawn since the last look.
look <- function(history) {
  while (file.exists(sheet(history, history$begun + 1L))) {
    page <- page_of(history, history$drawn)
    if (!is.null(page) && !page$finished) take_sheet(history, page)
    unlink(sheet(history, history$begun))
    history$begun <- history$begun + 1L
    page <- add_page(history)
    history$drawn <- history$active <- page$id
    history$operations <- -1L
  }
  if (history$begun == 0L) return(invisible())
  snapshot <- on_device(history, grDevices::recordPlot())
  operations <- length(snapshot[[1L]])
  if (operations == history$operations) return(invisible())
  history$operations <- operations
  page <- page_of(history, history$drawn)
  # What is drawn on after it has been removed from the history is a page of it again.
  if (is.null(page)) page <- add_page(history)
  page$recording <- snapshot
  page$picture <- NULL
  page$changed <- TRUE
  history$drawn <- history$active <- page$id
}

# A page whose end was not noticed, as something has begun the next one that calls no hook. R has completed its file.
take_sheet <- function(history, page) {
  file <- sheet(history, history$begun)
  page$picture <- readBin(file, "raw", file.size(file))
  page$canvas <- history$canvas
  page$recording <- NULL
  page$finished <- TRUE
  if (history$active == page$id) send_page(history)
}

# The bytes of a page's PNG file in the size of the device; NULL if there is nothing that it could be drawn from.
picture_of <- function(history, page) {
  if (is.null(page$recording) || (!is.null(page$picture) && identical(page$canvas, history$canvas))) return(page$picture)
  size <- history$canvas
  open <- function(file) grDevices::png(file, width = size[[1L]], height = size[[2L]], res = size[[3L]])
  # What does not fit into this size is drawn as far as it does.
  picture <- drawn_bytes(page$recording, open, failed = function(e) NULL)
  kept <- length(picture) <= largest_kept_picture
  page$picture <- if (kept) picture
  page$canvas <- if (kept) size
  picture
}

# Draws a recording into a file, by draw_into(), and returns its bytes.
drawn_bytes <- function(recording, open, failed = stop) {
  before <- engaged
  engaged <<- TRUE
  on.exit(engaged <<- before)
  file <- tempfile("page")
  on.exit(unlink(file), add = TRUE)
  draw_into(recording, file, open, failed)
  readBin(file, "raw", file.size(file))
}

# Sends the page that is shown, or that there is none.
send_page <- function(history) {
  began <- proc.time()[[3L]]
  page <- page_of(history, history$active)
  if (is.null(page)) {
    host_plot(history$id, "", "", history$number, -1L, 0L, raw())
  } else {
    picture <- picture_of(history, page)
    page$changed <- FALSE
    if (!is.null(picture)) {
      path <- file.path(tempdir(), sprintf("plot-%s.png", page$id))
      host_plot(history$id, page$id, path, history$number, place_of(history) - 1L, length(history$pages), picture)
    }
  }
  now <- proc.time()[[3L]]
  rest_until <<- now + max(quick, 4 * (now - began))
  invisible()
}

# Where in the history the page is that is shown, from 1.
place_of <- function(history) match(history$active, vapply(history$pages, function(page) page$id, ""))

# Sends a page if it has changed.
send_change <- function(history) {
  look(history)
  page <- page_of(history, history$active)
  if (!is.null(page) && page$changed) send_page(history)
}

send_changes <- function() {
  if (engaged || length(histories) == 0L) return(invisible())
  at_work(for (history in open_histories()) send_change(history))
}

# When R asks for the next line, everything that was drawn is sent.
host_before_prompt <- function() {
  try(send_changes(), silent = TRUE)
  # Only now, as R may call host_meanwhile() until then.
  computing <<- FALSE
}

# While R computes, as much as there is time for.
host_meanwhile <- function() {
  if (working || length(histories) == 0L) return(invisible())
  now <- proc.time()[[3L]]
  if (!computing) {
    computing <<- TRUE
    rest_until <<- max(rest_until, now + quick)
  }
  if (now >= rest_until) try(send_changes(), silent = TRUE)
}

# The page on the current device is complete: the next one is about to begin.
finish_page <- function() {
  if (engaged || is.null(history <- current_history())) return(invisible())
  at_work({
    send_change(history)
    page <- page_of(history, history$drawn)
    if (!is.null(page)) page$finished <- !is.null(page$recording)
  })
  invisible()
}

closing_history <- function(number) {
  if (engaged || length(histories) == 0L) return(invisible())
  at_work(for (history in open_histories()) {
    if (history$number == number) {
      try(send_change(history), silent = TRUE)
      forget_history(history)
    }
  })
}

# Without a recording, nothing could be sent before the device begins another page.
beforehand("grDevices", "dev.control", bquote(if (.(has_history)()) return(invisible())))

# As for recorded pages.
setHook("before.plot.new", function(...) if (has_history() && graphics::par("page")) finish_page())
setHook("before.grid.newpage", function(...) finish_page())
beforehand("graphics", "persp", bquote(.(finish_page)()))
beforehand("grDevices", "replayPlot", bquote(.(finish_page)()))
beforehand("grDevices", "dev.off", bquote(.(closing_history)(which)))
