//! Plots that code draws without opening a graphics device. `r-init/graphics.R` opens and closes a device for them, or
//! records their pages.

use std::{cell::Cell, path::PathBuf};

use libR_sys::{Rf_NumDevices, Rf_lang1, Rf_nextDevice, Rf_protect, Rf_unprotect};

use super::{
    exec::{RError, protect},
    ffi, fonts, scripts, strings,
};

/// What becomes of plots for which the code opens no device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Plots {
    /// They are files in the working folder, of this width and height in pixels.
    Files([u32; 2]),
    /// Their pages are kept until the next operation. While the code draws, they have this size: width and height in pixels, and pixels
    /// per inch.
    Recorded([u32; 3]),
}

thread_local! {
    /// What R has been told last.
    static WANTED: Cell<Option<Plots>> = const { Cell::new(None) };
}

/// Tells R that an operation begins, and that pages of the last one are to be forgotten.
pub fn begin(plots: Plots) {
    fonts::keep_current();
    if WANTED.get() == Some(plots) && pages() == 0 {
        return;
    }
    let begun = match plots {
        Plots::Files(size) => {
            let texts = size.map(|number| number.to_string());
            scripts::ask(c"begin_files", &texts.each_ref().map(String::as_str)).map(drop)
        }
        Plots::Recorded(size) => {
            let texts = size.map(|number| number.to_string());
            scripts::ask(c"begin_recording", &texts.each_ref().map(String::as_str)).map(drop)
        }
    };
    if begun.is_ok() {
        WANTED.set(Some(plots));
    }
}

/// The size in which the pages of the last operation were drawn, if it has recorded them.
#[must_use]
pub fn recorded_size() -> Option<[u32; 3]> {
    match WANTED.get() {
        Some(Plots::Recorded(size)) => Some(size),
        Some(Plots::Files(_)) | None => None,
    }
}

/// How many pages the last operation has left.
#[must_use]
pub fn pages() -> usize {
    scripts::length(c"recorded_pages")
}

/// Draws page `number`, from 1, into a file: as `png` or as `svg`, of this size in pixels, at this many pixels
/// per inch.
///
/// # Errors
/// R's: there has to be such a page.
pub fn render(number: usize, form: &str, [width, height, resolution]: [u32; 3]) -> Result<PathBuf, RError> {
    fonts::keep_current();
    let texts = [number.to_string(), width.to_string(), height.to_string(), resolution.to_string()];
    let [number, width, height, resolution] = texts.each_ref().map(String::as_str);
    scripts::ask(c"render_page", &[number, form, width, height, resolution]).map(|file| file.concat().into())
}

/// Closes the devices of unnamed plots, so that their files are complete.
pub fn close_unnamed() {
    fonts::note();
    // SAFETY: reads a counter; does not jump. The count includes R's null device, which is always there.
    let devices = unsafe { Rf_NumDevices() } - 1;
    if devices > 0 || scripts::length(c"drafts") > 0 {
        // A device that cannot be closed leaves its file as it is; the next execution tries again.
        let _ = scripts::call(c"close_unnamed_devices");
        if scripts::length(c"left_out") > 0 {
            // Not by `scripts::call`, which silences what R writes to its error stream.
            // SAFETY: inside `protect`; the call is protected while it is evaluated.
            let _ = protect(|r| unsafe {
                scripts::eval(r, Rf_protect(Rf_lang1(strings::symbol(r, c"tell_left_out"))));
                Rf_unprotect(1);
            });
        }
    }
}

/// Runs an evaluation on top of what runs, which may be a call that draws and is recorded: what such a call draws is not recorded once
/// more. An error in the evaluation, or in a finalizer, may change that for all devices (`GEonExit` of R's engine.c), so it is set again.
pub(super) fn with_recording_kept<T>(run: impl FnOnce() -> T) -> T {
    // SAFETY: devices of R's, on its thread.
    let before: Vec<_> = devices().map(|device| (device, unsafe { (*device).records })).collect();
    let result = run();
    for device in devices() {
        if let Some((_, records)) = before.iter().find(|(known, _)| *known == device) {
            // SAFETY: as above; R has this device at this moment.
            unsafe { (*device).records = *records };
        }
    }
    result
}

/// The devices that are open.
fn devices() -> impl Iterator<Item = *mut ffi::GraphicsDevice> {
    // SAFETY: reads a counter; does not jump. R's null device is counted, and is never the next one of another.
    let count = unsafe { Rf_NumDevices() } - 1;
    let mut number = 0;
    (0..count).map(move |_| {
        // SAFETY: both read R's table of devices, and do not jump.
        unsafe {
            number = Rf_nextDevice(number);
            ffi::GEgetDevice(number)
        }
    })
}
