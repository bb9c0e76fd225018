//! The objects of the global environment, by name.

use std::ffi::CStr;

use libR_sys::{
    R_BindingIsActive, R_GlobalEnv, R_PreserveObject, R_ReleaseObject, R_existsVarInFrame, R_lsInternal3, R_removeVarFromFrame, Rboolean,
    Rf_defineVar, Rf_eval, Rf_protect, Rf_unprotect, SEXP,
};

use super::{
    exec::{R, protect_quietly},
    preserved::Preserved,
    strings,
};

/// The names in the global environment, sorted, without those that begin with a dot: R's `ls()`.
///
/// # Errors
/// R's message; only when memory has run out.
pub fn names() -> Result<Vec<String>, String> {
    let names = protect_quietly(|_| {
        // SAFETY: inside `protect`; preserved at once.
        unsafe {
            let names = Rf_protect(R_lsInternal3(R_GlobalEnv, Rboolean::FALSE, Rboolean::TRUE));
            R_PreserveObject(names);
            Rf_unprotect(1);
            names
        }
    })?;
    // SAFETY: preserved above and released once; neither jumps.
    unsafe {
        let list = strings::all(names);
        R_ReleaseObject(names);
        Ok(list)
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

/// The value of an object that exists; unprotected. Promises are forced.
pub(super) fn value(r: R, name: &CStr) -> SEXP {
    // SAFETY: inside `protect`.
    unsafe { Rf_eval(strings::symbol(r, name), R_GlobalEnv) }
}

/// Binds a value to a name, as `name <- value` does.
pub(super) fn bind(r: R, name: &CStr, value: SEXP) {
    // SAFETY: inside `protect`; the value is its caller's to protect.
    unsafe { Rf_defineVar(strings::symbol(r, name), value, R_GlobalEnv) };
}

/// Binds a value to a name.
///
/// # Errors
/// R's message: the name is empty or too long, or its binding is locked.
pub fn assign(name: &CStr, value: &Preserved) -> Result<(), String> {
    let value = value.value();
    protect_quietly(|r| bind(r, name, value))
}

/// Removes an object; false when there is none of that name.
///
/// # Errors
/// R's message, when the environment or the binding is locked.
pub fn remove(name: &CStr) -> Result<bool, String> {
    protect_quietly(|r| {
        let found = exists(r, name);
        if found {
            // SAFETY: inside `protect`, of a name that exists.
            unsafe { R_removeVarFromFrame(strings::symbol(r, name), R_GlobalEnv) };
        }
        found
    })
}
