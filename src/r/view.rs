//! Views of R's values: R's memory is read where it lies, and nothing is copied.
//!
//! `model` and `inspect` make a view something that the writers of `crate::wire` can write.

use std::{ffi::CStr, marker::PhantomData, slice};

use extendr_api::{Rtype, sxp_to_rtype};
use libR_sys::{
    DATAPTR_OR_NULL, INTEGER, R_BaseEnv, R_ClassSymbol, R_DimSymbol, R_LevelsSymbol, R_NamesSymbol, R_NilValue, R_RowNamesSymbol, Rboolean,
    Rf_eval, Rf_getAttrib, Rf_isObject, Rf_lang2, Rf_protect, Rf_unprotect, SEXP, SEXPTYPE, TYPEOF, VECTOR_ELT,
};

use super::{exec::R, kept::keep, reports, strings};
use crate::wire::{Text, Value};

/// A view of a value of R, inside [`super::exec::protect`]. R keeps the value for as long as `'r`, and what is borrowed
/// from it cannot be used for longer.
#[derive(Clone, Copy)]
pub struct RValue<'r> {
    value: SEXP,
    r: R<'r>,
    /// How many of its first classes are left out; only the rules of jsonlite leave out any.
    passed: usize,
}

/// An element of a character vector, as it lies in the vector's memory: a pointer to a string in R's cache.
#[derive(Clone, Copy, Debug)]
#[repr(transparent)]
pub struct RString<'r>(SEXP, PhantomData<&'r ()>);

/// What the memory of a vector consists of that is there for as long as `'r`.
///
/// # Safety
/// Vectors of the types that `fits` accepts have memory that is an array of `Self`.
unsafe trait Element<'r>: 'r {
    /// Whether vectors of this type consist of such elements.
    fn fits(kind: SEXPTYPE) -> bool;
}

// SAFETY: R has integers and truth values as 32-bit integers.
unsafe impl Element<'_> for i32 {
    fn fits(kind: SEXPTYPE) -> bool {
        matches!(kind, SEXPTYPE::INTSXP | SEXPTYPE::LGLSXP)
    }
}

// SAFETY: R has numbers as doubles.
unsafe impl Element<'_> for f64 {
    fn fits(kind: SEXPTYPE) -> bool {
        kind == SEXPTYPE::REALSXP
    }
}

// SAFETY: a character vector is an array of pointers to strings, and `RString` is such a pointer.
unsafe impl<'r> Element<'r> for RString<'r> {
    fn fits(kind: SEXPTYPE) -> bool {
        kind == SEXPTYPE::STRSXP
    }
}

impl<'r> RString<'r> {
    /// The string.
    pub(super) fn text(self) -> Text<'r> {
        // SAFETY: an element of a character vector, which keeps the string for as long as the vector is viewed.
        unsafe { strings::text(self.0) }
    }
}

impl std::fmt::Debug for RValue<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "RValue({:p})", self.value)
    }
}

