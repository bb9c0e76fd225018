//! Inputs from a client, made into R values and bound in the global environment.

use std::ffi::{CStr, CString, NulError};

use libR_sys::{
    INTEGER, LOGICAL, R_BaseEnv, R_BindingIsLocked, R_ClassSymbol, R_DimSymbol, R_EnvironmentIsLocked, R_GlobalEnv, R_NaString,
    R_NamesSymbol, R_NilValue, R_RowNamesSymbol, REAL, Rboolean, Rf_ScalarLogical, Rf_allocVector, Rf_cons, Rf_defineVar, Rf_eval,
    Rf_lcons, Rf_protect, Rf_setAttrib, Rf_unprotect, SET_STRING_ELT, SET_TAG, SET_VECTOR_ELT, SEXP, SEXPTYPE, VECTOR_ELT,
};

use super::{
    exec::{R, RError, protect_quietly},
    objects, reports, strings,
    view::index,
};
use crate::wire::{
    typed::input::{Column, Factor, Input, Inputs, Sent},
    value::NA_INTEGER,
};

/// Why inputs were not bound.
#[derive(Debug, thiserror::Error)]
pub enum AssignError {
    /// A name has a NUL in it, which C strings cannot have.
    #[error(transparent)]
    Name(#[from] NulError),
    /// R's error: memory has run out, a binding or the environment is locked, or the function behind an active binding
    /// has failed.
    #[error(transparent)]
    R(#[from] RError),
}

/// Makes all of the values, and only then binds them: when one cannot be made, none is bound. Names are bound in the
/// order of what can go wrong, so that one that R refuses stops us before another is bound.
///
/// # Errors
/// [`AssignError`].
pub fn assign(inputs: &Inputs<'_>) -> Result<(), AssignError> {
    let together = inputs.as_list.then_some("inputs");
    let names = inputs.members.iter().map(|(name, _)| name.as_ref()).chain(together);
    let names: Vec<CString> = names.map(CString::new).collect::<Result<_, _>>()?;
    let names = names.as_slice();
    protect_quietly(|r| {
        // SAFETY: inside `protect`; the values are protected by their list, and the frames own nothing.
        unsafe {
            let values = Rf_protect(list(r, &inputs.members));
            for risk in [Risk::Refused, Risk::Runs, Risk::None] {
                for (at, name) in names.iter().enumerate().filter(|(_, name)| Risk::of(r, name) == risk) {
                    let value = if at < inputs.members.len() { VECTOR_ELT(values, index(at)) } else { values };
                    Rf_defineVar(strings::symbol(r, name), value, R_GlobalEnv);
                }
            }
            Rf_unprotect(1);
        }
    })?;
    Ok(())
}

/// What may happen when a name is bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Risk {
    /// R refuses, with a message of its own.
    Refused,
    /// A function of the user runs, and may fail.
    Runs,
    /// Nothing.
    None,
}

impl Risk {
    fn of(r: R, name: &CStr) -> Self {
        let exists = objects::exists(r, name);
        // SAFETY: inside `protect`; a binding is asked about only if there is one.
        let locked =
            unsafe { if exists { R_BindingIsLocked(strings::symbol(r, name), R_GlobalEnv) } else { R_EnvironmentIsLocked(R_GlobalEnv) } };
        match locked {
            Rboolean::TRUE => Self::Refused,
            Rboolean::FALSE if exists && objects::is_active(r, name) => Self::Runs,
            Rboolean::FALSE => Self::None,
        }
    }
}

/// A value. Like what all functions below return, it is not protected yet: the caller protects it before R allocates
/// again.
fn value(r: R, input: &Input<'_>) -> SEXP {
    match input {
        // SAFETY: a constant of R.
        Input::Null => unsafe { R_NilValue },
        Input::Vector(elements) => column(r, elements),
        Input::Integers(elements) => integers(r, elements),
        Input::Matrix { rows, columns, elements } => {
            let dimensions = [*rows, *columns].map(|extent| i32::try_from(extent).unwrap_or(i32::MAX));
            // SAFETY: inside `protect`; R's symbols are constants.
            unsafe { with_attribute(column(r, elements), R_DimSymbol, || integers(r, &dimensions)) }
        }
        // SAFETY: just made.
        Input::Dates(days) => unsafe { classed(r, doubles(r, days), &["Date"]) },
        // SAFETY: just made.
        Input::Moments(seconds) => unsafe { classed(r, doubles(r, seconds), &["POSIXct", "POSIXt"]) },
        Input::Factor(arguments) => factor(r, arguments),
        Input::List(members) => list(r, members),
        Input::DataFrame(columns) => data_frame(r, columns),
    }
}

fn column(r: R, column: &Column<'_>) -> SEXP {
    match column {
        Column::Logical(elements) => {
            let vector = allocate(r, SEXPTYPE::LGLSXP, elements.len());
            // SAFETY: just allocated, of that type and length; nothing else points to it.
            unsafe { fill(LOGICAL(vector), elements) };
            vector
        }
        Column::Double(elements) => doubles(r, elements),
        Column::Text(elements) => texts(r, elements.iter().map(Option::as_deref)),
    }
}

fn doubles(r: R, elements: &[f64]) -> SEXP {
    let vector = allocate(r, SEXPTYPE::REALSXP, elements.len());
    // SAFETY: just allocated, of that type and length; nothing else points to it.
    unsafe { fill(REAL(vector), elements) };
    vector
}

fn integers(r: R, elements: &[i32]) -> SEXP {
    let vector = allocate(r, SEXPTYPE::INTSXP, elements.len());
    // SAFETY: just allocated, of that type and length; nothing else points to it.
    unsafe { fill(INTEGER(vector), elements) };
    vector
}

/// Copies elements into the memory of a vector. R's address for the memory of an empty vector is 1, which Rust does not
/// take for an address even where nothing is copied.
///
/// # Safety
/// `memory` has room for that many elements, and nobody else looks at it.
unsafe fn fill<T: Copy>(memory: *mut T, elements: &[T]) {
    if !elements.is_empty() {
        // SAFETY: as promised; the vector has just been allocated, so that it does not overlap with the elements.
        unsafe { memory.copy_from_nonoverlapping(elements.as_ptr(), elements.len()) };
    }
}

/// A character vector; `None` is `NA`.
fn texts<'a>(r: R, elements: impl ExactSizeIterator<Item = Option<&'a str>>) -> SEXP {
    // SAFETY: inside `protect`; the vector is protected while its elements are made, and each index is below
    // its length. The iterators that this file passes own nothing.
    unsafe {
        let vector = Rf_protect(allocate(r, SEXPTYPE::STRSXP, elements.len()));
        for (at, text) in elements.enumerate() {
            SET_STRING_ELT(vector, index(at), text.map_or(R_NaString, |text| strings::element(r, text)));
        }
        Rf_unprotect(1);
        vector
    }
}

