//! The R code of `r-init/`, in an environment of its own that no search path shows.

use std::{cell::Cell, ffi::CStr};

use libR_sys::{
    R_BaseEnv, R_NewEnv, R_NilValue, R_PreserveObject, Rf_cons, Rf_eval, Rf_findVarInFrame, Rf_lang1, Rf_lang2, Rf_lcons, Rf_protect,
    Rf_unprotect, SEXP, XLENGTH,
};

use super::{
    conditions, eval,
    exec::{R, protect_quietly},
    strings,
};

const FILES: [(&str, &str); 5] = [
    ("conditions.R", include_str!("../../r-init/conditions.R")),
    ("session.R", include_str!("../../r-init/session.R")),
    ("graphics.R", include_str!("../../r-init/graphics.R")),
    ("json.R", include_str!("../../r-init/json.R")),
    ("workspace.R", include_str!("../../r-init/workspace.R")),
];

thread_local! {
    static ENVIRONMENT: Cell<SEXP> = const { Cell::new(std::ptr::null_mut()) };
}

/// Evaluates `r-init/`, once, in the zygote.
///
/// # Errors
/// The file that failed, with R's message.
pub(super) fn load() -> Result<(), String> {
    let environment = protect_quietly(|_| {
        // SAFETY: inside `protect`; preserved at once.
        unsafe {
            let environment = R_NewEnv(R_BaseEnv, 1, 64);
            R_PreserveObject(environment);
            environment
        }
    })?;
    ENVIRONMENT.set(environment);
    for (name, text) in FILES {
        eval::source(text, environment).map_err(|error| format!("r-init/{name}: {error}"))?;
    }
    protect_quietly(|r| conditions::install(r, environment))
}

/// The environment of `r-init/`.
pub(super) fn environment() -> SEXP {
    ENVIRONMENT.get()
}

/// Evaluates a call of a function of `r-init/`; the answer is not protected.
pub(super) fn eval(_: R, call: SEXP) -> SEXP {
    // SAFETY: inside `protect`; the call is its caller's to protect.
    unsafe { Rf_eval(call, ENVIRONMENT.get()) }
}

/// Calls a function of `r-init/` without arguments, for its effect.
///
/// # Errors
/// R's message.
pub fn call(function: &CStr) -> Result<(), String> {
    protect_quietly(|r| {
        // SAFETY: inside `protect`; the call is protected while it is evaluated.
        unsafe {
            let call = Rf_protect(Rf_lang1(strings::symbol(r, function)));
            eval(r, call);
            Rf_unprotect(1);
        }
    })
}

/// Calls a function of `r-init/` with strings, and takes its answer: the strings of a character vector; none
/// when it is something else.
///
/// # Errors
/// R's message.
pub fn ask(function: &CStr, arguments: &[&str]) -> Result<Vec<String>, String> {
    let answer = protect_quietly(|r| {
        // SAFETY: inside `protect`; everything is protected while R runs, the arguments by the call that they
        // are put in front of. The answer is preserved until it is copied.
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
            let answer = eval(r, call);
            R_PreserveObject(answer);
            Rf_unprotect(2);
            answer
        }
    })?;
    // SAFETY: preserved above, released once; neither function jumps.
    unsafe {
        let texts = strings::all(answer);
        libR_sys::R_ReleaseObject(answer);
        Ok(texts)
    }
}

/// The length of a variable of `r-init/`. Looks into memory, and evaluates nothing.
#[must_use]
pub fn length(variable: &CStr) -> usize {
    let length = protect_quietly(|r| {
        // SAFETY: inside `protect`; the variable is of our own making and no promise.
        unsafe { XLENGTH(Rf_findVarInFrame(ENVIRONMENT.get(), strings::symbol(r, variable))) }
    });
    length.ok().and_then(|length| usize::try_from(length).ok()).unwrap_or(0)
}

/// Loads a package into this R, without attaching it.
///
/// # Errors
/// R's message.
pub fn load_package(name: &str) -> Result<(), String> {
    protect_quietly(|r| {
        // SAFETY: inside `protect`; everything is protected while R runs.
        unsafe {
            let argument = Rf_protect(strings::scalar(r, name));
            let call = Rf_protect(Rf_lang2(strings::symbol(r, c"loadNamespace"), argument));
            Rf_eval(call, R_BaseEnv);
            Rf_unprotect(2);
        }
    })
}
