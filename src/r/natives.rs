//! The functions of `r-init/host/` that are not R code: what R asks and tells its client, and blobs.
//!
//! R code calls one routine, `host_call`, with a list: the name of what it wants, and arguments.

use std::{
    cell::Cell,
    ffi::{CString, c_int},
};

use libR_sys::{
    LOGICAL, R_ClassSymbol, R_MakeExternalPtrFn, R_NilValue, RAW, REAL, Rf_ScalarLogical, Rf_ScalarReal, Rf_allocVector, Rf_asReal,
    Rf_defineVar, Rf_protect, Rf_setAttrib, Rf_unprotect, SEXP, SEXPTYPE, TYPEOF, VECTOR_ELT, XLENGTH,
};

use super::{
    exec::{RError, protect_quietly},
    ffi::{self, Native1, NativeRoutine},
    objects, preserved, repl, scripts, strings, terse,
};

/// An argument.
#[derive(Debug, Clone, PartialEq)]
pub enum Argument {
    /// NULL, or what has no other form here.
    Nothing,
    /// The first element of a logical vector.
    Flag(bool),
    /// A numeric vector.
    Numbers(Vec<f64>),
    /// The first element of a character vector.
    Text(String),
    /// A raw vector.
    Bytes(Vec<u8>),
}

/// A value for R.
#[derive(Debug, Clone, PartialEq)]
pub enum NativeValue {
    /// NULL.
    Nothing,
    /// A logical value.
    Flag(bool),
    /// A numeric vector.
    Numbers(Vec<f64>),
    /// A character value.
    Text(String),
    /// A raw vector.
    Bytes(Vec<u8>),
}

/// Why a call gives nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CallError {
    /// It cannot be done: a sentence, for R's error.
    Refused(String),
    /// Everything is to be stopped.
    Stopped,
}

/// Who carries the calls out.
pub trait NativeServer {
    /// Carries a call out.
    ///
    /// # Errors
    /// [`CallError`].
    fn call(&self, name: &str, arguments: Vec<Argument>) -> Result<NativeValue, CallError>;
}

thread_local! {
    /// What an answer has as its class if it is the message of an error.
    static ERROR_CLASS: Cell<SEXP> = const { Cell::new(std::ptr::null_mut()) };
}

/// Makes the routine, in the zygote, where `r-init/` was loaded.
///
/// # Errors
/// R's.
pub(super) fn prepare() -> Result<(), RError> {
    protect_quietly(|r| {
        // SAFETY: inside `protect`; everything is protected until it is bound. R stores pointers to functions of any type as one type, and
        // `.Call` passes one argument to the routine, as calls of it have one.
        unsafe {
            let routine = std::mem::transmute::<Native1, NativeRoutine>(host_call);
            let routine = Rf_protect(R_MakeExternalPtrFn(routine, strings::symbol(r, c"native symbol"), R_NilValue));
            Rf_defineVar(strings::symbol(r, c"host_routine"), routine, scripts::environment());
            Rf_unprotect(1);
            ERROR_CLASS.set(scripts::call_of(r, "\"host_error\""));
        }
    })
}

/// What is left of a call when nothing is owned any more.
enum Done {
    Value(SEXP),
    Stopped,
}

unsafe extern "C-unwind" fn host_call(arguments: SEXP) -> SEXP {
    // SAFETY: R protects the arguments of a call. When R jumps, `carry_out` has returned, and nothing is owned.
    unsafe {
        match carry_out(arguments) {
            Done::Value(value) => value,
            Done::Stopped => {
                repl::abort();
                R_NilValue
            }
        }
    }
}

/// # Safety
/// The arguments are protected.
unsafe fn carry_out(arguments: SEXP) -> Done {
    // SAFETY: protected, as promised, and a list, whose elements are below its length.
    let (name, given) = unsafe {
        let count = if TYPEOF(arguments) == SEXPTYPE::VECSXP { XLENGTH(arguments) } else { 0 };
        if count == 0 {
            return Done::Value(value(&Err("a call has a name".to_owned())));
        }
        let name = strings::all(VECTOR_ELT(arguments, 0)).concat();
        if name == "json" && count == 2 {
            let json = terse::json_of(VECTOR_ELT(arguments, 1)).map(|json| NativeValue::Text(String::from_utf8_lossy(&json).into_owned()));
            return Done::Value(value(&json.map_err(|error| error.to_string())));
        }
        if name == "promise_code" && count == 3 && TYPEOF(VECTOR_ELT(arguments, 1)) == SEXPTYPE::ENVSXP {
            return Done::Value(promise_code(VECTOR_ELT(arguments, 1), VECTOR_ELT(arguments, 2)));
        }
        if let Some(given) = about_environment(&name, arguments, count) {
            return Done::Value(value(&Ok(given)));
        }
        (name, (1..count).map(|at| argument(VECTOR_ELT(arguments, at))).collect())
    };
    let Some(client) = repl::client() else {
        return Done::Value(value(&Err("nobody can be asked in this session, as it is not interactive".to_owned())));
    };
    match client.call(&name, given) {
        Ok(given) => Done::Value(value(&Ok(given))),
        Err(CallError::Refused(message)) => Done::Value(value(&Err(message))),
        Err(CallError::Stopped) => Done::Stopped,
    }
}