/// A list. It has names if one of its members has a name.
fn list(r: R, members: &[(Sent<'_>, Input<'_>)]) -> SEXP {
    let list = elements(r, members);
    let has_names = members.iter().any(|(name, _)| !name.is_empty());
    // SAFETY: just made.
    if has_names { unsafe { named(r, list, members) } } else { list }
}

fn elements(r: R, members: &[(Sent<'_>, Input<'_>)]) -> SEXP {
    // SAFETY: inside `protect`; the list is protected while its elements are made, and each is put into it as soon as it is made.
    unsafe {
        let list = Rf_protect(allocate(r, SEXPTYPE::VECSXP, members.len()));
        for (at, (_, member)) in members.iter().enumerate() {
            SET_VECTOR_ELT(list, index(at), value(r, member));
        }
        Rf_unprotect(1);
        list
    }
}

/// # Safety
/// `list` is alive.
unsafe fn named(r: R, list: SEXP, members: &[(Sent<'_>, Input<'_>)]) -> SEXP {
    // SAFETY: inside `protect`; R's symbols are constants.
    unsafe { with_attribute(list, R_NamesSymbol, || texts(r, members.iter().map(|(name, _)| Some(name.as_ref())))) }
}

fn data_frame(r: R, columns: &[(Sent<'_>, Input<'_>)]) -> SEXP {
    let rows = columns.first().map_or(0, |(_, column)| column.len());
    // R's short form of the names 1 to n is c(NA, -n).
    let short = [NA_INTEGER, -i32::try_from(rows).unwrap_or(i32::MAX)];
    let row_names = if rows == 0 { &[] } else { short.as_slice() };
    // SAFETY: inside `protect`; R's symbols are constants, and each value is passed on as soon as it is made.
    unsafe {
        let frame = with_attribute(named(r, elements(r, columns), columns), R_RowNamesSymbol, || integers(r, row_names));
        classed(r, frame, &["data.frame"])
    }
}

