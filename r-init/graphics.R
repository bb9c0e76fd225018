# Plots for which the code opens no device. R draws them as png() does, into drafts: files with names of their own until
# the operation ends. Then they get the names that clients know (RevoDeployR), or become pages that can be drawn again in
# any size (Rock; r-init/pages.R).

# The number of pages that each device of ours has begun, in the order in which the devices were opened.
drafts <- integer()

# Those that are open: the numbers that R gives them, named by their places in `drafts`.
unnamed_devices <- integer()

# Whether pages are recorded, and their size: width and height in pixels, pixels per inch.
recording <- FALSE
canvas <- c(480, 480, NA)

# Everything comes as text. Without a resolution, png() takes 72 pixels per inch, and does not note it in the file.
begin_files <- function(width, height) {
  recording <<- FALSE
  canvas <<- as.numeric(c(width, height, NA))
  forget_pages()
}

begin_recording <- function(width, height, resolution) {
  recording <<- TRUE
  canvas <<- as.numeric(c(width, height, resolution))
  forget_pages()
}

session_folder <- function() Sys.getenv("OFFSHOOT_SESSION_FOLDER", getwd())

# A device numbers its pages from 1 on. The code may close one and open another; in the end all are numbered together.
draft_pattern <- "[.]unnamedplot-([0-9]+)-([0-9]+)[.]png$"

# Files that are to be kept are renamed, and so begin in the folder in which they stay.
draft_folder <- function() if (recording) tempdir(check = TRUE) else session_folder()

draft_file <- function(draft, page) file.path(draft_folder(), sprintf(".unnamedplot-%d-%03d.png", draft, page))

# R remembers the height of a line of text with the address of its device, and does not forget it with the device
# (GEMetricInfo() in R's engine.c). So a device that is opened at the same address, in another resolution, can have its
# text a pixel too high or too low. Here R has to remember something else.
forget_metrics <- function() {
  try(silent = TRUE, {
    grDevices::pdf(NULL, 7, 7, family = "Helvetica", pointsize = 12)
    device <- grDevices::dev.cur()
    on.exit(grDevices::dev.off(device))
    # Not plot.new(), which has hooks.
    .External2(asNamespace("graphics")$C_plot_new)
    graphics::strheight("M")
  })
}

open_unnamed_device <- function(...) {
  forget_metrics()
  drafts <<- c(drafts, 0L)
  folder <- gsub("%", "%%", draft_folder(), fixed = TRUE)
  pattern <- file.path(folder, sprintf(".unnamedplot-%d-%%03d.png", length(drafts)))
  grDevices::png(pattern, width = canvas[[1L]], height = canvas[[2L]], res = canvas[[3L]])
  if (recording) grDevices::dev.control("enable")
  opened <- grDevices::dev.cur()
  names(opened) <- length(drafts)
  unnamed_devices <<- c(unnamed_devices, opened)
}

# The number of pages begun on a device. R makes the file of a page when the page begins, and for nothing else: not for
# par() or layout(), for example.
begun_pages <- function(draft) {
  while (file.exists(draft_file(draft, drafts[[draft]] + 1L))) drafts[[draft]] <<- drafts[[draft]] + 1L
  drafts[[draft]]
}

# A device that is about to be closed: its number may be another's after that.
closing_device <- function(device) {
  if (!(device %in% unnamed_devices)) return(invisible())
  current <- grDevices::dev.cur()
  grDevices::dev.set(device)
  record_page()
  grDevices::dev.set(current)
  unnamed_devices <<- unnamed_devices[unnamed_devices != device]
}

# Closes what open_unnamed_device opened, so that the files are complete; devices of the code's own stay.
close_unnamed_devices <- function() {
  for (device in intersect(unnamed_devices, grDevices::dev.list())) grDevices::dev.off(device)
  unnamed_devices <<- integer()
  if (length(drafts) == 0L) return(invisible())
  on.exit(drafts <<- integer())
  files <- list.files(draft_folder(), draft_pattern, all.files = TRUE)
  part <- function(group) as.integer(sub(draft_pattern, paste0("\\", group), files))
  files <- files[order(part(1L), part(2L))]
  if (recording) collect_pages(files) else name_drafts(files)
}

name_drafts <- function(files) {
  folder <- draft_folder()
  file.rename(file.path(folder, files), file.path(folder, sprintf("unnamedplot%03d.png", seq_along(files))))
}

# Has a function of R's do something else first, also for the packages that have imported it already. If its package is not loaded yet,
# this is done when it is.
beforehand <- function(package, name, what) {
  if (!isNamespaceLoaded(package)) {
    setHook(packageEvent(package, "onLoad"), function(...) beforehand(package, name, what))
    return(invisible())
  }
  original <- getExportedValue(package, name)
  changed <- original
  body(changed) <- bquote({
    .(what)
    .(body(original))
  })
  imports <- lapply(setdiff(loadedNamespaces(), "base"), function(name) parent.env(asNamespace(name)))
  attached <- if (paste0("package:", package) %in% search()) as.environment(paste0("package:", package))
  for (where in c(asNamespace(package), attached, imports)) {
    if (!identical(where[[name]], original)) next
    unlockBinding(name, where)
    assign(name, changed, envir = where)
    lockBinding(name, where)
  }
}

# R has a hook for new pages and none for the end of a device. All code closes devices by this one function.
beforehand("grDevices", "dev.off", bquote(.(closing_device)(which)))

options(device = open_unnamed_device, bitmapType = "cairo")

# Draws once, so that sessions find the graphics libraries and fonts loaded. Only in a process of which a
# trial has shown that it starts no thread.
warm_graphics <- function() {
  forget_metrics()
  file <- tempfile(fileext = ".png")
  grDevices::png(file)
  graphics::plot.default(1, main = "Aa")
  grDevices::dev.off()
  unlink(file)
}
