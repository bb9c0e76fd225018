# What a client does with the pages of a device (r-init/host/plots.R). Whatever changes what is shown is sent at once. Devices and
# pages are named by their ids.

history_of <- function(device) {
  if (!is.character(device) || length(device) != 1L || is.na(device)) {
    stop("a graphics device has to be named by its id, a string", call. = FALSE)
  }
  history <- if (nzchar(device)) histories[[tolower(device)]]
  if (is.null(history) || !is_open(history)) stop("there is no graphics device with the id ", device, call. = FALSE)
  history
}

page_in <- function(history, id) {
  if (!is.character(id) || length(id) != 1L || is.na(id)) stop("a plot has to be named by its id, a string", call. = FALSE)
  page <- page_of(history, tolower(id))
  if (is.null(page)) stop("there is no plot with the id ", id, " on this device", call. = FALSE)
  page
}

# The id of the current device; NULL if that has no history.
history_active_device <- function() current_history()$id

history_activate <- function(device) invisible(grDevices::dev.set(history_of(device)$number))

# The id of a device by its number; NULL if that has no history.
history_device <- function(number) {
  for (history in open_histories()) if (history$number == number) return(history$id)
  NULL
}

# The number that R gives a device; NULL if it does not exist.
history_number <- function(device) {
  history <- if (is.character(device) && length(device) == 1L && !is.na(device) && nzchar(device)) histories[[tolower(device)]]
  if (!is.null(history) && is_open(history)) history$number
}

# The id of the page that is shown; NULL if there is none.
history_active_page <- function(device) {
  history <- history_of(device)
  look(history)
  if (nzchar(history$active)) history$active
}

# The number of pages of a device.
history_count <- function(device) {
  history <- history_of(device)
  look(history)
  length(history$pages)
}

# Shows the page before or after the one that is shown, if there is one.
turn_page <- function(device, by) {
  at_work({
    history <- history_of(device)
    send_change(history)
    place <- place_of(history) + by
    if (is.na(place) || place < 1L || place > length(history$pages)) return(invisible())
    show_page(history, history$pages[[place]])
    send_page(history)
  })
}

history_next <- function(device) turn_page(device, 1L)

history_previous <- function(device) turn_page(device, -1L)

history_select <- function(device, page) {
  at_work({
    history <- history_of(device)
    send_change(history)
    show_page(history, page_in(history, page))
    send_page(history)
  })
}

history_remove <- function(device, page) {
  at_work({
    history <- history_of(device)
    send_change(history)
    removed <- page_in(history, page)
    place <- place_of(history)
    history$pages <- Filter(function(other) other$id != removed$id, history$pages)
    if (history$drawn == removed$id) history$drawn <- ""
    if (history$active == removed$id) {
      history$active <- ""
      if (length(history$pages) > 0L) show_page(history, history$pages[[min(place, length(history$pages))]])
    }
    send_page(history)
  })
}

history_clear <- function(device) {
  at_work({
    history <- history_of(device)
    look(history)
    history$pages <- list()
    history$active <- history$drawn <- ""
    send_page(history)
  })
}

# Puts a page of one device at the end of another's, which shows it.
history_copy <- function(device, page, target) {
  at_work({
    from <- history_of(device)
    to <- history_of(target)
    look(from)
    source <- page_in(from, page)
    send_change(to)
    copy <- add_page(to, source$recording)
    copy$picture <- source$picture
    copy$canvas <- source$canvas
    show_page(to, copy)
    send_page(to)
  })
}

# Gives a device another size, in which its page is drawn again.
history_resize <- function(device, width, height, resolution) {
  at_work({
    history <- history_of(device)
    canvas <- checked_canvas(width, height, resolution)
    if (identical(canvas, history$canvas)) return(invisible())
    look(history)
    reopen_canvas(history, canvas)
    if (length(history$pages) > 0L) send_page(history)
  })
}

# The bytes of a page's file, on a device that `open` opens for a file.
history_export <- function(device, page, open) {
  at_work({
    history <- history_of(device)
    look(history)
    source <- page_in(history, page)
    if (is.null(source$recording)) stop("R has no recording of this plot, so that it can be shown only as it is", call. = FALSE)
    drawn_bytes(source$recording, open)
  })
}

# Makes a page the one that is shown. It is also put on the device, so that the code can go on with it.
show_page <- function(history, page) {
  history$active <- page$id
  if (history$drawn != page$id && !is.null(page$recording)) draw_on(history, page$recording, page$id)
}

# Puts a recording on the device. If it does not fit there, what is on the device is no page of the history.
draw_on <- function(history, recording, id) {
  fits <- on_device(history, tryCatch({
    undisturbed(grDevices::replayPlot(recording))
    TRUE
  }, error = function(e) FALSE))
  while (file.exists(sheet(history, history$begun + 1L))) {
    unlink(sheet(history, history$begun))
    history$begun <- history$begun + 1L
  }
  history$drawn <- if (fits) id else ""
  history$operations <- length(on_device(history, grDevices::recordPlot())[[1L]])
  page <- page_of(history, id)
  if (!is.null(page)) page$finished <- FALSE
}

# R's device of a history can have no other size. Another one takes its place, and its number.
reopen_canvas <- function(history, canvas) {
  page <- page_of(history, history$active)
  # Without a page, the code may have set something, which R has recorded, too.
  recording <- if (is.null(page)) on_device(history, grDevices::recordPlot()) else page$recording
  before <- engaged
  engaged <<- TRUE
  on.exit(engaged <<- before)
  current <- grDevices::dev.cur()
  number <- history$number
  grDevices::dev.off(number)
  unlink(sheet(history, history$begun))
  # R takes the lowest number that is free.
  others <- setdiff(seq_len(number - 1L)[-1L], grDevices::dev.list())
  for (other in others) grDevices::pdf(NULL)
  on.exit(for (other in others) grDevices::dev.off(other), add = TRUE)
  before_canvas <- history$canvas
  history$canvas <- canvas
  tryCatch(open_canvas(history), error = function(e) {
    history$canvas <- before_canvas
    open_canvas(history)
  })
  if (!is.null(recording)) draw_on(history, recording, history$active)
  if (current > 1L && current %in% grDevices::dev.list()) grDevices::dev.set(current)
  invisible()
}
