//! R's own read-eval-print loop, and how code comes into it.
//!
//! A worker's R runs its loop as any R does. When it wants a line at its prompt, the worker waits for its next command.
//! So everything that R does for a statement is R's own: limits on time begin anew, the value is kept and printed,
//! warnings are printed, task callbacks run, handlers for all code stay.
//!
//! Code has been parsed before, all of it, so that nothing runs if some of it is wrong. `statement.rs` hands R one
//! statement at a time.
//!
//! When code fails, R jumps to its loop, and asks for the next line. All frames in between are thrown away, so those
//! here own nothing while R evaluates: what has to last is in `Loop`.

use std::{
    cell::{Cell, RefCell},
    ffi::{CStr, CString, c_int, c_uchar, c_void},
    rc::Rc,
};

use libR_sys::{
    R_BaseEnv, R_MakeUnwindCont, R_NilValue, R_PreserveObject, Rboolean, Rf_GetOption1, Rf_asLogical, Rf_eval, SEXP, VECTOR_ELT, XLENGTH,
};

use super::{
    eval::Code,
    exec::{R, RError, protect_quietly},
    ffi, interrupt, objects,
    preserved::{self, Preserved},
    repl,
    reports::{self, Reason, Told, Warnings},
    scripts, statement, strings,
};
use crate::wire::condition::Condition;

/// Code to be evaluated in the global environment, statement by statement.
#[derive(Debug)]
pub struct Statements {
    /// The code.
    pub code: Code,
    /// Whether visible values are printed.
    pub print: bool,
    /// Who is told of warnings and of the error.
    pub told: Told,
    /// The name that the value is bound to in the end, if it is. This may fail as a statement may.
    pub name: Option<CString>,
}

/// How an evaluation ended.
#[derive(Debug)]
pub enum Ending {
    /// Every statement ran. With the value of the last one; NULL when there was none.
    Completed(Preserved),
    /// An error stopped it.
    Failed(Condition),
    /// An interrupt stopped it.
    Interrupted,
    /// The limit on processor time stopped it.
    CpuLimit,
}

/// What R is to do at its prompt.
pub enum Next {
    /// Evaluate this, and ask again.
    Code(Statements),
    /// Ask this client for lines from now on, for good.
    Prompt(Rc<dyn repl::Client>),
}

/// Who has code for R.
pub trait Reader {
    /// R is at its prompt. Waits for the next code, and returns it. `ended` tells how the code before it has ended, and has
    /// its warnings, if they were to be told to the caller.
    fn read(&mut self, ended: Option<(Ending, Warnings)>) -> Next;
}

/// What the loop has to remember while R evaluates.
struct Loop {
    reader: Box<dyn Reader>,
    running: Option<Statements>,
    ended: Option<(Ending, Warnings)>,
}

/// Values that are made once, in the zygote, and live for good.
#[derive(Clone, Copy)]
struct Constants {
    /// What `R_UnwindProtect` needs to go on with a jump.
    jump: SEXP,
    /// A call of R that suspends the limits of `setTimeLimit()` until the next statement.
    suspend_limits: SEXP,
    /// The option that has R keep the source of functions.
    keep_source: SEXP,
    /// The name of the last value.
    last_value: SEXP,
}

thread_local! {
    static LOOP: RefCell<Option<Loop>> = const { RefCell::new(None) };
    static CONSTANTS: Cell<Option<Constants>> = const { Cell::new(None) };
    /// Where the stack is when R asks for a line at its prompt, and not in the middle of a statement; 0 before the first time.
    static PROMPT: Cell<usize> = const { Cell::new(0) };
}

