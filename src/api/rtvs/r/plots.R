# The graphics device of the client's plot window, by the names that the client knows. The work is done in r-init/host.

graphics.ide.new <- function() open_history_device("ide")

graphics.ide.resize <- function(device_id, width, height, resolution) resize_device(device_id, width, height, resolution)

graphics.ide.nextplot <- function(device_id) next_page(device_id)

graphics.ide.previousplot <- function(device_id) previous_page(device_id)

graphics.ide.selectplot <- function(device_id, plot_id) select_page(device_id, plot_id)

graphics.ide.removeplot <- function(device_id, plot_id) remove_page(device_id, plot_id)

graphics.ide.clearplots <- function(device_id) clear_pages(device_id)

graphics.ide.copyplot <- function(source_device_id, source_plot_id, target_device_id) {
  copy_page(source_device_id, source_plot_id, target_device_id)
}

graphics.ide.getactivedeviceid <- function() active_device()

graphics.ide.setactivedeviceid <- function(device_id) {
  activate_device(device_id)
  invisible()
}

graphics.ide.getdeviceid <- function(device_num = grDevices::dev.cur()) device_of(device_num)

graphics.ide.getdevicenum <- function(device_id) number_of(device_id)

graphics.ide.getactiveplotid <- function(device_id) active_page(device_id)
