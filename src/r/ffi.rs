//! What R exports for programs that embed it, and `libR-sys` does not bind or does not bind as we need it.
//!
//! A callback that R may leave by longjmp is "C-unwind", the ABI that Rust has for functions that may be left in another
//! way than by returning. All others are "C". `libR-sys` declares R's own functions as "C" even where they jump. This
//! makes no difference: on Linux, longjmp sets registers and unwinds nothing, and C compilers, too, take such functions for
//! ones that do not unwind.
//!
//! The declarations are grouped by R's headers, and `tests/it/ffi.rs` has the C compiler compare each with
//! the headers of the R that is installed.

use std::ffi::{c_char, c_int, c_uchar, c_ulong, c_void};

use libR_sys::{R_inpstream_t, R_pstream_format_t, Rboolean, SEXP};

/// `SA_TYPE` of `R_ext/RStartup.h`: what to do with the workspace at the end.
pub type SaType = c_int;

#[expect(improper_ctypes, reason = "R hands out pointers to what only R looks into")]
unsafe extern "C-unwind" {
    // Rinternals.h: bound by libR-sys with callbacks that may not be left by longjmp.
    pub fn R_ToplevelExec(body: Option<unsafe extern "C-unwind" fn(*mut c_void)>, data: *mut c_void) -> Rboolean;
    pub fn R_InitInPStream(
        stream: R_inpstream_t,
        data: *mut c_void,
        format: R_pstream_format_t,
        read_char: Option<unsafe extern "C-unwind" fn(R_inpstream_t) -> c_int>,
        read_bytes: Option<unsafe extern "C-unwind" fn(R_inpstream_t, *mut c_void, c_int)>,
        hook: Option<unsafe extern "C-unwind" fn(SEXP, SEXP) -> SEXP>,
        hook_data: SEXP,
    );

    pub fn R_UnwindProtect(
        body: Option<unsafe extern "C-unwind" fn(*mut c_void) -> SEXP>,
        data: *mut c_void,
        clean: Option<unsafe extern "C-unwind" fn(*mut c_void, Rboolean)>,
        clean_data: *mut c_void,
        jump: SEXP,
    ) -> SEXP;

    // Rembedded.h
    pub fn R_ReplDLLinit();
    pub fn R_ReplDLLdo1() -> c_int;
    pub fn run_Rmainloop();
    pub static mut R_SignalHandlers: c_int;
    pub static mut R_TempDir: *mut c_char;

    // Rinterface.h
    pub static mut R_Interactive: c_int;
    pub static mut R_Outputfile: *mut libc::FILE;
    pub static mut R_Consolefile: *mut libc::FILE;
    pub static mut R_running_as_main_program: c_int;
    pub static mut ptr_R_Suicide: Option<unsafe extern "C" fn(*const c_char)>;
    pub static mut ptr_R_ShowMessage: Option<unsafe extern "C" fn(*const c_char)>;
    pub static mut ptr_R_ReadConsole: Option<unsafe extern "C-unwind" fn(*const c_char, *mut c_uchar, c_int, c_int) -> c_int>;
    pub static mut ptr_R_WriteConsole: Option<unsafe extern "C" fn(*const c_char, c_int)>;
    pub static mut ptr_R_WriteConsoleEx: Option<unsafe extern "C" fn(*const c_char, c_int, c_int)>;
    pub static mut ptr_R_ResetConsole: Option<unsafe extern "C" fn()>;
    pub static mut ptr_R_FlushConsole: Option<unsafe extern "C" fn()>;
    pub static mut ptr_R_ClearerrConsole: Option<unsafe extern "C" fn()>;
    pub static mut ptr_R_Busy: Option<unsafe extern "C" fn(c_int)>;
    pub static mut ptr_R_CleanUp: Option<unsafe extern "C" fn(SaType, c_int, c_int)>;
    pub static mut ptr_R_ChooseFile: Option<unsafe extern "C" fn(c_int, *mut c_char, c_int) -> c_int>;

    // Rinterface.h: a structure that R declares elsewhere.
    pub static mut R_GlobalContext: *mut c_void;

    // R_ext/eventloop.h
    pub static mut R_InputHandlers: *mut InputHandler;
    pub static mut R_PolledEvents: Option<unsafe extern "C" fn()>;
    pub static mut R_wait_usec: c_int;
    pub fn R_set_command_line_arguments(count: c_int, arguments: *mut *mut c_char);
    pub fn addInputHandler(
        handlers: *mut InputHandler,
        descriptor: c_int,
        handler: Option<unsafe extern "C-unwind" fn(*mut c_void)>,
        activity: c_int,
    ) -> *mut InputHandler;
    pub fn R_runHandlers(handlers: *mut InputHandler, ready: *mut libc::fd_set);

    // R_ext/GraphicsEngine.h: a device by its number, from 1; null if there is none.
    pub fn GEgetDevice(number: c_int) -> *mut GraphicsDevice;

    // Internal to R, but exported: whether the value of the statement is printed (Defn.h).
    pub static mut R_Visible: Rboolean;
    // Internal to R, but exported: the values that R protects, and how many they are (Defn.h).
    pub static mut R_PPStack: *mut SEXP;
    pub static mut R_PPStackTop: c_int;
    // Internal to R, but exported: the value, the code and the expression of a promise, the value of a symbol (Defn.h).
    pub fn PRVALUE(promise: SEXP) -> SEXP;
    pub fn PRCODE(promise: SEXP) -> SEXP;
    pub fn R_PromiseExpr(promise: SEXP) -> SEXP;
    pub fn SYMVALUE(symbol: SEXP) -> SEXP;
    // Internal to R, but exported: whether R stops in its browser before each statement that is evaluated in an environment (Defn.h).
    pub fn RDEBUG(environment: SEXP) -> c_int;
    pub fn SET_RDEBUG(environment: SEXP, stops: c_int);
    // R_ext/Error.h's neighbour, used by front ends: the text of the last error.
    pub fn R_curErrorBuf() -> *const c_char;

    // libintl.h: translations, which R's own messages come from.
    pub fn dgettext(domain: *const c_char, message: *const c_char) -> *mut c_char;
    pub fn dngettext(domain: *const c_char, one: *const c_char, many: *const c_char, count: c_ulong) -> *mut c_char;
}

/// `InputHandler` of `R_ext/eventloop.h`: who is told when a descriptor can be read.
#[repr(C)]
#[derive(Debug)]
pub struct InputHandler {
    /// What kind of events it is for.
    pub activity: c_int,
    /// The descriptor.
    pub descriptor: c_int,
    /// Called when it can be read.
    pub handler: Option<unsafe extern "C-unwind" fn(*mut c_void)>,
    /// The next handler.
    pub next: *mut InputHandler,
    /// Whether the descriptor is watched.
    pub active: c_int,
    /// The argument of `handler`.
    pub data: *mut c_void,
}

/// The beginning of `GEDevDesc` of `R_ext/GraphicsEngine.h`: what R's graphics engine knows about a device.
#[repr(C)]
#[derive(Debug)]
pub struct GraphicsDevice {
    device: *mut c_void,
    display_list_on: c_int,
    display_list: SEXP,
    last_element: SEXP,
    saved_snapshot: SEXP,
    dirty: c_int,
    /// Whether what is drawn is recorded. It is not while a call draws that is recorded itself.
    pub records: c_int,
}

/// A native routine for `.Call` with any number of arguments, as R stores it.
pub type NativeRoutine = Option<unsafe extern "C" fn() -> *mut c_void>;

/// A native routine of one argument for `.Call`.
pub type Native1 = unsafe extern "C-unwind" fn(SEXP) -> SEXP;