/// Protects a value that nothing else keeps, and gives `look` a view of it for as long as it is protected.
///
/// # Safety
/// `value` is alive.
pub(super) unsafe fn protected<T>(r: R<'_>, value: SEXP, look: impl for<'v> FnOnce(RValue<'v>) -> T) -> T {
    // SAFETY: alive, as promised, and then protected. `look` works for any lifetime, so no view is left after it.
    unsafe {
        let found = look(RValue::as_it_is(r, Rf_protect(value)));
        Rf_unprotect(1);
        found
    }
}

impl<'r> RValue<'r> {
    /// A view of `value`.
    ///
    /// # Safety
    /// `value` stays reachable from R, and is not changed, for as long as `'r`.
    pub(super) unsafe fn as_it_is(r: R<'r>, value: SEXP) -> Self {
        Self { value, r, passed: 0 }
    }

    /// The view that the type model has of the value. It knows no broken-down times (`POSIXlt`): these become counts
    /// of seconds.
    pub(super) fn modelled(self) -> Self {
        if self.rtype() == Rtype::List && self.inherits(c"POSIXlt") { self.as_posixct() } else { self }
    }

    /// The value itself.
    pub(super) fn value(self) -> SEXP {
        self.value
    }

    /// Proof that the value is looked at inside `protect`.
    pub(super) fn token(self) -> R<'r> {
        self.r
    }

    /// How many of its first classes are left out.
    pub(super) fn passed(self) -> usize {
        self.passed
    }

    /// The same view with so many classes left out.
    pub(super) fn passing(self, passed: usize) -> Self {
        Self { passed, ..self }
    }

    /// R's type of the value.
    pub(super) fn kind(self) -> SEXPTYPE {
        // SAFETY: any value has a type.
        unsafe { TYPEOF(self.value) }
    }

    pub(super) fn rtype(self) -> Rtype {
        sxp_to_rtype(self.kind())
    }

    /// An attribute, or NULL.
    pub(super) fn attribute(self, name: SEXP) -> Self {
        // SAFETY: the callers pass symbols, and any value can be asked for an attribute. What is stored lives as long as
        // the value; what R makes for the occasion is kept by us: the names of pairlists and calls, which it has in
        // another form, and row names that are stored in short form.
        unsafe {
            let attribute = Rf_getAttrib(self.value, name);
            if matches!(self.kind(), SEXPTYPE::LISTSXP | SEXPTYPE::LANGSXP | SEXPTYPE::DOTSXP) || name == R_RowNamesSymbol {
                keep(self.r, attribute);
            }
            Self::as_it_is(self.r, attribute)
        }
    }

    /// The class attribute: a character vector, or NULL.
    pub(super) fn class_attribute(self) -> Self {
        // SAFETY: R's symbols are constants.
        self.attribute(unsafe { R_ClassSymbol })
    }

    pub(super) fn names(self) -> Self {
        // SAFETY: R's symbols are constants.
        self.attribute(unsafe { R_NamesSymbol })
    }

    pub(super) fn level_names(self) -> Self {
        // SAFETY: R's symbols are constants.
        self.attribute(unsafe { R_LevelsSymbol })
    }

    pub(super) fn class_names(self) -> impl Iterator<Item = &'r [u8]> {
        let attribute = self.class_attribute();
        let count = if attribute.kind() == SEXPTYPE::STRSXP { attribute.len() } else { 0 };
        (0..count).map(move |at| attribute.string(at).bytes())
    }

    fn inherits(self, class: &CStr) -> bool {
        self.is_object() && self.class_names().any(|name| name == class.to_bytes())
    }

    /// Whether it has a class attribute.
    pub(super) fn is_object(self) -> bool {
        // SAFETY: any value can be asked.
        unsafe { Rf_isObject(self.value) == Rboolean::TRUE }
    }

    /// A broken-down time as a count of seconds, by R's own conversion.
    fn as_posixct(self) -> Self {
        // SAFETY: inside `protect`, as `self.r` shows; the call is protected while it is evaluated, and its value is kept.
        unsafe {
            let call = Rf_protect(Rf_lang2(strings::symbol(self.r, c"as.POSIXct"), self.value));
            reports::begin_own_work();
            let converted = Rf_eval(call, R_BaseEnv);
            keep(self.r, converted);
            Rf_unprotect(1);
            Self::as_it_is(self.r, converted)
        }
    }

    /// The vector's memory. `None` when it has none, as a compact sequence, or consists of something else.
    #[expect(private_bounds, reason = "nobody else is to say what R's memory consists of")]
    pub(super) fn memory<T: Element<'r>>(self) -> Option<&'r [T]> {
        if !T::fits(self.kind()) {
            return None;
        }
        // SAFETY: the elements are `T`, as just checked. The memory lives as long as the value, and has its length.
        unsafe {
            let memory = DATAPTR_OR_NULL(self.value).cast::<T>();
            match self.len() {
                // R's address for the memory of an empty vector is 1, which is aligned for nothing.
                0 => Some(&[]),
                length => (!memory.is_null()).then(|| slice::from_raw_parts(memory, length)),
            }
        }
    }

    /// The dimensions; empty when there are none.
    pub(super) fn extents(self) -> &'r [i32] {
        // SAFETY: R's symbols are constants.
        let dimensions = self.attribute(unsafe { R_DimSymbol });
        if dimensions.kind() != SEXPTYPE::INTSXP || dimensions.is_empty() {
            return &[];
        }
        // SAFETY: an integer vector that is not empty; it lives as long as the value that it is an attribute of.
        unsafe { slice::from_raw_parts(INTEGER(dimensions.value), dimensions.len()) }
    }

    /// An element of a list, as it is; NULL when there is no such element.
    pub(super) fn child(self, at: usize) -> Self {
        // SAFETY: the type and the bounds are checked; the element lives as long as its list.
        unsafe {
            let is_there = matches!(self.kind(), SEXPTYPE::VECSXP | SEXPTYPE::EXPRSXP) && at < self.len();
            Self::as_it_is(self.r, if is_there { VECTOR_ELT(self.value, index(at)) } else { R_NilValue })
        }
    }
}

#[expect(clippy::cast_possible_wrap, reason = "below a length that R gave as isize")]
pub(super) fn index(at: usize) -> isize {
    at as isize
}
