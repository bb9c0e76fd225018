//! R's console: what R prints, and our answers where R would ask a user.
//!
//! A worker's standard output and standard error are one pipe to the supervisor. R's own text is written into
//! that pipe without a buffer, so that it stands in order with what C code and child processes print. Marks in the
//! pipe, which the worker chooses, tell R's error stream from the rest. Children that R forks write the same way.
//!
//! R calls the functions that `install` puts in place. None of those here calls an R function that may jump, except inside
//! [`super::exec::protect`], so R never leaves them by longjmp: their ABI is "C", and they may own what they like.

use std::{
    cell::{Cell, RefCell},
    ffi::{CStr, c_char, c_int},
    slice,
};

use super::{ffi, repl, reports, statement, toplevel};

thread_local! {
    /// The mark that stands for a message.
    static MESSAGE_MARK: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
    /// The mark before text of R's error stream in the pipe, and the mark after it.
    static ERROR_MARKS: RefCell<[Vec<u8>; 2]> = const { RefCell::new([Vec::new(), Vec::new()]) };
    /// Whether R's error stream is kept from the console.
    static SILENT: Cell<bool> = const { Cell::new(false) };
    /// What R has written while nobody reads: when it starts, it greets its user.
    static KEPT: RefCell<Option<Vec<u8>>> = const { RefCell::new(None) };
    /// Ends this process when R quits.
    static ON_QUIT: RefCell<Option<fn(i32) -> !>> = const { RefCell::new(None) };
}

/// Sets the marks that are written before and after text of R's error stream.
pub fn set_error_marks(before: Vec<u8>, after: Vec<u8>) {
    ERROR_MARKS.set([before, after]);
}

/// Sets the mark that [`mark_message`] writes.
pub fn set_message_mark(mark: Vec<u8>) {
    MESSAGE_MARK.set(mark);
}

/// Marks the place in the console where a message is sent.
pub fn mark_message() {
    MESSAGE_MARK.with_borrow(|mark| write_all(&[mark]));
}

/// Keeps R's error stream from the console, or no longer; returns what was in force.
pub fn silence_errors(silent: bool) -> bool {
    SILENT.replace(silent)
}

/// Keeps what R writes from the console, until [`kept`] takes it.
pub(super) fn keep() {
    KEPT.set(Some(Vec::new()));
}

/// What R has written since [`keep`].
pub(super) fn kept() -> String {
    String::from_utf8_lossy(&KEPT.take().unwrap_or_default()).into_owned()
}

/// Writes to the console as R does.
pub fn write_output(text: &str) {
    write_all(&[text.as_bytes()]);
}

/// Sets what ends this process when R quits (`q()`), with R's exit status.
pub fn on_quit(end: fn(i32) -> !) {
    ON_QUIT.set(Some(end));
}

/// Puts our functions where R looks for its console.
///
/// # Safety
/// Called after `Rf_initialize_R`, which puts its functions for a terminal there, and before `setup_Rmainloop`.
pub(super) unsafe fn install() {
    // SAFETY: single-threaded, and R reads these variables only from this thread.
    unsafe {
        ffi::R_Outputfile = std::ptr::null_mut();
        ffi::R_Consolefile = std::ptr::null_mut();
        ffi::ptr_R_WriteConsole = None;
        ffi::ptr_R_WriteConsoleEx = Some(write);
        ffi::ptr_R_ReadConsole = Some(toplevel::read_line);
        ffi::ptr_R_ShowMessage = Some(show_message);
        ffi::ptr_R_Suicide = Some(suicide);
        ffi::ptr_R_CleanUp = Some(clean_up);
        ffi::ptr_R_Busy = Some(statement::busy);
        ffi::ptr_R_FlushConsole = Some(nothing);
        ffi::ptr_R_ResetConsole = Some(reset);
        ffi::ptr_R_ClearerrConsole = Some(nothing);
        ffi::ptr_R_ChooseFile = Some(choose_file);
    }
}

unsafe extern "C" fn write(text: *const c_char, length: c_int, kind: c_int) {
    let Ok(length) = usize::try_from(length) else { return };
    // SAFETY: R passes `length` bytes.
    let text = unsafe { slice::from_raw_parts(text.cast::<u8>(), length) };
    let is_error_stream = kind != 0;
    if let Some(()) = KEPT.with_borrow_mut(|kept| kept.as_mut().map(|kept| kept.extend_from_slice(text))) {
        return;
    }
    if (is_error_stream && SILENT.get()) || !reports::pass(is_error_stream, text) {
        return;
    }
    if is_error_stream { write_error(text) } else { write_all(&[text]) }
}

