//! R at the prompt of a user: R's own loop asks for lines, and somebody answers.
//!
//! All that R does at its prompt is R's own here: continued lines, `browser()`, task callbacks, `.Last.value`, warnings after a command,
//! `traceback()`. What R asks and tells goes to a [`Client`]. While R waits for an answer, and now and then while it computes, the client
//! may have code evaluated beside: see [`evaluate`].
//!
//! R leaves frames here by longjmp. So what R calls is in two parts: one that owns what it likes and returns a plain value, after which
//! nothing is owned, and one that has R jump.

use std::{
    cell::{Cell, RefCell},
    ffi::{CStr, c_char, c_int, c_uchar},
    rc::Rc,
};

use libR_sys::{
    ParseStatus, R_BaseEnv, R_EmptyEnv, R_GlobalEnv, R_NewEnv, R_NilValue, R_ParseVector, R_interrupts_pending, R_interrupts_suspended,
    RAW, Rboolean, Rf_eval, Rf_protect, Rf_unprotect, SEXP, SEXPTYPE, TYPEOF, VECTOR_ELT, XLENGTH,
};

use super::{
    error_text, events,
    exec::{RError, protect, protect_quietly},
    ffi, graphics, natives,
    preserved::{self, Preserved},
    reports::{self, Reason},
    scripts, strings,
};

/// What R wants to read.
#[derive(Debug)]
pub struct Prompt {
    /// The prompt.
    pub text: String,
    /// Whether what is read belongs in the history.
    pub history: bool,
    /// The flags of R's contexts, from the innermost to the outermost.
    pub contexts: Vec<i32>,
    /// A line has to have fewer bytes.
    pub limit: usize,
    /// Whether this is R's own prompt, with nothing running.
    pub is_top: bool,
    /// Whether the last answer had a line that was too long.
    pub again: bool,
}

/// An answer to a [`Prompt`].
#[derive(Debug)]
pub enum Typed {
    /// Some lines.
    Text(String),
    /// There are no more.
    End,
    /// Nobody may be asked now. R gets an error.
    Refused,
    /// Everything is to be stopped.
    Stopped,
}

/// Who is at the other end of R's prompt.
pub trait Client: natives::NativeServer {
    /// R asks for a line, and waits.
    fn line(&self, prompt: Prompt) -> Typed;
    /// R computes from now on, or no longer.
    fn busy(&self, busy: bool);
    /// R has a message that wants to be seen.
    fn message(&self, text: &str);
    /// R computes, and may be asked meanwhile. Returns whether what runs is to be interrupted.
    fn look(&self) -> bool;
}

thread_local! {
    static CLIENT: RefCell<Option<Rc<dyn Client>>> = const { RefCell::new(None) };
    /// Where R's own prompt has its buffer, which tells it from prompts within.
    static TOP: Cell<usize> = const { Cell::new(0) };
    /// Lines that were typed ahead: the buffer of the prompt that they are for, how many evaluations were on the stack then, and the text.
    static AHEAD: RefCell<Option<(usize, usize, String)>> = const { RefCell::new(None) };
    /// How often lines were given to a loop that evaluates them, R's own or a browser's.
    static GIVEN: Cell<u64> = const { Cell::new(0) };
    /// A call that leaves everything that runs, for R's own prompt.
    static ABORT: Cell<SEXP> = const { Cell::new(std::ptr::null_mut()) };
}

/// Makes the values that are needed, in the zygote.
///
/// # Errors
/// R's, when memory has run out.
pub(super) fn prepare() -> Result<(), RError> {
    ABORT.set(protect_quietly(|r| scripts::call_of(r, "invokeRestart(\"abort\")"))?);
    natives::prepare()
}

/// The client, for functions that R calls.
pub(super) fn client() -> Option<Rc<dyn Client>> {
    CLIENT.with_borrow(Clone::clone)
}

