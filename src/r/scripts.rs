//! The R code of `r-init/`, in an environment of its own that no search path shows.

use std::{cell::Cell, ffi::CStr};

use libR_sys::{
    R_BaseEnv, R_NewEnv, R_NilValue, R_PreserveObject, RAW, Rf_allocVector, Rf_cons, Rf_eval, Rf_findVarInFrame, Rf_lang1, Rf_lang2,
    Rf_lcons, Rf_protect, Rf_unprotect, SEXP, SEXPTYPE, XLENGTH,
};

use super::{
    error_text, eval,
    exec::{Jumped, R, RError, protect, protect_quietly},
    preserved::{self, Preserved},
    repl, reports, statement, strings, toplevel,
};

const FILES: [(&str, &str); 12] = [
    ("toplevel.R", include_str!("../../r-init/toplevel.R")),
    ("session.R", include_str!("../../r-init/session.R")),
    ("packages.R", include_str!("../../r-init/packages.R")),
    ("graphics.R", include_str!("../../r-init/graphics.R")),
    ("pages.R", include_str!("../../r-init/pages.R")),
    ("json.R", include_str!("../../r-init/json.R")),
    ("workspace.R", include_str!("../../r-init/workspace.R")),
    ("host/natives.R", include_str!("../../r-init/host/natives.R")),
    ("host/session.R", include_str!("../../r-init/host/session.R")),
    ("host/plots.R", include_str!("../../r-init/host/plots.R")),
    ("host/history.R", include_str!("../../r-init/host/history.R")),
    ("host/locator.R", include_str!("../../r-init/host/locator.R")),
];

thread_local! {
    /// The environment of `r-init/`, preserved for good.
    static ENVIRONMENT: Cell<SEXP> = const { Cell::new(std::ptr::null_mut()) };
}

/// Why our own R code does not load.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// A file failed.
    #[error("r-init/{file}")]
    File {
        /// Its name.
        file: &'static str,
        /// Why.
        source: eval::SourceError,
    },
    /// R failed beside the files.
    #[error(transparent)]
    R(#[from] RError),
}

/// Evaluates `r-init/`, once, in the zygote.
///
/// # Errors
/// [`LoadError`].
pub(super) fn load() -> Result<(), LoadError> {
    let environment = protect_quietly(|_| {
        // SAFETY: inside `protect`; preserved as soon as it is made.
        unsafe {
            let environment = R_NewEnv(R_BaseEnv, 1, 64);
            R_PreserveObject(environment);
            environment
        }
    })?;
    ENVIRONMENT.set(environment);
    for (name, text) in FILES {
        // SAFETY: preserved above.
        unsafe { eval::source(text, environment) }.map_err(|source| LoadError::File { file: name, source })?;
    }
    error_text::prepare()?;
    reports::prepare()?;
    statement::prepare()?;
    toplevel::prepare()?;
    repl::prepare()?;
    Ok(())
}

/// The environment of `r-init/`.
pub(super) fn environment() -> SEXP {
    ENVIRONMENT.get()
}

/// Evaluates a call of a function of `r-init/`. The answer is not protected.
///
/// # Safety
/// The caller protects `call`.
pub(super) unsafe fn eval(_: R, call: SEXP) -> SEXP {
    reports::begin_own_work();
    // SAFETY: inside `protect`; protected, as promised.
    unsafe { Rf_eval(call, ENVIRONMENT.get()) }
}

/// Calls a function of `r-init/` without arguments, for its effect.
///
/// # Errors
/// R's.
pub fn call(function: &CStr) -> Result<(), RError> {
    protect_quietly(|r| {
        reports::begin_own_work();
        evaluate_call(r, function);
    })
}

/// As [`call`], for a function that runs code of users: what R and the code write to R's error stream goes to the console.
///
/// # Errors
/// R has left the function, and has said why.
pub fn call_aloud(function: &CStr) -> Result<(), Jumped> {
    protect(|r| evaluate_call(r, function))
}

