//! One statement for R's loop, which reads text.
//!
//! `R_ReplDLLdo1` reads one statement, evaluates it, and does all that R does for a statement. Ours is parsed already: to
//! have R parse it again would take a time that grows with the square of the number of its lines. So R is given the text of
//! a call, and [`busy`], which R calls before it evaluates, makes this call the statement.

use std::{
    cell::Cell,
    ffi::{CStr, c_int, c_uchar},
};

use libR_sys::{
    ATTRIB, CAR, CDDR, CDR, R_BaseEnv, R_MakeExternalPtrFn, R_NilValue, R_PreserveObject, Rboolean, Rf_cons, Rf_findFun, Rf_inherits,
    Rf_lang2, Rf_lang3, Rf_protect, Rf_unprotect, SET_ATTRIB, SETCAR, SETCDR, SEXP, SEXPTYPE, TYPEOF,
};

use super::{
    exec::{R, RError, protect_quietly},
    ffi::{self, Native1, NativeRoutine},
    scripts, strings,
};

/// Values that are made once, in the zygote, and live for good.
#[derive(Clone, Copy)]
struct Constants {
    /// The name of the function in the call that R reads.
    placeholder: SEXP,
    /// R's functions `invisible` and `(`.
    invisible: SEXP,
    parenthesis: SEXP,
    /// A list of one argument.
    argument: SEXP,
    /// A list of one argument, which is a call of [`evaluated`]; and the place of that call's argument.
    evaluation: SEXP,
    evaluated: SEXP,
}

thread_local! {
    static CONSTANTS: Cell<Option<Constants>> = const { Cell::new(None) };
    /// Whether `R_ReplDLLdo1` is about to ask for a line.
    static ASKED: Cell<bool> = const { Cell::new(false) };
    /// The statement that R is about to evaluate; null when it is not ours.
    static NEXT: Cell<SEXP> = const { Cell::new(std::ptr::null_mut()) };
    /// What R has read, and the statement that it evaluates instead, when the value is not printed. Null when it is.
    static RUNNING: Cell<(SEXP, SEXP)> = const { Cell::new((std::ptr::null_mut(), std::ptr::null_mut())) };
    /// Whether the value of the statement is printed.
    static PRINT: Cell<bool> = const { Cell::new(false) };
}

/// The name in the text that stands for a statement. It is short, as R reads it for each.
const PLACEHOLDER: &CStr = c"next";
/// A call of it, as R reads it.
const LINE: &[u8] = b"`next`()\n\0";

/// Makes the values that are needed, in the zygote.
///
/// # Errors
/// R's, when memory has run out.
pub(super) fn prepare() -> Result<(), RError> {
    let constants = protect_quietly(|r| {
        // SAFETY: inside `protect`. Symbols and functions of base R stay; the rest is preserved as soon as it is made, or
        // protected until it is. R stores pointers to functions of any type as one type, and `.Call` passes one argument to
        // the routine, as the call has one.
        unsafe {
            let argument = Rf_cons(R_NilValue, R_NilValue);
            R_PreserveObject(argument);
            let routine = std::mem::transmute::<Native1, NativeRoutine>(evaluated);
            let routine = Rf_protect(R_MakeExternalPtrFn(routine, strings::symbol(r, c"native symbol"), R_NilValue));
            let call = Rf_protect(Rf_lang3(Rf_findFun(strings::symbol(r, c".Call"), R_BaseEnv), routine, R_NilValue));
            let evaluation = Rf_cons(call, R_NilValue);
            R_PreserveObject(evaluation);
            Rf_unprotect(2);
            Constants {
                placeholder: strings::symbol(r, PLACEHOLDER),
                invisible: Rf_findFun(strings::symbol(r, c"invisible"), R_BaseEnv),
                parenthesis: Rf_findFun(strings::symbol(r, c"("), R_BaseEnv),
                argument,
                evaluation,
                evaluated: CDDR(call),
            }
        }
    })?;
    CONSTANTS.set(Some(constants));
    Ok(())
}