/// Gives R's console to a client. R is at its own prompt, and has asked for a line by this buffer.
pub(super) fn begin(client: Rc<dyn Client>, buffer: *mut c_uchar) {
    TOP.set(buffer.addr());
    CLIENT.set(Some(client));
    // SAFETY: R reads these only from this thread.
    unsafe {
        ffi::ptr_R_ReadConsole = Some(read_line);
        ffi::ptr_R_Busy = Some(busy);
        ffi::ptr_R_ShowMessage = Some(show_message);
    }
    events::begin();
}

/// Sets what `interactive()` says. A session without a user stays after an error as well.
pub fn set_interactive(interactive: bool) {
    // SAFETY: R's variable, on its thread.
    unsafe { ffi::R_Interactive = c_int::from(interactive) };
}

/// How a read ends.
enum Read {
    Line,
    End,
    Refused,
    Stopped,
}

/// R wants a line.
pub(super) unsafe extern "C-unwind" fn read_line(prompt: *const c_char, buffer: *mut c_uchar, length: c_int, history: c_int) -> c_int {
    // SAFETY: R passes a terminated prompt and a buffer of this length. When R jumps, `read` has returned, and nothing is owned.
    unsafe {
        match read(prompt, buffer, length, history != 0) {
            Read::Line => 1,
            Read::End => 0,
            Read::Refused => {
                libR_sys::Rf_error(c"%s".as_ptr(), c"nobody can be asked for input in this evaluation".as_ptr());
            }
            Read::Stopped => {
                abort();
                0
            }
        }
    }
}

/// Leaves everything that runs, by longjmp.
///
/// # Safety
/// Nothing is owned by the frames up to R's.
pub(super) unsafe fn abort() {
    // SAFETY: preserved for good by `prepare`.
    unsafe {
        R_interrupts_pending = 0;
        Rf_eval(ABORT.get(), R_BaseEnv);
    }
}

/// # Safety
/// As R calls for a line.
unsafe fn read(prompt: *const c_char, buffer: *mut c_uchar, length: c_int, history: bool) -> Read {
    let Some(client) = client() else { return Read::End };
    let limit = usize::try_from(length).unwrap_or(0);
    let mut ahead = AHEAD.take();
    if let Some((of, _, text)) = &mut ahead
        && *of == buffer.addr()
        // SAFETY: the buffer has this length.
        && unsafe { give(text, buffer, limit, history) }
    {
        if !text.is_empty() {
            AHEAD.set(ahead);
        }
        return Read::Line;
    }
    // Those of a prompt that waits beneath this one.
    AHEAD.set(ahead.filter(|(of, ..)| *of != buffer.addr()));
    // SAFETY: terminated, as promised.
    let text = unsafe { CStr::from_ptr(prompt) }.to_string_lossy().into_owned();
    let is_top = TOP.get() == buffer.addr();
    let mut again = false;
    loop {
        let prompt = Prompt { text: text.clone(), history, contexts: contexts(), limit, is_top, again };
        let given = GIVEN.get();
        let mut typed = match client.line(prompt) {
            Typed::Text(typed) => typed,
            Typed::End => return Read::End,
            Typed::Refused => return Read::Refused,
            Typed::Stopped => return Read::Stopped,
        };
        // R takes it as C's text.
        typed.retain(|character| character != '\0' && character != '\r');
        if !typed.ends_with('\n') {
            typed.push('\n');
        }
        again = typed.split('\n').any(|line| line.len() + 2 > limit);
        if history && !again && GIVEN.get() != given {
            // A browser on top of this loop has left the line that ended it where all loops have their lines. A comment empties that place.
            AHEAD.set(Some((buffer.addr(), depth(), std::mem::replace(&mut typed, "#\n".to_owned()))));
        }
        // SAFETY: the buffer has this length.
        if !again && unsafe { give(&mut typed, buffer, limit, history) } {
            if !typed.is_empty() {
                AHEAD.set(Some((buffer.addr(), depth(), typed)));
            }
            return Read::Line;
        }
    }
}