/// The code of an object that is a promise, which lives as long as that; NULL for other objects.
///
/// # Safety
/// An environment, and the name of what is in it, which are alive.
unsafe fn promise_code(environment: SEXP, name: SEXP) -> SEXP {
    // SAFETY: alive, as promised.
    unsafe {
        let code = CString::new(strings::all(name).concat()).ok().and_then(|object| objects::promise_code(environment, &object));
        code.unwrap_or(R_NilValue)
    }
}

/// What R code cannot do with an environment: ask whether an object is a promise that nobody has evaluated, and say whether R stops in its
/// browser before each statement that is evaluated there, which returns whether it did.
///
/// # Safety
/// A list of so many elements, which is protected.
unsafe fn about_environment(name: &str, arguments: SEXP, count: isize) -> Option<NativeValue> {
    // SAFETY: protected, as promised; the elements are below the list's length, and types are looked at first.
    unsafe {
        match (name, count) {
            ("promise", 3) => {
                let object = CString::new(strings::all(VECTOR_ELT(arguments, 2)).concat()).ok()?;
                Some(NativeValue::Flag(objects::waits(VECTOR_ELT(arguments, 1), &object)))
            }
            ("debug", 3) => {
                let environment = VECTOR_ELT(arguments, 1);
                if TYPEOF(environment) != SEXPTYPE::ENVSXP {
                    return Some(NativeValue::Flag(false));
                }
                let did = ffi::RDEBUG(environment) != 0;
                ffi::SET_RDEBUG(environment, c_int::from(argument(VECTOR_ELT(arguments, 2)) == Argument::Flag(true)));
                Some(NativeValue::Flag(did))
            }
            _ => None,
        }
    }
}

/// # Safety
/// The value is alive.
unsafe fn argument(value: SEXP) -> Argument {
    // SAFETY: alive, as promised; the types are looked at first, and lengths are R's. Numbers of other types are converted without an
    // allocation, as they are of one element.
    unsafe {
        let kind = TYPEOF(value);
        let is_vector = matches!(kind, SEXPTYPE::LGLSXP | SEXPTYPE::RAWSXP | SEXPTYPE::REALSXP | SEXPTYPE::INTSXP);
        // R refuses to tell the length of what is no vector, by a jump.
        let length = if is_vector { usize::try_from(XLENGTH(value)).unwrap_or(0) } else { 0 };
        match kind {
            SEXPTYPE::STRSXP => strings::all(value).into_iter().next().map_or(Argument::Nothing, Argument::Text),
            SEXPTYPE::LGLSXP if length > 0 => Argument::Flag(*LOGICAL(value) == 1),
            SEXPTYPE::RAWSXP if length > 0 => Argument::Bytes(std::slice::from_raw_parts(RAW(value), length).to_vec()),
            SEXPTYPE::RAWSXP => Argument::Bytes(Vec::new()),
            SEXPTYPE::REALSXP if length > 0 => Argument::Numbers(std::slice::from_raw_parts(REAL(value), length).to_vec()),
            SEXPTYPE::INTSXP if length == 1 => Argument::Numbers(vec![Rf_asReal(value)]),
            _ => Argument::Nothing,
        }
    }
}

/// A value for R, unprotected; NULL where there is no memory for it. A message becomes what R code takes for an error.
fn value(given: &Result<NativeValue, String>) -> SEXP {
    let made = protect_quietly(|r| {
        // SAFETY: inside `protect`; each vector is kept before anything else is made, and has as many elements as are copied into it.
        unsafe {
            let made = match given {
                Ok(NativeValue::Nothing) => R_NilValue,
                Ok(NativeValue::Flag(flag)) => Rf_ScalarLogical(i32::from(*flag)),
                Ok(NativeValue::Numbers(numbers)) if numbers.len() == 1 => Rf_ScalarReal(numbers[0]),
                Ok(NativeValue::Numbers(numbers)) => {
                    let vector = Rf_allocVector(SEXPTYPE::REALSXP, numbers.len().cast_signed());
                    if !numbers.is_empty() {
                        REAL(vector).copy_from_nonoverlapping(numbers.as_ptr(), numbers.len());
                    }
                    vector
                }
                Ok(NativeValue::Text(text)) => strings::scalar(r, text),
                Ok(NativeValue::Bytes(bytes)) => {
                    let vector = Rf_allocVector(SEXPTYPE::RAWSXP, bytes.len().cast_signed());
                    if !bytes.is_empty() {
                        RAW(vector).copy_from_nonoverlapping(bytes.as_ptr(), bytes.len());
                    }
                    vector
                }
                Err(message) => {
                    let message = Rf_protect(strings::scalar(r, message));
                    Rf_setAttrib(message, R_ClassSymbol, ERROR_CLASS.get());
                    Rf_unprotect(1);
                    message
                }
            };
            preserved::keep(r, made)
        }
    });
    // SAFETY: a constant of R. The value is let go of, and R, which gets it, makes nothing before it protects it.
    made.map_or_else(|_| unsafe { R_NilValue }, |kept| preserved::Preserved::from(kept).value())
}
