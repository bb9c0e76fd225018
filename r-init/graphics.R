# Plots for which the code opens no device: PNG files in the session's working folder.

unnamed_devices <- integer()

# The numbering starts anew with each execution, as the device of the last one is closed by then.
open_unnamed_device <- function(...) {
  folder <- Sys.getenv("OFFSHOOT_SESSION_FOLDER", getwd())
  pattern <- file.path(gsub("%", "%%", folder, fixed = TRUE), "unnamedplot%03d.png")
  grDevices::png(pattern, width = 480, height = 480)
  unnamed_devices <<- c(unnamed_devices, grDevices::dev.cur())
}

# Closes what open_unnamed_device opened, so that the files are complete; devices of the code's own stay.
close_unnamed_devices <- function() {
  for (device in intersect(unnamed_devices, grDevices::dev.list())) {
    grDevices::dev.off(device)
  }
  unnamed_devices <<- integer()
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
