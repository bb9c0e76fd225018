//! The objects of the global environment, by name.

use std::ffi::{CStr, CString};

use libR_sys::{
    R_BindingIsActive, R_GlobalEnv, R_UnboundValue, R_existsVarInFrame, R_lsInternal3, R_removeVarFromFrame, Rboolean, Rf_defineVar,
    Rf_eval, Rf_findVarInFrame, SEXP, SEXPTYPE, TYPEOF,
};

use super::{
    exec::{R, RError, protect_quietly},
    ffi,
    preserved::{self, Preserved},
    reports, strings,
};

/// The names in the global environment, sorted, without those that begin with a dot: R's `ls()`.
///
/// # Errors
/// R's, when memory has run out.
pub fn names() -> Result<Vec<String>, RError> {
    list(Rboolean::FALSE)
}

fn list(all: Rboolean) -> Result<Vec<String>, RError> {
    let names = protect_quietly(|r| {
        // SAFETY: inside `protect`; kept as soon as they are made.
        unsafe { preserved::keep(r, R_lsInternal3(R_GlobalEnv, all, Rboolean::TRUE)) }
    })?;
    Ok(Preserved::from(names).strings())
}

/// The names of all promises in the global environment whose values have not been computed yet. R code cannot find them without
/// computing them.
///
/// # Errors
/// R's, when memory has run out.
pub fn promises() -> Result<Vec<String>, RError> {
    let names = list(Rboolean::TRUE)?;
    let mut promises = Vec::new();
    for name in names {
        let Ok(symbol) = CString::new(name.as_str()) else { continue };
        // SAFETY: inside `protect`, of a name that exists.
        if protect_quietly(|r| unsafe { is_promise(r, R_GlobalEnv, &symbol) })? {
            promises.push(name);
        }
    }
    Ok(promises)
}

/// Whether an environment has an object of that name whose value has not been computed yet.
///
/// # Safety
/// The value is alive.
pub(super) unsafe fn waits(environment: SEXP, name: &CStr) -> bool {
    // SAFETY: alive, as promised, and inside `protect`: R complains of a name that does not exist.
    unsafe { TYPEOF(environment) == SEXPTYPE::ENVSXP && protect_quietly(|r| is_promise(r, environment, name)).unwrap_or(false) }
}

/// The code of an object of that name if it is a promise.
///
/// # Safety
/// An environment, which is alive. The code is so for as long as the object is there.
pub(super) unsafe fn promise_code(environment: SEXP, name: &CStr) -> Option<SEXP> {
    let code = protect_quietly(|r| {
        // SAFETY: alive, as promised, and inside `protect`. Code that was compiled has its expression beside it.
        unsafe {
            if R_existsVarInFrame(environment, strings::symbol(r, name)) == Rboolean::FALSE {
                return None;
            }
            promise(r, environment, name).map(|promise| ffi::R_PromiseExpr(promise))
        }
    });
    code.ok().flatten()
}

/// Whether the value of an object that exists has not been computed yet.
///
/// # Safety
/// An environment, which is alive.
unsafe fn is_promise(r: R, environment: SEXP, name: &CStr) -> bool {
    // SAFETY: as promised.
    unsafe { promise(r, environment, name).is_some_and(|promise| ffi::PRVALUE(promise) == R_UnboundValue) }
}

/// The promise of an object that exists, if it is one.
///
/// # Safety
/// An environment, which is alive.
unsafe fn promise(r: R, environment: SEXP, name: &CStr) -> Option<SEXP> {
    // SAFETY: inside `protect`; to look at a binding that is not active allocates nothing.
    unsafe {
        let name = strings::symbol(r, name);
        if R_BindingIsActive(name, environment) == Rboolean::TRUE {
            return None;
        }
        let value = Rf_findVarInFrame(environment, name);
        (TYPEOF(value) == SEXPTYPE::PROMSXP).then_some(value)
    }
}

/// Whether the global environment has an object of that name.
pub(super) fn exists(r: R, name: &CStr) -> bool {
    // SAFETY: inside `protect`.
    unsafe { R_existsVarInFrame(R_GlobalEnv, strings::symbol(r, name)) == Rboolean::TRUE }
}

/// Whether the name is bound to a function that makes its value anew each time.
pub(super) fn is_active(r: R, name: &CStr) -> bool {
    // SAFETY: inside `protect`, of a name that exists.
    unsafe { R_BindingIsActive(strings::symbol(r, name), R_GlobalEnv) == Rboolean::TRUE }
}

/// The value of an object that exists. It is not protected, as nothing else may refer to it: the value of an active
/// binding is made by its function. A promise is forced.
pub(super) fn value(r: R, name: &CStr) -> SEXP {
    reports::begin_own_work();
    // SAFETY: inside `protect`.
    unsafe { Rf_eval(strings::symbol(r, name), R_GlobalEnv) }
}

/// Binds a value to a name, as `name <- value` does.
///
/// # Safety
/// The caller protects `value`.
pub(super) unsafe fn bind(r: R, name: &CStr, value: SEXP) {
    // SAFETY: inside `protect`; protected, as promised.
    unsafe { Rf_defineVar(strings::symbol(r, name), value, R_GlobalEnv) };
}

/// Binds a value to a name.
///
/// # Errors
/// R's: the name is empty or too long, or its binding is locked.
pub fn assign(name: &CStr, value: &Preserved) -> Result<(), RError> {
    // SAFETY: the value is preserved by its owner.
    protect_quietly(|r| unsafe { bind(r, name, value.value()) })
}

/// Removes an object; false when there is none of that name.
///
/// # Errors
/// R's, when the environment or the binding is locked.
pub fn remove(name: &CStr) -> Result<bool, RError> {
    protect_quietly(|r| {
        let found = exists(r, name);
        if found {
            // SAFETY: inside `protect`, of a name that exists.
            unsafe { R_removeVarFromFrame(strings::symbol(r, name), R_GlobalEnv) };
        }
        found
    })
}
