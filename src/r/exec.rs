//! The way into R: [`protect`].

use std::{
    ffi::{CStr, c_void},
    marker::PhantomData,
    mem::needs_drop,
};

use libR_sys::R_ToplevelExec;

use super::{console, ffi, interrupt};

/// Proof of standing inside [`protect`], on R's thread. Functions that ask for it may call R functions that
/// fail by longjmp; their frames, and those of their callers up to [`protect`], own nothing.
#[derive(Debug, Clone, Copy)]
pub struct R(PhantomData<*mut ()>);

/// R left a protected region by longjmp: an error, an interrupt, or `q()`'s relatives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Jumped;

/// Runs `body` where R may jump: an R error ends it, and is returned as [`Jumped`].
///
/// Nothing that `body` captures or returns may need dropping (checked when compiled), and nothing that it
/// holds in local variables while it calls R (a matter of review). Buffers belong to the caller.
pub fn protect<T, F: FnOnce(R) -> T>(body: F) -> Result<T, Jumped> {
    const { assert!(!needs_drop::<F>() && !needs_drop::<T>(), "a longjmp would leak this") };

    struct Call<F, T> {
        body: Option<F>,
        result: Option<T>,
    }

    unsafe extern "C" fn trampoline<T, F: FnOnce(R) -> T>(data: *mut c_void) {
        // SAFETY: `data` is the `Call` that `protect` passed to R_ToplevelExec, alive until that returns, and
        // nobody else has a reference to it meanwhile.
        let call = unsafe { &mut *data.cast::<Call<F, T>>() };
        if let Some(body) = call.body.take() {
            call.result = Some(body(R(PhantomData)));
        }
    }

    let mut call = Call::<F, T> { body: Some(body), result: None };
    // SAFETY: `trampoline::<T, F>` matches the type of `call`, which outlives the call. R_ToplevelExec catches
    // every jump, and the frames between it and R own nothing, as asserted above.
    unsafe { R_ToplevelExec(Some(trampoline::<T, F>), (&raw mut call).cast()) };
    call.result.ok_or(Jumped)
}

/// [`protect`] for work of our own: R's message goes into the error and not to the console.
pub fn protect_quietly<T, F: FnOnce(R) -> T>(body: F) -> Result<T, String> {
    let was = console::silence_errors(true);
    let earlier = mark_error_text(0);
    let result = protect(body);
    console::silence_errors(was);
    if result.is_ok() {
        mark_error_text(earlier);
    }
    result.map_err(|Jumped| match last_error() {
        _ if interrupt::cpu_limit_reached() => "stopped at the limit on processor time".to_owned(),
        message if message.is_empty() => "interrupted".to_owned(),
        message => message,
    })
}

/// Sets the first byte of the text of R's last error, and returns what it was. An interrupt is no error, and
/// leaves the text as it is: only with a mark in it can the two be told apart. Without an error, the mark is
/// taken away again, as the text is the user's (`geterrmessage()`).
fn mark_error_text(byte: u8) -> u8 {
    // SAFETY: R returns a static array of its own, which is not constant; one thread.
    unsafe { ffi::R_curErrorBuf().cast_mut().cast::<u8>().replace(byte) }
}

/// The text of R's last error, without its "Error in f(x) : ".
#[must_use]
pub fn last_error() -> String {
    // SAFETY: R returns a static buffer that is always terminated; nothing else runs while it is copied.
    let text = unsafe { CStr::from_ptr(ffi::R_curErrorBuf()) }.to_string_lossy();
    // The calls that led there are not part of what is wrong (`showErrorCalls` in R's options).
    let text = text.trim_end();
    let text = text.rsplit_once('\n').filter(|(_, last)| last.starts_with("Calls: ")).map_or(text, |(message, _)| message);
    let message = match text.strip_prefix("Error in ") {
        Some(rest) => rest.split_once(" : ").map_or(rest, |(_, message)| message),
        None => text.strip_prefix("Error: ").unwrap_or(text),
    };
    message.trim_start().to_owned()
}
