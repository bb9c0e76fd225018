//! Starting R, once, in the zygote.

use std::{
    cell::RefCell,
    ffi::{CStr, CString, OsStr, c_char},
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
};

use libR_sys::{Rf_initialize_R, setup_Rmainloop};

use super::{
    console, ffi,
    scripts::{self, LoadError},
};

/// Starts R on this thread: the main thread of a process that has no other. `R_HOME` and its relatives have been in
/// the environment since the process was started.
///
/// From then on, a panic ends the process at once. If it unwound the stack instead, it would go through R's C frames,
/// which R does not expect, and in a worker run the zygote's destructors. This is decided before unwinding begins, and not
/// by catching it on the way, since R may jump over the frame that would catch it.
///
/// # Errors
/// [`LoadError`]: our own R code does not load.
///
/// # Panics
/// Never: the arguments are constants.
pub fn start() -> Result<(), LoadError> {
    let report = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        report(panic);
        std::process::abort();
    }));
    // R's profiles are not read: what they print, and the errors in them, would be nobody's in the zygote.
    let arguments = ["R", "--no-save", "--no-restore", "--no-readline", "--no-site-file", "--no-init-file"];
    // R edits this array and keeps parts of it: it is never freed.
    let mut pointers: Vec<*mut c_char> =
        arguments.iter().map(|text| CString::new(*text).expect("invariant: no NUL in a constant").into_raw()).collect();
    pointers.push(std::ptr::null_mut());
    let pointers = pointers.leak();
    // SAFETY: the first and only start in this process, on its main thread, with no other thread; the order is
    // that of R's own embedding: flags, Rf_initialize_R, hooks, setup_Rmainloop.
    unsafe {
        // Our own signal handlers are set in each worker.
        ffi::R_SignalHandlers = 0;
        ffi::R_running_as_main_program = 1;
        Rf_initialize_R(i32::try_from(pointers.len() - 1).unwrap_or(0), pointers.as_mut_ptr());
        ffi::R_Interactive = 0;
        console::install();
        console::keep();
        setup_Rmainloop();
        ffi::R_Interactive = 0;
    }
    GREETING.set(console::kept());
    scripts::load()
}

/// Makes this R's command line: the name of the program, and `arguments`, those with a zero byte left out.
pub fn set_arguments(arguments: &[String]) {
    let words = std::iter::once("R").chain(arguments.iter().map(String::as_str));
    let words: Vec<CString> = words.filter_map(|word| CString::new(word).ok()).collect();
    let mut pointers: Vec<*mut c_char> = words.iter().map(|word| word.as_ptr().cast_mut()).collect();
    // SAFETY: R's thread. R copies the words, and does not write to them.
    unsafe { ffi::R_set_command_line_arguments(i32::try_from(pointers.len()).unwrap_or(0), pointers.as_mut_ptr()) };
}

thread_local! {
    /// What R says when it starts.
    static GREETING: RefCell<String> = const { RefCell::new(String::new()) };
}

/// What R says to its user when it starts: its version, and where to find help.
#[must_use]
pub fn greeting() -> String {
    GREETING.with_borrow(Clone::clone)
}

/// Makes `folder` R's temporary folder, in a worker, whose R still has that of the zygote. R's own function would make
/// a new folder, where a session has one already.
pub fn use_temporary_folder(folder: &Path) {
    let Ok(folder) = CString::new(folder.as_os_str().as_bytes()) else { return };
    // SAFETY: single-threaded; R keeps the pointer, and never frees the old one.
    unsafe { ffi::R_TempDir = folder.into_raw() };
}

/// R's `tempdir()`.
#[must_use]
pub fn temporary_folder() -> PathBuf {
    // SAFETY: R's own variable, a terminated string since R was started, copied while nothing else runs.
    let path = unsafe { CStr::from_ptr(ffi::R_TempDir) };
    PathBuf::from(OsStr::from_bytes(path.to_bytes()))
}

/// R's version, such as "4.2.2".
#[must_use]
pub fn version() -> String {
    scripts::ask(c"r_version", &[]).unwrap_or_default().concat()
}
