# locator(), identify() and grid.locator() on a device with a history: its user is asked for places. R's own functions ask the device,
# and one that draws into a file knows none.

# Where the user clicks on a device, in pixels from its upper left corner; NULL if they have had enough.
clicked_pixel <- function(history) {
  send_change(history)
  place <- host_ask("locate", history$id)
  if (length(place) == 2L) place
}

# The same in the units of the plot.
clicked_place <- function(history) {
  look(history)
  if (history$begun == 0L) stop("plot.new has not been called yet", call. = FALSE)
  place <- clicked_pixel(history)
  if (is.null(place)) return(NULL)
  c(graphics::grconvertX(place[[1L]], "device", "user"), graphics::grconvertY(place[[2L]], "device", "user"))
}

# The same in inches from the lower left corner of the current device, or missing values.
clicked_inches <- function() {
  history <- current_history()
  place <- clicked_pixel(history)
  if (is.null(place)) return(c(NA_real_, NA_real_))
  c(place[[1L]], history$canvas[[2L]] - place[[2L]]) / history$canvas[[3L]]
}

# The arguments are those of graphics::locator().
locate_places <- function(n = 512, type = "n", ...) {
  history <- current_history()
  n <- as.integer(n)
  if (length(n) != 1L || is.na(n) || n < 1L) stop("invalid number of points in locator()", call. = FALSE)
  x <- y <- numeric()
  while (length(x) < n) {
    place <- clicked_place(history)
    if (is.null(place)) break
    x <- c(x, place[[1L]])
    y <- c(y, place[[2L]])
    if (type %in% c("p", "o", "b")) graphics::points(place[[1L]], place[[2L]], ...)
    if (type %in% c("l", "o", "b") && length(x) > 1L) graphics::lines(utils::tail(x, 2L), utils::tail(y, 2L), ...)
  }
  if (length(x) > 0L) list(x = x, y = y)
}

# The arguments are those of identify() for points.
identify_places <- function(x, y = NULL, labels = seq_along(x), pos = FALSE, n = length(x), plot = TRUE, atpen = FALSE,
                            offset = 0.5, tolerance = 0.25, order = FALSE, ...) {
  history <- current_history()
  labels <- as.character(labels)
  points <- grDevices::xy.coords(x, y, setLab = FALSE)
  labels <- rep_len(labels, length(points$x))
  inches <- list(x = graphics::grconvertX(points$x, "user", "inches"), y = graphics::grconvertY(points$y, "user", "inches"))
  found <- sides <- integer()
  while (length(found) < n) {
    place <- clicked_place(history)
    if (is.null(place)) break
    across <- graphics::grconvertX(place[[1L]], "user", "inches") - inches$x
    up <- graphics::grconvertY(place[[2L]], "user", "inches") - inches$y
    distance <- sqrt(across^2 + up^2)
    nearest <- which.min(distance)
    if (length(nearest) == 0L || distance[[nearest]] > tolerance) {
      warning("no point within ", tolerance, " inches", call. = FALSE, immediate. = TRUE)
    } else if (nearest %in% found) {
      warning("nearest point already identified", call. = FALSE, immediate. = TRUE)
    } else {
      side <- side_of(across[[nearest]], up[[nearest]])
      found <- c(found, nearest)
      sides <- c(sides, if (atpen) 0L else side)
      if (plot) mark_place(if (atpen) place else c(points$x[[nearest]], points$y[[nearest]]), labels[[nearest]], side, atpen, offset, ...)
    }
  }
  arranged <- if (order) seq_along(found) else base::order(found)
  answer <- list(ind = found[arranged])
  if (pos) answer$pos <- sides[arranged]
  if (order) answer$order <- seq_along(found)
  if (length(answer) == 1L) answer$ind else answer
}

# On which side of a point a click was: 1 below, 2 left, 3 above, 4 right, as text() counts.
side_of <- function(across, up) {
  if (abs(up) > abs(across)) {
    if (up > 0) 3L else 1L
  } else {
    if (across > 0) 4L else 2L
  }
}

mark_place <- function(place, label, side, atpen, offset, ...) {
  if (atpen) {
    graphics::text(place[[1L]], place[[2L]], label, adj = c(0, 0), ...)
  } else {
    graphics::text(place[[1L]], place[[2L]], label, pos = side, offset = offset, ...)
  }
}

# Classes can have methods of their own, which ask by locator().
has_method <- function(x) {
  for (class in class(x)) if (!is.null(utils::getS3method("identify", class, optional = TRUE))) return(TRUE)
  FALSE
}

beforehand("graphics", "locator", bquote(if (.(has_history)()) return(.(locate_places)(n, type, ...))))
beforehand("graphics", "identify", bquote(if (.(has_history)() && !.(has_method)(x)) return(.(identify_places)(x, ...))))

# It calls a routine for the place in inches.
beforehand("grid", "grid.locator", bquote(if (.(has_history)()) grid.Call <- function(...) .(clicked_inches)()))
