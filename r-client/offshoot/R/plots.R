# Plots of the remote session, here.

# Shows plots here, and keeps their files here, as it is wanted.
take_plots <- function(files, display, write) {
  shown <- if (display) grep("[.]png$", files, ignore.case = TRUE, value = TRUE)
  kept <- if (write) grep("[.](png|jpe?g|bmp|tiff?|svg|pdf)$", files, ignore.case = TRUE, value = TRUE)
  if (length(shown) > 0L && !requireNamespace("png", quietly = TRUE)) {
    if (!isTRUE(state$told_of_png)) warning("Package png is needed to show plots here: install.packages(\"png\").", call. = FALSE)
    state$told_of_png <- TRUE
    shown <- NULL
  }
  for (plot in union(shown, kept)) {
    file <- if (plot %in% kept) basename(plot) else tempfile(fileext = ".png")
    send("GET", session_path("files", plot), into = file)
    # A file may be called so and be no picture.
    if (plot %in% shown) {
      tryCatch(show_picture(png::readPNG(file)), error = function(error) {
        warning("The plot \"", plot, "\" cannot be shown: ", conditionMessage(error), call. = FALSE)
      })
    }
    if (!plot %in% kept) unlink(file)
  }
  invisible()
}

# Draws a picture as large as the plot window lets it be.
show_picture <- function(picture) {
  before <- graphics::par(mar = c(0, 0, 0, 0))
  on.exit(graphics::par(before))
  graphics::plot.new()
  graphics::plot.window(c(0, ncol(picture)), c(0, nrow(picture)), asp = 1)
  graphics::rasterImage(picture, 0, 0, ncol(picture), nrow(picture))
}