/// Reports an error that stops an evaluation and that R does not print, such as code that does not parse.
pub fn report_error(message: &str) {
    write_error(format!("Error: {message}\n").as_bytes());
}

/// Writes to the console as R's error stream does.
pub(super) fn write_error(text: &[u8]) {
    ERROR_MARKS.with_borrow(|[before, after]| write_all(&[before, text, after]));
}

/// Writes the parts to standard output. R is not told if that fails because nobody reads the console any more.
fn write_all(parts: &[&[u8]]) {
    let mut vectors = [libc::iovec { iov_base: std::ptr::null_mut(), iov_len: 0 }; 3];
    for (vector, part) in vectors.iter_mut().zip(parts) {
        *vector = libc::iovec { iov_base: part.as_ptr().cast_mut().cast(), iov_len: part.len() };
    }
    let mut rest = &mut vectors[..parts.len()];
    while !rest.is_empty() {
        let count = c_int::try_from(rest.len()).unwrap_or(0);
        // SAFETY: `rest` describes live slices; descriptor 1 is the console.
        let written = unsafe { libc::writev(1, rest.as_ptr(), count) };
        let Ok(mut written) = usize::try_from(written) else {
            if std::io::Error::last_os_error().kind() == std::io::ErrorKind::Interrupted {
                continue;
            }
            return;
        };
        while let Some(first) = rest.first_mut() {
            if written < first.iov_len {
                first.iov_base = first.iov_base.cast::<u8>().wrapping_add(written).cast();
                first.iov_len -= written;
                break;
            }
            written -= first.iov_len;
            rest = &mut rest[1..];
        }
    }
}

unsafe extern "C" fn show_message(text: *const c_char) {
    // SAFETY: R passes a terminated string.
    let text = unsafe { CStr::from_ptr(text) };
    write_all(&[text.to_bytes(), b"\n"]);
}

/// R cannot go on. Its last message goes to the console, of which the supervisor keeps the end when a worker dies.
unsafe extern "C" fn suicide(text: *const c_char) {
    // SAFETY: R passes a terminated string.
    let text = unsafe { CStr::from_ptr(text) };
    write_all(&[b"Fatal error in R: ", text.to_bytes(), b"\n"]);
    // SAFETY: always allowed. The status is that of R's own suicide.
    unsafe { libc::_exit(2) }
}

/// `q()` and its relatives: runs `.Last` if asked for, then finalizers, and ends this process. R's own function would
/// also remove the temporary folder, and not that of the session, which the supervisor removes, but that of the zygote.
unsafe extern "C" fn clean_up(save: ffi::SaType, status: c_int, run_last: c_int) {
    /// `SA_SAVE` of `R_ext/RStartup.h`.
    const SAVE: ffi::SaType = 3;
    if save == SAVE && repl::client().is_some() {
        let _ = save_workspace();
    }
    finish(run_last != 0, status)
}

/// Writes the global environment into `.RData` of the current folder.
///
/// # Errors
/// R's.
pub fn save_workspace() -> Result<(), super::exec::RError> {
    super::scripts::call(c"host_save_image")
}

/// Ends the session as `q()` at R's prompt does.
pub fn end_session() -> ! {
    finish(true, 0)
}

fn finish(run_last: bool, status: c_int) -> ! {
    if run_last {
        let _ = super::exec::protect(|_| {
            // SAFETY: inside `protect`.
            unsafe { libR_sys::R_dot_Last() }
        });
    }
    let _ = super::exec::protect(|_| {
        // SAFETY: inside `protect`.
        unsafe { libR_sys::R_RunExitFinalizers() }
    });
    let end = ON_QUIT.with_borrow(|end| *end);
    match end {
        Some(end) => end(status),
        // SAFETY: always allowed.
        None => unsafe { libc::_exit(status) },
    }
}

/// R is about to jump to its top level.
unsafe extern "C" fn reset() {
    if !SILENT.get() {
        reports::jump();
        repl::forget_typed_ahead();
    }
}

unsafe extern "C" fn nothing() {}

/// `file.choose()`: no file is chosen.
unsafe extern "C" fn choose_file(_new: c_int, _buffer: *mut c_char, _length: c_int) -> c_int {
    0
}