/// A factor, made by R's own `factor()`: R knows how the session's language sorts strings.
fn factor(r: R, factor: &Factor<'_>) -> SEXP {
    // SAFETY: inside `protect`; every argument list is protected while the next argument is made, and the call
    // while it is evaluated. Base R's functions cannot be masked in its own environment.
    unsafe {
        let mut protected = 1;
        let mut arguments = Rf_protect(argument(r, c"ordered", Rf_ScalarLogical(factor.ordered.into()), R_NilValue));
        let mut add = |name, value| {
            arguments = Rf_protect(argument(r, name, value, arguments));
            protected += 1;
        };
        if let Some(labels) = &factor.labels {
            add(c"labels", texts(r, labels.iter().map(|label| Some(label.as_ref()))));
        }
        if let Some(levels) = &factor.levels {
            // `factor()` would drop a missing value from the levels. One that a client lists is meant to be a level.
            add(c"exclude", R_NilValue);
            add(c"levels", column(r, levels));
        }
        add(c"x", column(r, &factor.values));
        let call = Rf_protect(Rf_lcons(strings::symbol(r, c"factor"), arguments));
        reports::begin_own_work();
        let made = Rf_eval(call, R_BaseEnv);
        Rf_unprotect(protected + 1);
        made
    }
}

/// Puts a named argument before `rest`.
///
/// # Safety
/// `value` is alive, and `rest` is protected by the caller.
unsafe fn argument(r: R, name: &CStr, value: SEXP, rest: SEXP) -> SEXP {
    // SAFETY: inside `protect`; `value` is protected before anything is allocated.
    unsafe {
        Rf_protect(value);
        let tag = strings::symbol(r, name);
        let argument = Rf_cons(value, rest);
        SET_TAG(argument, tag);
        Rf_unprotect(1);
        argument
    }
}

/// # Safety
/// `vector` is alive.
unsafe fn classed(r: R, vector: SEXP, classes: &[&str]) -> SEXP {
    // SAFETY: inside `protect`; R's symbols are constants.
    unsafe { with_attribute(vector, R_ClassSymbol, || texts(r, classes.iter().map(|&class| Some(class)))) }
}

/// Sets an attribute that is made while the vector is protected.
///
/// # Safety
/// Inside `protect`; `vector` is alive, and `attribute` is a symbol.
unsafe fn with_attribute(vector: SEXP, attribute: SEXP, make: impl FnOnce() -> SEXP) -> SEXP {
    // SAFETY: both are protected while R may allocate.
    unsafe {
        Rf_protect(vector);
        let value = Rf_protect(make());
        Rf_setAttrib(vector, attribute, value);
        Rf_unprotect(2);
        vector
    }
}

fn allocate(_: R, kind: SEXPTYPE, length: usize) -> SEXP {
    // SAFETY: inside `protect`. R refuses a length that is too large for it with an error.
    unsafe { Rf_allocVector(kind, index(length)) }
}