/// Puts as many lines into the buffer as it holds, and takes them from the text; false if there is none. Only a loop that evaluates its
/// lines has a history.
///
/// # Safety
/// The buffer has this length.
unsafe fn give(text: &mut String, buffer: *mut c_uchar, length: usize, history: bool) -> bool {
    let room = text.floor_char_boundary(length.saturating_sub(1));
    let Some(end) = text[..room].rfind('\n').map(|at| at + 1) else { return false };
    // SAFETY: shorter than the buffer by one byte at least.
    unsafe {
        buffer.copy_from_nonoverlapping(text.as_ptr(), end);
        *buffer.add(end) = 0;
    }
    text.drain(..end);
    if history {
        GIVEN.set(GIVEN.get() + 1);
    }
    true
}

/// The flags of R's contexts, from the innermost to the outermost. Both fields that are looked at come first in R's structure (Defn.h).
#[must_use]
pub fn contexts() -> Vec<i32> {
    #[repr(C)]
    struct Context {
        next: *const Context,
        flags: c_int,
    }
    // Deeper, R would have run out of its stack.
    const MOST: usize = 10_000;
    let mut flags = Vec::new();
    // SAFETY: R's list of contexts, which changes only while R runs. It ends with a null pointer.
    unsafe {
        let mut context = ffi::R_GlobalContext.cast::<Context>().cast_const();
        while let Some(this) = context.as_ref().filter(|_| flags.len() < MOST) {
            flags.push(this.flags);
            context = this.next;
        }
    }
    flags
}

/// R jumps: what was typed ahead for what it leaves is not for what comes next.
pub(super) fn forget_typed_ahead() {
    AHEAD.with_borrow_mut(|ahead| {
        if ahead.as_ref().is_some_and(|(_, of, _)| *of == depth()) {
            *ahead = None;
        }
    });
}

thread_local! {
    /// How many evaluations are on the stack.
    static DEPTH: Cell<usize> = const { Cell::new(0) };
}

fn depth() -> usize {
    DEPTH.get()
}

/// Runs an evaluation on top of what runs. With `interruptible` false, an interrupt waits until it has ended.
pub fn on_top<T>(interruptible: bool, run: impl FnOnce() -> T) -> T {
    DEPTH.set(depth() + 1);
    // SAFETY: R's variable, on its thread.
    let was = unsafe {
        let was = R_interrupts_suspended;
        R_interrupts_suspended = if interruptible { Rboolean::FALSE } else { Rboolean::TRUE };
        was
    };
    let result = graphics::with_recording_kept(run);
    // SAFETY: as above.
    unsafe { R_interrupts_suspended = was };
    DEPTH.set(depth() - 1);
    result
}

unsafe extern "C" fn busy(which: c_int) {
    if let Some(client) = client() {
        client.busy(which == 1);
    }
}

unsafe extern "C" fn show_message(text: *const c_char) {
    // SAFETY: R passes a terminated string.
    let text = unsafe { CStr::from_ptr(text) }.to_string_lossy();
    if let Some(client) = client() {
        client.message(&text);
    }
}

/// The flag of a browser's context (R's Defn.h).
pub const BROWSER: i32 = 16;

/// Where code is evaluated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Where {
    /// In the global environment.
    Global,
    /// In base R.
    Base,
    /// In the empty environment.
    Empty,
    /// In a new environment within the global one.
    New,
}

/// What has come of code. Only its last expression counts.
#[derive(Debug)]
pub enum Evaluated {
    /// The value.
    Value(Preserved),
    /// It has failed, with this text, as R prints it.
    Failed(String),
    /// It was left without an error.
    Left,
    /// It is not complete, and nothing was evaluated.
    Incomplete,
    /// It is wrong, and nothing was evaluated.
    Wrong,
}

