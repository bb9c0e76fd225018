//! Records the conditions (errors, warnings, messages, interrupts) that no handler of the user takes.
//!
//! `r-init/conditions.R` has the handlers. They are put on R's handler stack below the user's own, without a
//! call frame of ours, and report here through a native routine.

use std::{
    cell::{Cell, RefCell},
    ffi::c_int,
};

use libR_sys::{
    R_BaseEnv, R_MakeExternalPtrFn, R_NilValue, R_PreserveObject, Rf_ScalarLogical, Rf_defineVar, Rf_eval, Rf_findVarInFrame, Rf_protect,
    Rf_unprotect, SEXP,
};

use super::{
    console,
    exec::R,
    ffi::{Native4, NativeRoutine},
    strings,
};
use crate::wire::condition::{Condition, Severity};

/// How many warnings and messages of one evaluation are kept.
const KEPT: usize = 1_000;
/// How many bytes of them are kept.
const KEPT_BYTES: usize = 512 << 10;

thread_local! {
    static RECORDED: RefCell<Record> = const { RefCell::new(Record { conditions: Vec::new(), bytes: 0, dropped: 0, reason: None }) };
    /// R calls, preserved for good: two that put our handlers on the stack, for each [`Told`], and one that prints warnings.
    static CALLS: Cell<[SEXP; 3]> = const { Cell::new([std::ptr::null_mut(); 3]) };
}

/// Who is told of the conditions that no handler takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Told {
    /// The caller: they are recorded, and R prints messages only.
    Caller,
    /// The reader of the console: R prints them all, as at its prompt.
    Console,
}

/// The conditions of one evaluation.
#[derive(Debug, Default)]
pub struct Record {
    /// Warnings and messages, in order.
    pub conditions: Vec<Condition>,
    /// Their size in bytes.
    bytes: usize,
    /// How many warnings and messages were left out, as there were too many.
    pub dropped: usize,
    /// The error or interrupt that was recorded last.
    reason: Option<Reason>,
}

/// Why R has jumped.
#[derive(Debug)]
pub(super) enum Reason {
    Error(Condition),
    Interrupt,
}

/// Takes the warnings and messages recorded since the last time.
#[must_use]
pub fn take() -> Record {
    console::set_error_recorded(false);
    RECORDED.take()
}

/// Takes the reason for a jump.
pub(super) fn take_reason() -> Option<Reason> {
    RECORDED.with_borrow_mut(|recorded| recorded.reason.take())
}

/// Gives the handlers of `r-init/` the native routine by which they report, and remembers the calls.
///
/// # Safety
/// `environment` is that of `r-init/`, preserved, with its files loaded.
pub(super) unsafe fn install(r: R, environment: SEXP) {
    // SAFETY: inside `protect`. R stores pointers to functions of any type as one type, and `.Call` passes four arguments
    // to a routine for which our R code gives four. The pointer is bound in `environment`, and the calls are preserved.
    unsafe {
        let routine = std::mem::transmute::<Native4, NativeRoutine>(record);
        let pointer = Rf_protect(R_MakeExternalPtrFn(routine, strings::symbol(r, c"native symbol"), R_NilValue));
        Rf_defineVar(strings::symbol(r, c"record"), pointer, environment);
        CALLS.set([c"establish", c"establish_printed", c"print_warnings"].map(|name| {
            let call = Rf_findVarInFrame(environment, strings::symbol(r, name));
            R_PreserveObject(call);
            call
        }));
        Rf_unprotect(1);
    }
}

/// Puts the handlers on R's handler stack, where they stay until the enclosing `protect` ends.
pub(super) fn establish(_: R, told: Told) {
    let [recording, printed, _] = CALLS.get();
    let call = if told == Told::Caller { recording } else { printed };
    // SAFETY: inside `protect`; the call was preserved by `install`, which ran in the zygote.
    unsafe { Rf_eval(call, R_BaseEnv) };
}

/// Prints the warnings that R has kept for the end of a statement.
pub(super) fn print_warnings(_: R) {
    let [_, _, call] = CALLS.get();
    console::set_addition(true);
    // SAFETY: as in `establish`.
    unsafe { Rf_eval(call, R_BaseEnv) };
    console::set_addition(false);
}

/// The native routine of the handlers: `.Call(record, kind, message, call, classes)`. Returns whether this evaluation has
/// had no warning before.
///
/// It owns strings, and calls no R function that may jump: its ABI is "C", which R may not leave by longjmp.
unsafe extern "C" fn record(kind: SEXP, message: SEXP, call: SEXP, classes: SEXP) -> SEXP {
    // SAFETY: R keeps the arguments of `.Call` alive; these functions check types, and do not jump.
    let (kind, message, call, classes) =
        unsafe { (strings::first(kind), strings::first(message), strings::first(call), strings::all(classes)) };
    let severity = match kind.as_str() {
        "error" | "printed error" => Severity::Error,
        "warning" => Severity::Warning,
        _ => Severity::Message,
    };
    let condition = Condition::new(severity, message, call, classes);
    console::set_error_recorded(kind == "error");
    let is_first_warning = RECORDED.with_borrow(|recorded| recorded.conditions.iter().all(|earlier| earlier.severity != Severity::Warning));
    RECORDED.with_borrow_mut(|recorded| match kind.as_str() {
        "error" | "printed error" => recorded.reason = Some(Reason::Error(condition)),
        "interrupt" => recorded.reason = Some(Reason::Interrupt),
        _ if recorded.conditions.len() >= KEPT || recorded.bytes + condition.size() > KEPT_BYTES => recorded.dropped += 1,
        _ => {
            recorded.bytes += condition.size();
            recorded.conditions.push(condition);
        }
    });
    // SAFETY: R has the two logical values as constants, and makes nothing.
    unsafe { Rf_ScalarLogical(c_int::from(is_first_warning)) }
}