/// Makes the values that the loop needs, in the zygote.
///
/// # Errors
/// R's, when memory has run out.
pub(super) fn prepare() -> Result<(), RError> {
    let constants = protect_quietly(|r| {
        // SAFETY: inside `protect`. Symbols stay, and the rest is preserved as soon as it is made.
        unsafe {
            let jump = R_MakeUnwindCont();
            R_PreserveObject(jump);
            Constants {
                jump,
                suspend_limits: scripts::call_of(r, ".Internal(setTimeLimit(Inf, Inf, TRUE))"),
                keep_source: strings::symbol(r, c"keep.source"),
                last_value: strings::symbol(r, c".Last.value"),
            }
        }
    })?;
    CONSTANTS.set(Some(constants));
    // SAFETY: R was started, and is not evaluating. It also notes where errors are to jump to, as starting R did: to a
    // frame that has ended. Nothing runs unprotected until R's loop notes a better one.
    unsafe { ffi::R_ReplDLLinit() };
    Ok(())
}

/// Runs R's loop until the process ends.
pub fn run(reader: Box<dyn Reader>) -> ! {
    LOOP.set(Some(Loop { reader, running: None, ended: None }));
    // SAFETY: R was started on this thread, and nothing of it is on the stack below.
    unsafe { ffi::run_Rmainloop() };
    unreachable!("invariant: there is always more to read at R's prompt")
}

/// R wants a line of text, in `buffer`. Answers with the end of input, as a non-interactive R does, except at the prompt.
///
/// R leaves this frame by longjmp when code fails, and it owns nothing.
pub(super) unsafe extern "C-unwind" fn read_line(
    prompt: *const libc::c_char,
    buffer: *mut c_uchar,
    length: c_int,
    history: c_int,
) -> c_int {
    // SAFETY: the buffer has room for `length` bytes.
    if unsafe { statement::is_read(buffer, length) } {
        return 1;
    }
    // R may ask in the middle of a statement, for example for `scan()` and `browser()`. It is then deeper in the stack.
    let here = (&raw const buffer).addr();
    if PROMPT.get() == 0 && LOOP.with_borrow(Option::is_some) {
        PROMPT.set(here);
    }
    if PROMPT.get() != here {
        return 0;
    }
    // SAFETY: R's variable, on its thread. See `leave`.
    unsafe { ffi::R_Interactive = 0 };
    finish_left();
    loop {
        if !begin(buffer) {
            // SAFETY: as R has called this one.
            return unsafe { repl::read_line(prompt, buffer, length, history) };
        }
        let constants = CONSTANTS.get();
        if let Some(Constants { jump, .. }) = constants {
            // SAFETY: R is at its prompt, where errors jump to. The callbacks have the types that R wants, and `jump` was made
            // for this purpose.
            unsafe { ffi::R_UnwindProtect(Some(evaluate), std::ptr::null_mut(), Some(leave), std::ptr::null_mut(), jump) };
        }
        finish_completed();
    }
}

/// Gets the next code from the reader; false if it gives R's prompt to a client, which has this buffer.
fn begin(buffer: *mut c_uchar) -> bool {
    // The reader is taken out while it works: what it does with R may end in `read_line` again.
    let ended = LOOP.with_borrow_mut(|this| this.as_mut().and_then(|this| this.ended.take()));
    let Some(mut this) = LOOP.take() else { return true };
    match this.reader.read(ended) {
        Next::Code(evaluation) => {
            reports::begin(evaluation.told);
            this.running = Some(evaluation);
            LOOP.set(Some(this));
            true
        }
        Next::Prompt(client) => {
            repl::begin(client, buffer);
            false
        }
    }
}

/// The code has run to its end.
fn finish_completed() {
    let empty = with_running(|evaluation| evaluation.code.is_empty()).unwrap_or(true);
    let value = protect_quietly(|r| {
        // SAFETY: inside `protect`; kept at once. The value of a symbol that has one.
        unsafe { preserved::keep(r, if empty { R_NilValue } else { last_value() }) }
    });
    finish(match value {
        Ok(value) => Ending::Completed(value.into()),
        Err(error) => Ending::Failed(Condition::new(error.to_string(), String::new())),
    });
}

