//! Plots for which the code opens no device; `r-init/graphics.R` opens and closes theirs.

use libR_sys::Rf_NumDevices;

use super::scripts;

/// Closes the devices of unnamed plots, so that their files are complete.
pub fn close_unnamed() {
    // SAFETY: reads a counter; does not jump. The null device is counted.
    if unsafe { Rf_NumDevices() } > 1 {
        // A device that cannot be closed leaves its file as it is; the next execution tries again.
        let _ = scripts::call(c"close_unnamed_devices");
    }
}
