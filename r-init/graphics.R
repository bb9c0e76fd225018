# Plots for which the code opens no device: PNG files in the session's working folder, or recorded pages that can
# be drawn later, as the operation wants it.

unnamed_devices <- integer()
recording <- FALSE
recorded_pages <- list()

# Pages kept of one operation.
most_pages <- 200L

begin_files <- function() {
  recording <<- FALSE
  recorded_pages <<- list()
}

begin_recording <- function() {
  recording <<- TRUE
  recorded_pages <<- list()
}

# A device numbers its pages from 1 on. Each has names of its own until the execution ends, as the code may close one
# and open another; then they are numbered together.
draft_pattern <- "[.]unnamedplot-([0-9]+)-([0-9]+)[.]png$"
drafts <- integer()

session_folder <- function() Sys.getenv("OFFSHOOT_SESSION_FOLDER", getwd())

open_unnamed_device <- function(...) {
  if (recording) {
    grDevices::pdf(NULL)
    grDevices::dev.control("enable")
    unnamed_devices <<- c(unnamed_devices, grDevices::dev.cur())
    return(invisible())
  }
  drafts <<- c(drafts, length(drafts) + 1L)
  pattern <- file.path(gsub("%", "%%", session_folder(), fixed = TRUE), paste0(".unnamedplot-", length(drafts), "-%03d.png"))
  grDevices::png(pattern, width = 480, height = 480)
  unnamed_devices <<- c(unnamed_devices, grDevices::dev.cur())
}

# Keeps what is on the current device, if that is ours and something is on it.
record_page <- function() {
  if (!recording || !(grDevices::dev.cur() %in% unnamed_devices)) return(invisible())
  page <- tryCatch(grDevices::recordPlot(), error = function(e) NULL)
  if (!is.null(page[[1L]]) && length(recorded_pages) < most_pages) {
    recorded_pages[[length(recorded_pages) + 1L]] <<- page
  }
  invisible()
}

# A page is complete when the next one begins. With several plots on a page, not every new plot begins one.
setHook("before.plot.new", function(...) if (recording && graphics::par("page")) record_page())
setHook("before.grid.newpage", function(...) record_page())

# A device that is about to be closed: its page is complete as well, and its number may be another's after that.
closing_device <- function(device) {
  if (!(device %in% unnamed_devices)) return(invisible())
  current <- grDevices::dev.cur()
  grDevices::dev.set(device)
  record_page()
  grDevices::dev.set(current)
  unnamed_devices <<- setdiff(unnamed_devices, device)
}

# R has a hook for new pages and none for the end of a device. All code closes devices by this one function.
local({
  namespace <- asNamespace("grDevices")
  dev.off <- namespace$dev.off
  body(dev.off) <- bquote({
    .(closing_device)(which)
    .(body(dev.off))
  })
  for (where in list(namespace, as.environment("package:grDevices"))) {
    unlockBinding("dev.off", where)
    assign("dev.off", dev.off, envir = where)
    lockBinding("dev.off", where)
  }
})

# Draws a recorded page into a new file, whose name is the answer. Everything comes as text: the width and the
# height in pixels, the resolution in pixels per inch.
render_page <- function(number, form, width, height, resolution) {
  size <- as.numeric(c(width, height))
  resolution <- as.numeric(resolution)
  page <- recorded_pages[[as.integer(number)]]
  file <- tempfile("page")
  current <- grDevices::dev.cur()
  if (form == "svg") {
    grDevices::svg(file, width = size[[1L]] / resolution, height = size[[2L]] / resolution)
  } else {
    grDevices::png(file, width = size[[1L]], height = size[[2L]], res = resolution)
  }
  device <- grDevices::dev.cur()
  drawn <- FALSE
  on.exit({
    grDevices::dev.off(device)
    if (current > 1L) grDevices::dev.set(current)
    if (!drawn) unlink(file)
  })
  grDevices::replayPlot(page)
  drawn <- TRUE
  file
}

# Closes what open_unnamed_device opened, so that the files are complete; devices of the code's own stay.
close_unnamed_devices <- function() {
  for (device in intersect(unnamed_devices, grDevices::dev.list())) grDevices::dev.off(device)
  unnamed_devices <<- integer()
  if (length(drafts) > 0L) name_drafts()
}

# Gives the pages of all devices their names, in the order in which the devices were opened.
name_drafts <- function() {
  folder <- session_folder()
  files <- list.files(folder, draft_pattern, all.files = TRUE)
  part <- function(group) as.integer(sub(draft_pattern, paste0("\\", group), files))
  files <- files[order(part(1L), part(2L))]
  file.rename(file.path(folder, files), file.path(folder, sprintf("unnamedplot%03d.png", seq_along(files))))
  drafts <<- integer()
}

options(device = open_unnamed_device, bitmapType = "cairo")

# Draws once, so that sessions find the graphics libraries and fonts loaded. Only in a process of which a
# trial has shown that it starts no thread.
warm_graphics <- function() {
  file <- tempfile(fileext = ".png")
  grDevices::png(file)
  graphics::plot.default(1, main = "Aa")
  grDevices::dev.off()
  unlink(file)
}
