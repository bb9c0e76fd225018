# Recorded pages: what the code has drawn without opening a device, as a picture of the size that was set before, and as
# R's own recording, from which a page is drawn in other sizes.

# Each page of the last operation: `picture`, the bytes of its PNG file; `canvas`, its size; `recording`, which is NULL
# if R could not make it.
recorded_pages <- list()

# Recordings of complete pages by the names of their drafts, while an operation runs.
recordings <- list()

# Pages kept of one operation.
most_pages <- 200L

# The number of the others, while nobody has been told.
left_out <- integer()

forget_pages <- function() {
  recorded_pages <<- list()
  recordings <<- list()
}

# Whether the current device keeps a display list, of which recordings are made.
records <- asNamespace("grDevices")$dev.displaylist

# Records what is on the current device, if that is ours and a page has begun on it. When this happens more than once
# for a page, the last time counts.
record_page <- function() {
  current <- unnamed_devices[unnamed_devices == grDevices::dev.cur()]
  if (!recording || length(current) == 0L) return(invisible())
  draft <- as.integer(names(current))
  page <- begun_pages(draft)
  if (page == 0L) return(invisible())
  file <- draft_file(draft, page)
  name <- basename(file)
  if (length(recordings) >= most_pages && !(name %in% names(recordings))) {
    # It would take space until the end, for nothing.
    unlink(file)
  } else {
    # The code may have told the device to record nothing.
    recordings[[name]] <<- if (records()) tryCatch(grDevices::recordPlot(), error = function(e) NULL)
  }
  invisible()
}

# A page is complete when the next one begins, which these do. With several plots on a page, not every new plot begins
# one.
setHook("before.plot.new", function(...) {
  if (recording && grDevices::dev.cur() %in% unnamed_devices && graphics::par("page")) record_page()
})
setHook("before.grid.newpage", function(...) record_page())
beforehand("graphics", "persp", bquote(.(record_page)()))
beforehand("grDevices", "replayPlot", bquote(.(record_page)()))

# Makes pages of the drafts.
collect_pages <- function(names) {
  on.exit({
    unlink(file.path(draft_folder(), names))
    recordings <<- list()
  })
  kept <- utils::head(names, most_pages)
  recorded_pages <<- lapply(kept, function(name) {
    file <- file.path(draft_folder(), name)
    list(picture = readBin(file, "raw", file.size(file)), canvas = canvas, recording = recordings[[name]])
  })
  others <- sum(drafts) - length(kept)
  if (others > 0L) left_out <<- others
}

tell_left_out <- function() {
  cat("Only the first ", most_pages, " plots are kept, and ", left_out, " are not\n", sep = "", file = stderr())
  left_out <<- integer()
}

# Draws a page into a new file, whose name is the answer. Everything comes as text: the width and the height in pixels,
# the resolution in pixels per inch.
render_page <- function(number, form, width, height, resolution) {
  page <- recorded_pages[[as.integer(number)]]
  size <- as.numeric(c(width, height, resolution))
  file <- tempfile("page")
  if (form == "png" && identical(size, page$canvas)) {
    writeBin(page$picture, file)
  } else if (is.null(page$recording)) {
    pixels <- paste(page$canvas[1:2], collapse = " by ")
    stop("R has no recording of it, so that there is only the PNG of ", pixels, " pixels", call. = FALSE)
  } else {
    draw_again(page$recording, file, form, size)
  }
  file
}

draw_again <- function(recording, file, form, size) {
  open <- function(file) {
    if (form == "svg") {
      grDevices::svg(file, width = size[[1L]] / size[[3L]], height = size[[2L]] / size[[3L]])
    } else {
      grDevices::png(file, width = size[[1L]], height = size[[2L]], res = size[[3L]])
    }
  }
  draw_into(recording, file, open, failed = function(e) {
    measures <- sprintf("%d by %d pixels at %d pixels per inch", size[[1L]], size[[2L]], size[[3L]])
    stop(measures, " may be too small for it: ", conditionMessage(e), call. = FALSE)
  })
}

# Drawing sets what the code had set when it drew, and may use random numbers. This puts it back.
undisturbed <- function(drawing) {
  colours <- grDevices::palette()
  seed <- globalenv()$.Random.seed
  on.exit({
    grDevices::palette(colours)
    if (!is.null(seed)) {
      assign(".Random.seed", seed, envir = globalenv())
    } else if (exists(".Random.seed", envir = globalenv(), inherits = FALSE)) {
      rm(".Random.seed", envir = globalenv())
    }
  })
  suppressWarnings(drawing)
}

# Draws a recording into a file, on a device that `open` opens. The device that was the current one is so again afterwards.
draw_into <- function(recording, file, open, failed = stop) {
  current <- grDevices::dev.cur()
  # Nobody is to be asked before each page.
  asking <- options(device.ask.default = FALSE)
  drawn <- FALSE
  on.exit({
    if (current > 1L) grDevices::dev.set(current)
    options(asking)
    if (!drawn) unlink(file)
  })
  paint(file, open, tryCatch(undisturbed(grDevices::replayPlot(recording)), error = failed))
  # A page that has begun and failed at once has nothing to be replayed. It is empty.
  if (!file.exists(file)) {
    paint(file, open, {
      graphics::par(mfrow = c(1, 1), mar = numeric(4L), oma = numeric(4L))
      .External2(asNamespace("graphics")$C_plot_new)
    })
  }
  drawn <- TRUE
}

paint <- function(file, open, drawing) {
  forget_metrics()
  open(file)
  device <- grDevices::dev.cur()
  on.exit({
    grDevices::dev.off(device)
    # The next device may be one of the code's own, at the same address.
    forget_metrics()
  })
  drawing
}

# These measure text or the device to find out where to draw. R would record the places, which are right in one size
# only. So the call is recorded, and measures anew whenever the page is drawn.
record_call <- function(name, original, frame) {
  given <- setdiff(names(formals(original)), "...")
  given <- given[!vapply(given, function(argument) eval(call("missing", as.name(argument)), frame), NA)]
  arguments <- mget(given, envir = frame)
  if ("..." %in% names(formals(original))) arguments <- c(arguments, eval(quote(list(...)), frame))
  values <- lapply(arguments, function(value) if (is.language(value)) call("quote", value) else value)
  surroundings <- list(call = as.call(c(as.name(name), values)))
  surroundings[[name]] <- original
  grDevices::recordGraphics(eval(call), surroundings, baseenv())
}

is_recorded <- function() (recording && grDevices::dev.cur() %in% unnamed_devices) || has_history()

for (name in c("legend", "polygon")) {
  original <- getExportedValue("graphics", name)
  beforehand("graphics", name, bquote(if (.(is_recorded)()) {
    return(invisible(.(record_call)(.(name), .(original), environment())))
  }))
}
rm(name, original)

# Without R's recording, a page of grid's has nothing that it could be drawn from. Where there is no device, grid opens one.
beforehand("grid", "engine.display.list", bquote({
  if (grDevices::dev.cur() == 1L) grDevices::dev.new()
  if (.(is_recorded)()) return(invisible())
}))