/// R has jumped out of the code, if there was any.
fn finish_left() {
    if with_running(|_| ()).is_none() {
        return;
    }
    let failed = |message: &str| Ending::Failed(Condition::new(message.to_owned(), String::new()));
    finish(match reports::take_reason() {
        _ if interrupt::cpu_limit_reached() => Ending::CpuLimit,
        Some(Reason::Interrupt) => Ending::Interrupted,
        Some(Reason::Error(error)) => Ending::Failed(error),
        None => failed("the code was left by a restart, without an error"),
    });
}

fn finish(ending: Ending) {
    let warnings = reports::end(!matches!(ending, Ending::Completed(_)));
    LOOP.with_borrow_mut(|this| {
        if let Some(this) = this {
            this.running = None;
            this.ended = Some((ending, warnings));
        }
    });
}

/// Suspends the limits of `setTimeLimit()` until the next statement: they are for the user's code, and not for what we do with R.
pub fn suspend_limits() {
    if let Some(Constants { suspend_limits, .. }) = CONSTANTS.get() {
        let _ = protect_quietly(|_| {
            // SAFETY: inside `protect`; preserved for good by `prepare`.
            unsafe { Rf_eval(suspend_limits, R_BaseEnv) };
        });
    }
}

fn with_running<T>(look: impl FnOnce(&mut Statements) -> T) -> Option<T> {
    LOOP.with_borrow_mut(|this| this.as_mut().and_then(|this| this.running.as_mut()).map(look))
}

/// The value of `.Last.value`. It is not protected.
fn last_value() -> SEXP {
    // SAFETY: a symbol of base R, which always has a value; does not jump.
    CONSTANTS.get().map_or_else(|| unsafe { R_NilValue }, |constants| unsafe { ffi::SYMVALUE(constants.last_value) })
}

/// Evaluates the running code. R leaves this frame by longjmp when the code fails, and it owns nothing.
unsafe extern "C-unwind" fn evaluate(_data: *mut c_void) -> SEXP {
    let print = with_running(|evaluation| evaluation.print).unwrap_or_default();
    let mut at = 0;
    loop {
        let statement = expression(at);
        if statement.is_null() {
            break;
        }
        reports::begin_statement();
        // SAFETY: R is at its prompt, with nothing of ours on its protection stack. The running code preserves the statement.
        unsafe { statement::run(statement, print) };
        at += 1;
    }
    let name = with_running(|evaluation| evaluation.name.as_deref().map_or(std::ptr::null(), CStr::as_ptr)).unwrap_or(std::ptr::null());
    if !name.is_null() {
        reports::begin_statement();
        // SAFETY: errors jump to R's prompt, and this frame owns nothing. The name is that of the evaluation, which lasts.
        // R keeps the last value.
        unsafe {
            let value = if at == 0 { R_NilValue } else { last_value() };
            objects::bind(R::at_prompt(), CStr::from_ptr(name), value);
        }
    }
    // SAFETY: a constant of R.
    unsafe { R_NilValue }
}

/// The statement at that place of the running code, from 0; null when there are no more.
fn expression(at: isize) -> SEXP {
    let keep_source = CONSTANTS.get().is_some_and(|constants| {
        // SAFETY: does not jump.
        unsafe { Rf_asLogical(Rf_GetOption1(constants.keep_source)) == 1 }
    });
    let expression = with_running(|evaluation| {
        let expressions = evaluation.code.expressions(keep_source);
        // SAFETY: an expression vector that the code preserves; the index is below its length.
        unsafe { if at < XLENGTH(expressions) { VECTOR_ELT(expressions, at) } else { std::ptr::null_mut() } }
    });
    expression.unwrap_or(std::ptr::null_mut())
}

/// R has left the code, for good if `jump` says so. All that the code wanted to have done at its end has been done.
///
/// R ends a session without a user when an error comes to its prompt. So it takes this session for one with a user, as long as
/// it is on its way there.
unsafe extern "C-unwind" fn leave(_data: *mut c_void, jump: Rboolean) {
    if jump == Rboolean::TRUE {
        // SAFETY: R's variable, on its thread.
        unsafe { ffi::R_Interactive = 1 };
    }
}