fn evaluate_call(r: R, function: &CStr) {
    // SAFETY: inside `protect`; the call is protected while it is evaluated.
    unsafe {
        let call = Rf_protect(Rf_lang1(strings::symbol(r, function)));
        Rf_eval(call, ENVIRONMENT.get());
        Rf_unprotect(1);
    }
}

/// Calls a function of `r-init/` with strings. Returns the strings of its answer, a character vector; none when it is
/// something else.
///
/// # Errors
/// R's.
pub fn ask(function: &CStr, arguments: &[&str]) -> Result<Vec<String>, RError> {
    Ok(value(function, arguments)?.strings())
}

/// Calls a function of `r-init/` with bytes. Returns the strings of its answer, as [`ask`] does.
///
/// # Errors
/// R's.
pub(super) fn ask_of_bytes(function: &CStr, bytes: &[u8]) -> Result<Vec<String>, RError> {
    let answer = protect_quietly(|r| {
        // SAFETY: inside `protect`; everything is protected while R runs, and the vector has as many bytes as are copied into it. The answer
        // is kept until it is copied.
        unsafe {
            let argument = Rf_protect(Rf_allocVector(SEXPTYPE::RAWSXP, bytes.len().cast_signed()));
            RAW(argument).copy_from_nonoverlapping(bytes.as_ptr(), bytes.len());
            let call = Rf_protect(Rf_lang2(strings::symbol(r, function), argument));
            let answer = preserved::keep(r, eval(r, call));
            Rf_unprotect(2);
            answer
        }
    })?;
    Ok(Preserved::from(answer).strings())
}

/// Calls a function of `r-init/` with strings. Returns its value.
///
/// # Errors
/// R's.
pub(super) fn value(function: &CStr, arguments: &[&str]) -> Result<Preserved, RError> {
    let answer = protect_quietly(|r| {
        // SAFETY: inside `protect`; everything is protected while R runs, each argument as soon as it is in the list. The
        // answer is kept until it is copied.
        unsafe {
            let mut list = R_NilValue;
            for argument in arguments.iter().rev() {
                Rf_protect(list);
                let argument = Rf_protect(strings::scalar(r, argument));
                list = Rf_cons(argument, list);
                Rf_unprotect(2);
            }
            Rf_protect(list);
            let call = Rf_protect(Rf_lcons(strings::symbol(r, function), list));
            let answer = preserved::keep(r, eval(r, call));
            Rf_unprotect(2);
            answer
        }
    })?;
    Ok(answer.into())
}

/// A call, to be evaluated in base R often: parsed once, and preserved for good.
pub(super) fn call_of(r: R, text: &str) -> SEXP {
    // SAFETY: inside `protect`; everything is protected while R runs, and the call is preserved as soon as it is there.
    unsafe {
        let text = Rf_protect(strings::scalar(r, text));
        let parse = Rf_protect(Rf_lang2(strings::symbol(r, c"str2lang"), text));
        let call = Rf_eval(parse, R_BaseEnv);
        R_PreserveObject(call);
        Rf_unprotect(2);
        call
    }
}

/// The length of a variable of `r-init/`, without evaluating anything.
#[must_use]
pub fn length(variable: &CStr) -> usize {
    let length = protect_quietly(|r| {
        // SAFETY: inside `protect`; the variable is one of ours, which are no promises.
        unsafe { XLENGTH(Rf_findVarInFrame(ENVIRONMENT.get(), strings::symbol(r, variable))) }
    });
    length.ok().and_then(|length| usize::try_from(length).ok()).unwrap_or(0)
}

/// Loads a package into this R, without attaching it. Returns what is left for each session to do.
///
/// # Errors
/// R's.
pub fn load_package(name: &str) -> Result<Vec<String>, RError> {
    ask(c"load_package", &[name])
}
