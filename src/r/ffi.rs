//! What R exports for programs that embed it, and `libR-sys` does not bind.
//!
//! The declarations are grouped by R's headers, and `tests/it/ffi.rs` has the C compiler compare each with
//! the headers of the R that is installed.

use std::ffi::{c_char, c_int, c_uchar, c_void};

use libR_sys::SEXP;

/// `SA_TYPE` of `R_ext/RStartup.h`: what to do with the workspace at the end.
pub type SaType = c_int;

#[expect(improper_ctypes, reason = "R hands out pointers to what only R looks into")]
unsafe extern "C" {
    // Rembedded.h
    pub static mut R_SignalHandlers: c_int;
    pub static mut R_TempDir: *mut c_char;

    // Rinterface.h
    pub static mut R_Interactive: c_int;
    pub static mut R_Outputfile: *mut libc::FILE;
    pub static mut R_Consolefile: *mut libc::FILE;
    pub static mut R_running_as_main_program: c_int;
    pub static mut ptr_R_Suicide: Option<unsafe extern "C" fn(*const c_char)>;
    pub static mut ptr_R_ShowMessage: Option<unsafe extern "C" fn(*const c_char)>;
    pub static mut ptr_R_ReadConsole: Option<unsafe extern "C" fn(*const c_char, *mut c_uchar, c_int, c_int) -> c_int>;
    pub static mut ptr_R_WriteConsole: Option<unsafe extern "C" fn(*const c_char, c_int)>;
    pub static mut ptr_R_WriteConsoleEx: Option<unsafe extern "C" fn(*const c_char, c_int, c_int)>;
    pub static mut ptr_R_ResetConsole: Option<unsafe extern "C" fn()>;
    pub static mut ptr_R_FlushConsole: Option<unsafe extern "C" fn()>;
    pub static mut ptr_R_ClearerrConsole: Option<unsafe extern "C" fn()>;
    pub static mut ptr_R_Busy: Option<unsafe extern "C" fn(c_int)>;
    pub static mut ptr_R_CleanUp: Option<unsafe extern "C" fn(SaType, c_int, c_int)>;
    pub static mut ptr_R_ShowFiles:
        Option<unsafe extern "C" fn(c_int, *mut *const c_char, *mut *const c_char, *const c_char, c_int, *const c_char) -> c_int>;
    pub static mut ptr_R_ChooseFile: Option<unsafe extern "C" fn(c_int, *mut c_char, c_int) -> c_int>;

    // Internal to R, but exported: the result of the last evaluation is to be printed (Defn.h).
    pub static mut R_Visible: c_int;
    // Internal to R, but exported: set by package parallel in its children (Defn.h).
    pub static mut R_isForkedChild: c_int;
    // Internal to R, but exported: what a promise and a symbol hold (Defn.h).
    pub fn PRVALUE(promise: SEXP) -> SEXP;
    pub fn PRCODE(promise: SEXP) -> SEXP;
    pub fn SYMVALUE(symbol: SEXP) -> SEXP;
    // R_ext/Error.h's neighbour, used by front ends: the text of the last error.
    pub fn R_curErrorBuf() -> *const c_char;
}

/// A function of R's handler stack or of `.Call`, as an untyped pointer.
pub type NativeRoutine = Option<unsafe extern "C" fn() -> *mut c_void>;

/// A three-argument native routine for `.Call`.
pub type Native4 = unsafe extern "C" fn(SEXP, SEXP, SEXP, SEXP) -> SEXP;
