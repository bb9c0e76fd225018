//! Evaluation, statement by statement in the global environment, as at R's prompt.

use std::ffi::{CStr, c_int};

use libR_sys::{
    ParseStatus, R_BaseEnv, R_GlobalEnv, R_NilValue, R_ParseVector, Rf_PrintValue, Rf_defineVar, Rf_eval, Rf_protect, Rf_unprotect, SEXP,
    VECTOR_ELT, XLENGTH,
};

use super::{
    conditions::{self, Told},
    console,
    exec::{Jumped, R, RError, last_error, protect, protect_quietly},
    ffi, interrupt, objects,
    preserved::{self, Kept, Preserved},
    scripts, strings,
};
use crate::wire::condition::{Condition, Severity};

/// Code that does not parse. Nothing of it was run.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct SyntaxError {
    /// R's message, with the lines around the error.
    pub message: String,
    /// Line, counted from 1; 0 when R does not say.
    pub line: u32,
    /// Column, counted from 1; 0 when R does not say.
    pub column: u32,
}

/// Why code of our own does not run.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// It does not parse.
    #[error(transparent)]
    Syntax(#[from] SyntaxError),
    /// It failed.
    #[error(transparent)]
    R(#[from] RError),
}

/// How an evaluation ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ending {
    /// Every statement ran.
    Completed,
    /// An error stopped it.
    Failed(Condition),
    /// An interrupt stopped it.
    Interrupted,
    /// The limit on processor time stopped it.
    CpuLimit,
}

/// Parsed code.
#[derive(Debug)]
pub struct Code(Preserved);

/// Parses `text`, whose lines end with `\n`, `\r\n` or `\r`.
///
/// # Errors
/// [`SyntaxError`], with the line and the column.
pub fn parse(text: &str) -> Result<Code, SyntaxError> {
    let unix;
    let text = if text.contains('\r') {
        unix = text.replace("\r\n", "\n").replace('\r', "\n");
        unix.as_str()
    } else {
        text
    };
    let parsed = protect_quietly(|r| parse_vector(r, text));
    match parsed {
        Ok(Some(code)) => Ok(Code(code.into())),
        Ok(None) | Err(_) => {
            // The C interface tells only that the code does not parse; R's own parse() tells why and where.
            let message = scripts::ask(c"syntax_error", &[text]).map_or_else(|error| error.to_string(), |answer| answer.concat());
            let (line, column) = place(&message);
            Err(SyntaxError { message, line, column })
        }
    }
}

/// Parses a text; `None` when it is incomplete or wrong.
fn parse_vector(r: R, text: &str) -> Option<Kept> {
    // SAFETY: inside `protect`; the text is protected while it is parsed, and the result until it is kept.
    unsafe {
        let vector = Rf_protect(strings::scalar(r, text));
        let mut status = ParseStatus::PARSE_NULL;
        let code = Rf_protect(R_ParseVector(vector, -1, &raw mut status, R_NilValue));
        let code = (status == ParseStatus::PARSE_OK).then(|| preserved::keep(r, code));
        Rf_unprotect(2);
        code
    }
}

/// Line and column in a message of R's parser: `<text>:2:5: unexpected symbol`.
fn place(message: &str) -> (u32, u32) {
    let mut numbers = message.strip_prefix("<text>:").unwrap_or_default().splitn(3, ':').map(|part| part.parse().unwrap_or(0));
    (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0))
}

/// Evaluates parsed code; with `print`, visible values are printed. [`conditions::take`] returns the conditions
/// afterwards.
pub fn run(code: &Code, print: bool) -> Ending {
    let ran = protect(|r| {
        run_all(r, code, print, Told::Caller);
    });
    ran.map_or_else(|Jumped| ending(), |()| Ending::Completed)
}

/// Evaluates parsed code for the value of its last statement, visible or not; NULL when there is no statement.
/// With a name, the value is bound to it in the global environment, which may fail as a statement may. Warnings and
/// errors are printed as at R's prompt.
///
/// # Errors
/// How the evaluation ended, when not all of it ran.
pub fn value(code: &Code, name: Option<&CStr>) -> Result<Preserved, Ending> {
    // Warnings left over from work of our own, such as writing the last value, would be printed among those of this code.
    let _ = protect_quietly(conditions::print_warnings);
    let kept = protect(|r| {
        // SAFETY: inside `protect`; the value is protected until it is kept.
        unsafe {
            let value = Rf_protect(run_all(r, code, false, Told::Console));
            if let Some(name) = name {
                objects::bind(r, name, value);
            }
            let value = preserved::keep(r, value);
            Rf_unprotect(1);
            value
        }
    });
    kept.map(Preserved::from).map_err(|Jumped| ending())
}

/// Evaluates the expressions in order. Returns the value of the last one, which is not protected.
fn run_all(r: R, code: &Code, print: bool, told: Told) -> SEXP {
    let expressions = code.0.value();
    console::take_error_reported();
    conditions::establish(r, told);
    // SAFETY: inside `protect`; `code` preserves the expressions, each value is protected while it is used, and this
    // frame owns nothing.
    unsafe {
        let last_value = strings::symbol(r, c".Last.value");
        let mut value = R_NilValue;
        for at in 0..XLENGTH(expressions) {
            value = Rf_protect(Rf_eval(VECTOR_ELT(expressions, at), R_GlobalEnv));
            let visible: c_int = ffi::R_Visible;
            Rf_defineVar(last_value, value, R_BaseEnv);
            if print && visible != 0 {
                Rf_PrintValue(value);
            }
            if told == Told::Console {
                conditions::print_warnings(r);
            }
            Rf_unprotect(1);
        }
        value
    }
}

/// Why R jumped: the reason that our handlers have recorded, or else an error that no handler saw, since R runs none when
/// its stack is full. Only if R has reported an error is its text of the last error that of this one.
fn ending() -> Ending {
    if interrupt::cpu_limit_reached() {
        return Ending::CpuLimit;
    }
    let failed = |message| Ending::Failed(Condition { severity: Severity::Error, message, call: String::new(), classes: Vec::new() });
    match conditions::take_reason() {
        Some(conditions::Reason::Interrupt) => Ending::Interrupted,
        Some(conditions::Reason::Error(error)) => Ending::Failed(error),
        None if console::take_error_reported() => failed(last_error()),
        None => failed("the code was left by a restart, without an error".to_owned()),
    }
}

/// Evaluates a file of our own.
///
/// # Errors
/// [`SourceError`].
///
/// # Safety
/// `environment` is preserved.
pub(super) unsafe fn source(text: &str, environment: SEXP) -> Result<(), SourceError> {
    let code = parse(text)?;
    protect_quietly(|_| {
        let expressions = code.0.value();
        // SAFETY: inside `protect`; `code` preserves the expressions, and the environment is preserved, as promised.
        unsafe {
            for at in 0..XLENGTH(expressions) {
                Rf_eval(VECTOR_ELT(expressions, at), environment);
            }
        }
    })?;
    Ok(())
}