/// Has R evaluate a statement, and do what else it does for one. R leaves this by longjmp when the statement fails.
///
/// # Safety
/// R is at its prompt, and its protection stack has nothing that is still needed, as this empties it. The statement is
/// preserved.
pub(super) unsafe fn run(statement: SEXP, print: bool) {
    NEXT.set(statement);
    PRINT.set(print);
    ASKED.set(true);
    // SAFETY: as promised.
    unsafe { ffi::R_ReplDLLdo1() };
}

/// R wants a line of text. If it wants it for [`run`], writes the line that stands for the statement, and returns true.
///
/// # Safety
/// The buffer has room for `length` bytes.
pub(super) unsafe fn is_read(buffer: *mut c_uchar, length: c_int) -> bool {
    let is_asked = ASKED.take() && usize::try_from(length).is_ok_and(|length| length >= LINE.len());
    if is_asked {
        // SAFETY: there is room, as promised.
        unsafe { buffer.copy_from_nonoverlapping(LINE.as_ptr(), LINE.len()) };
    }
    is_asked
}

/// R is busy from now on, if `which` is 1. It has read the line that stands for a statement, and protects what it has read, to
/// evaluate it: this call is made the statement. Nothing here makes anything new, so R never jumps out of this.
pub(super) unsafe extern "C" fn busy(which: c_int) {
    if which != 1 {
        return;
    }
    let statement = NEXT.replace(std::ptr::null_mut());
    let Some(constants) = CONSTANTS.get().filter(|_| !statement.is_null()) else { return };
    // SAFETY: R calls this between protecting and evaluating what it has read, which is on top of its protection stack: a
    // call, as its type and its function tell. The statement is preserved by the running code.
    unsafe {
        let Some(top) = isize::try_from(ffi::R_PPStackTop).ok().and_then(|height| height.checked_sub(1)) else { return };
        let read = *ffi::R_PPStack.offset(top);
        if TYPEOF(read) == SEXPTYPE::LANGSXP && CAR(read) == constants.placeholder {
            become_statement(read, statement, constants);
        }
    }
}

/// Makes `call`, which has no arguments, the statement.
///
/// # Safety
/// Both are alive, and nothing else refers to `call` but R, which is about to evaluate it.
unsafe fn become_statement(call: SEXP, statement: SEXP, constants: Constants) {
    // SAFETY: alive, as promised. The lists of arguments were made for this purpose, and are changed only here.
    unsafe {
        if !PRINT.get() {
            // The value that is printed would be that of `invisible`.
            RUNNING.set((call, statement));
            SETCAR(constants.evaluated, statement);
            SETCAR(call, constants.invisible);
            SETCDR(call, constants.evaluation);
        } else if !copy_call(call, statement) {
            // What is no call is put into one that changes nothing.
            SETCAR(constants.argument, statement);
            SETCAR(call, constants.parenthesis);
            SETCDR(call, constants.argument);
        }
    }
}

/// Makes `call` a copy of the statement, if that is a call.
///
/// # Safety
/// Both are alive.
unsafe fn copy_call(call: SEXP, statement: SEXP) -> bool {
    // SAFETY: alive, as promised. A call has a function and arguments.
    unsafe {
        let is_call = TYPEOF(statement) == SEXPTYPE::LANGSXP;
        if is_call {
            SETCAR(call, CAR(statement));
            SETCDR(call, CDR(statement));
            SET_ATTRIB(call, ATTRIB(statement));
        }
        is_call
    }
}

/// R has evaluated a statement whose value it is not to print. It goes on to tell task callbacks which statement this was, and
/// they are to see the user's.
unsafe extern "C-unwind" fn evaluated(value: SEXP) -> SEXP {
    let (call, statement) = RUNNING.replace((std::ptr::null_mut(), std::ptr::null_mut()));
    // SAFETY: R evaluates `call` at this moment, and looks at its function and arguments no more. The running code preserves the
    // statement, and R the value. R may jump, and this frame owns nothing.
    unsafe {
        if !call.is_null() {
            copy_call(call, statement);
        }
        if Rf_inherits(value, c"data.table".as_ptr()) == Rboolean::TRUE {
            let r = R::at_prompt();
            let not_printed = Rf_protect(Rf_lang2(strings::symbol(r, c"data_table_not_printed"), R_NilValue));
            scripts::eval(r, not_printed);
            Rf_unprotect(1);
        }
        value
    }
}
