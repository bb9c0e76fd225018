# The graphics device of the client's plot window, by the names that the client knows. The work is done in r-init/host.

graphics.ide.new <- function() history_open("ide")

graphics.ide.resize <- function(device_id, width, height, resolution) history_resize(device_id, width, height, resolution)

graphics.ide.nextplot <- function(device_id) history_next(device_id)

graphics.ide.previousplot <- function(device_id) history_previous(device_id)

graphics.ide.selectplot <- function(device_id, plot_id) history_select(device_id, plot_id)

graphics.ide.removeplot <- function(device_id, plot_id) history_remove(device_id, plot_id)

graphics.ide.clearplots <- function(device_id) history_clear(device_id)

graphics.ide.copyplot <- function(source_device_id, source_plot_id, target_device_id) {
  history_copy(source_device_id, source_plot_id, target_device_id)
}

graphics.ide.getactivedeviceid <- function() history_active_device()

graphics.ide.setactivedeviceid <- function(device_id) {
  history_activate(device_id)
  invisible()
}

graphics.ide.getdeviceid <- function(device_num = grDevices::dev.cur()) history_device(device_num)

graphics.ide.getdevicenum <- function(device_id) history_number(device_id)

graphics.ide.getactiveplotid <- function(device_id) history_active_page(device_id)