/// Evaluates code with no function of R beneath it but those that wait. Each expression is evaluated, whatever becomes of those before it,
/// unless one is left. R prints what it has to say, and values are not printed.
pub fn evaluate(code: &str, place: Where) -> Evaluated {
    let mut status = ParseStatus::PARSE_NULL;
    let seen = &raw mut status;
    let parsed = protect_quietly(move |r| {
        // SAFETY: inside `protect`; the text is protected while it is parsed, and the result until it is kept. The status outlives this.
        unsafe {
            let text = Rf_protect(strings::scalar(r, code));
            let parsed = preserved::keep(r, R_ParseVector(text, -1, seen, R_NilValue));
            Rf_unprotect(1);
            parsed
        }
    });
    let Ok(expressions) = parsed.map(Preserved::from) else { return Evaluated::Wrong };
    match status {
        ParseStatus::PARSE_OK => {}
        ParseStatus::PARSE_INCOMPLETE => return Evaluated::Incomplete,
        _ => return Evaluated::Wrong,
    }
    let environment = match environment(place) {
        Ok(environment) => environment,
        Err(error) => return Evaluated::Failed(format!("Error: {error}\n")),
    };
    // SAFETY: an environment, which is preserved.
    let stepping = unsafe {
        let stepping = ffi::RDEBUG(environment.value());
        ffi::SET_RDEBUG(environment.value(), 0);
        stepping
    };
    let evaluated = evaluate_all(&expressions, &environment);
    // Somebody who steps through what is there does not step through this.
    if stepping != 0 {
        // SAFETY: as above.
        unsafe { ffi::SET_RDEBUG(environment.value(), stepping) };
    }
    evaluated
}

fn evaluate_all(expressions: &Preserved, environment: &Preserved) -> Evaluated {
    let mut last = Evaluated::Left;
    // SAFETY: an expression vector.
    let count = unsafe { XLENGTH(expressions.value()) };
    for at in 0..count {
        reports::begin_statement();
        let evaluated = protect(|r| {
            // SAFETY: inside `protect`. The expression and the environment are preserved, and the value is kept at once.
            unsafe { preserved::keep(r, Rf_eval(VECTOR_ELT(expressions.value(), at), environment.value())) }
        });
        last = match evaluated {
            Ok(value) => Evaluated::Value(value.into()),
            Err(_) if matches!(reports::take_reason(), Some(Reason::Error(_))) => Evaluated::Failed(error_text::whole()),
            Err(_) => return Evaluated::Left,
        };
    }
    if count == 0 { null().map_or(Evaluated::Left, Evaluated::Value) } else { last }
}

fn environment(place: Where) -> Result<Preserved, RError> {
    let kept = protect_quietly(|r| {
        // SAFETY: inside `protect`; constants of R, or new and kept at once.
        unsafe {
            let environment = match place {
                Where::Global => R_GlobalEnv,
                Where::Base => R_BaseEnv,
                Where::Empty => R_EmptyEnv,
                Where::New => R_NewEnv(R_GlobalEnv, 1, 8),
            };
            preserved::keep(r, environment)
        }
    });
    kept.map(Preserved::from)
}

fn null() -> Option<Preserved> {
    // SAFETY: inside `protect`; a constant of R.
    protect_quietly(|r| unsafe { preserved::keep(r, R_NilValue) }).ok().map(Preserved::from)
}

/// The bytes of a raw vector; none for NULL. `None` for anything else.
#[must_use]
pub fn bytes(value: &Preserved) -> Option<Vec<u8>> {
    let value = value.value();
    // SAFETY: preserved by its owner; the type is looked at first, and a raw vector has as many bytes as its length says.
    unsafe {
        match TYPEOF(value) {
            SEXPTYPE::NILSXP => Some(Vec::new()),
            SEXPTYPE::RAWSXP => {
                let length = usize::try_from(XLENGTH(value)).unwrap_or(0);
                if length == 0 { Some(Vec::new()) } else { Some(std::slice::from_raw_parts(RAW(value), length).to_vec()) }
            }
            _ => None,
        }
    }
}
