//! R's values as the writers see them: a view of the memory itself.
//!
//! Compact sequences and other ALTREP vectors are read in pieces and never expanded: expanding one would
//! copy it into every process that looks.

use std::{cell::Cell, ffi::CStr, marker::PhantomData, slice};

use extendr_api::{Rtype, sxp_to_rtype};
use libR_sys::{
    CDR, DATAPTR_OR_NULL, INTEGER, INTEGER_GET_REGION, LOGICAL_GET_REGION, R_BaseEnv, R_ClassSymbol, R_DimSymbol, R_LevelsSymbol,
    R_NamesSymbol, R_NilValue, R_PreserveObject, REAL_GET_REGION, Rboolean, Rf_cons, Rf_eval, Rf_getAttrib, Rf_isObject, Rf_lang2,
    Rf_protect, Rf_type2char, Rf_unprotect, SETCDR, SEXP, SEXPTYPE, STRING_ELT, TYPEOF, VECTOR_ELT, XLENGTH,
};

use super::{exec::R, strings};
use crate::wire::{Class, Shape, Storage, Text, Value};

thread_local! {
    /// A pairlist of values made while viewing others; see [`keep`].
    static KEPT: Cell<SEXP> = const { Cell::new(std::ptr::null_mut()) };
}

/// Elements read at a time where a vector has no memory of its own.
const PIECE: usize = 1024;

/// A value of R, inside [`super::exec::protect`].
#[derive(Clone, Copy)]
pub(super) struct RValue<'a> {
    value: SEXP,
    r: R,
    /// How many of its classes are not looked at any more; only the rules of jsonlite pass over some.
    passed: usize,
    /// Views are of values that R keeps for as long as `'a`.
    alive: PhantomData<&'a ()>,
}

/// An element of a character vector, as its memory has it.
#[derive(Clone, Copy, Debug)]
#[repr(transparent)]
pub(super) struct RString<'a>(SEXP, PhantomData<&'a ()>);

impl std::fmt::Debug for RValue<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "RValue({:p})", self.value)
    }
}

impl RValue<'_> {
    /// A view of `value` for the type model, which has no broken-down times: they are counts of seconds.
    ///
    /// # Safety
    /// As for [`RValue::as_it_is`].
    pub(super) unsafe fn new(r: R, value: SEXP) -> Self {
        // SAFETY: promised by the caller.
        let view = unsafe { Self::as_it_is(r, value) };
        if view.rtype() == Rtype::List && view.inherits(c"POSIXlt") {
            return Self { value: view.as_posixct(), ..view };
        }
        view
    }

    /// A view of `value`.
    ///
    /// # Safety
    /// `value` stays reachable from R, and is not changed, while the view or a text from it is used.
    pub(super) unsafe fn as_it_is(r: R, value: SEXP) -> Self {
        Self { value, r, passed: 0, alive: PhantomData }
    }

    /// The value itself.
    pub(super) fn value(self) -> SEXP {
        self.value
    }

    /// Proof that the value is looked at inside `protect`.
    pub(super) fn token(self) -> R {
        self.r
    }

    /// How many classes are not looked at any more.
    pub(super) fn passed(self) -> usize {
        self.passed
    }

    /// The same view, with so many classes passed over.
    pub(super) fn passing(self, passed: usize) -> Self {
        Self { passed, ..self }
    }

    fn rtype(self) -> Rtype {
        // SAFETY: any value has a type.
        sxp_to_rtype(unsafe { TYPEOF(self.value) })
    }

    fn attribute(self, name: SEXP) -> SEXP {
        // SAFETY: a symbol, asked of a live value. For the attributes asked for here R returns what is stored.
        unsafe { Rf_getAttrib(self.value, name) }
    }

    /// The class attribute: a character vector, or NULL.
    pub(super) fn class_attribute(self) -> SEXP {
        // SAFETY: R's symbols are constants.
        self.attribute(unsafe { R_ClassSymbol })
    }

    fn classes(self) -> impl Iterator<Item = &'static [u8]> {
        let attribute = self.class_attribute();
        // SAFETY: the attribute lives as long as its value.
        let count = unsafe { if TYPEOF(attribute) == SEXPTYPE::STRSXP { XLENGTH(attribute) } else { 0 } };
        // SAFETY: as above, and `at` is below the length.
        (0..count).map(move |at| unsafe { strings::text(STRING_ELT(attribute, at)) }.bytes())
    }

    fn inherits(self, class: &CStr) -> bool {
        // SAFETY: any value can be asked.
        unsafe { Rf_isObject(self.value) == Rboolean::TRUE && self.classes().any(|name| name == class.to_bytes()) }
    }

    /// A broken-down time as a count of seconds, by R's own conversion.
    fn as_posixct(self) -> SEXP {
        // SAFETY: inside `protect`, as `self.r` shows; the call is protected while it is evaluated.
        unsafe {
            let call = Rf_protect(Rf_lang2(strings::symbol(self.r, c"as.POSIXct"), self.value));
            let converted = Rf_eval(call, R_BaseEnv);
            keep(self.r, converted);
            Rf_unprotect(1);
            converted
        }
    }

    /// The vector's memory, unless it has none.
    pub(super) fn memory<T>(self) -> Option<&'static [T]> {
        // SAFETY: called for vectors whose elements are `T`; does not allocate. The memory lives as long as
        // the value, and has its length.
        unsafe {
            let memory = DATAPTR_OR_NULL(self.value).cast::<T>();
            match self.len() {
                // Of nothing, R has an address that is none.
                0 => Some(&[]),
                length => (!memory.is_null()).then(|| slice::from_raw_parts(memory, length)),
            }
        }
    }

    pub(super) fn string_of(vector: SEXP, at: usize) -> Text<'static> {
        // SAFETY: the type and the bounds are checked; strings live as long as the vector.
        unsafe {
            if TYPEOF(vector) != SEXPTYPE::STRSXP || at >= length_of(vector) {
                return Text::Na;
            }
            strings::text(STRING_ELT(vector, index(at)))
        }
    }
}

impl<'a> Value<'a> for RValue<'a> {
    type Held = RString<'a>;

    fn storage(self) -> Storage {
        match self.rtype() {
            Rtype::Null => Storage::Null,
            Rtype::Logicals => Storage::Logical,
            Rtype::Integers => Storage::Integer,
            Rtype::Doubles => Storage::Double,
            Rtype::Strings => Storage::String,
            Rtype::List => Storage::List,
            _ => Storage::Other,
        }
    }

    fn len(self) -> usize {
        length_of(self.value)
    }

    fn shape(self) -> Shape {
        // SAFETY: R keeps the dimensions as an integer vector; the type is checked before it is read.
        unsafe {
            let dimensions = self.attribute(R_DimSymbol);
            if TYPEOF(dimensions) != SEXPTYPE::INTSXP {
                return Shape::Vector;
            }
            match slice::from_raw_parts(INTEGER(dimensions), length_of(dimensions)) {
                [] | [_] => Shape::Vector,
                &[rows, columns] => {
                    Shape::Matrix { rows: usize::try_from(rows).unwrap_or(0), columns: usize::try_from(columns).unwrap_or(0) }
                }
                _ => Shape::Array,
            }
        }
    }

    fn class(self) -> Class {
        // SAFETY: any value can be asked.
        if unsafe { Rf_isObject(self.value) } == Rboolean::FALSE {
            return Class::None;
        }
        let mut class = Class::Other;
        for (at, name) in self.classes().enumerate() {
            match name {
                b"ordered" => return Class::Factor { ordered: true },
                b"factor" => return Class::Factor { ordered: false },
                b"Date" => return Class::Date,
                b"POSIXct" => return Class::DateTime,
                b"data.frame" => return Class::DataFrame,
                b"AsIs" if at == 0 => class = Class::None,
                _ => class = Class::Other,
            }
        }
        class
    }

    fn class_name(self) -> Text<'a> {
        let attribute = self.class_attribute();
        if length_of(attribute) > 0 {
            return Self::string_of(attribute, 0);
        }
        match (self.shape(), self.rtype()) {
            (Shape::Matrix { .. }, _) => Text::of("matrix"),
            (Shape::Array, _) => Text::of("array"),
            (_, Rtype::Doubles) => Text::of("numeric"),
            (_, Rtype::Function | Rtype::Special | Rtype::Builtin) => Text::of("function"),
            (_, Rtype::Symbol) => Text::of("name"),
            (_, Rtype::Language) => Text::of("call"),
            // SAFETY: R returns the constant name of a valid type.
            _ => Text::Utf8(unsafe { CStr::from_ptr(Rf_type2char(TYPEOF(self.value))) }.to_bytes()),
        }
    }

    fn integers(self, from: usize, to: usize, mut each: impl FnMut(&[i32])) {
        if let Some(memory) = self.memory::<i32>() {
            return each(&memory[from..to]);
        }
        let mut piece = [0; PIECE];
        let mut at = from;
        while at < to {
            let count = PIECE.min(to - at);
            // SAFETY: inside `protect`; the buffer holds `count` elements, and R stops at the vector's end.
            unsafe {
                if self.rtype() == Rtype::Logicals {
                    LOGICAL_GET_REGION(self.value, index(at), index(count), piece.as_mut_ptr());
                } else {
                    INTEGER_GET_REGION(self.value, index(at), index(count), piece.as_mut_ptr());
                }
            }
            each(&piece[..count]);
            at += count;
        }
    }

    fn doubles(self, from: usize, to: usize, mut each: impl FnMut(&[f64])) {
        if let Some(memory) = self.memory::<f64>() {
            return each(&memory[from..to]);
        }
        let mut piece = [0.0; PIECE];
        let mut at = from;
        while at < to {
            let count = PIECE.min(to - at);
            // SAFETY: as in `integers`.
            unsafe { REAL_GET_REGION(self.value, index(at), index(count), piece.as_mut_ptr()) };
            each(&piece[..count]);
            at += count;
        }
    }

    fn string(self, at: usize) -> Text<'a> {
        Self::string_of(self.value, at)
    }

    fn held_strings(self) -> Option<&'a [RString<'a>]> {
        if self.rtype() == Rtype::Strings { self.memory() } else { None }
    }

    fn text(held: RString<'a>) -> Text<'a> {
        // SAFETY: an element of a character vector, which keeps it for as long as the vector is viewed.
        unsafe { strings::text(held.0) }
    }

    fn item(self, at: usize) -> Self {
        // SAFETY: asked only of lists, below their length; the element lives as long as its list.
        unsafe { Self::new(self.r, VECTOR_ELT(self.value, index(at))) }
    }

    fn is_named(self) -> bool {
        // SAFETY: R's symbols are constants.
        unsafe { TYPEOF(self.attribute(R_NamesSymbol)) == SEXPTYPE::STRSXP }
    }

    fn name(self, at: usize) -> Text<'a> {
        // SAFETY: R's symbols are constants.
        Self::string_of(self.attribute(unsafe { R_NamesSymbol }), at)
    }

    fn levels(self) -> usize {
        // SAFETY: R's symbols are constants.
        let levels = self.attribute(unsafe { R_LevelsSymbol });
        // SAFETY: any value has a type.
        if unsafe { TYPEOF(levels) } == SEXPTYPE::STRSXP { length_of(levels) } else { 0 }
    }

    fn level(self, at: usize) -> Text<'a> {
        // SAFETY: R's symbols are constants.
        Self::string_of(self.attribute(unsafe { R_LevelsSymbol }), at)
    }

    fn time_zone(self) -> Text<'a> {
        Self::string_of(self.attribute(strings::symbol(self.r, c"tzone")), 0)
    }
}

pub(super) fn length_of(vector: SEXP) -> usize {
    // SAFETY: any value has a length; for those that are no vectors it is 1.
    unsafe {
        match TYPEOF(vector) {
            SEXPTYPE::LGLSXP
            | SEXPTYPE::INTSXP
            | SEXPTYPE::REALSXP
            | SEXPTYPE::CPLXSXP
            | SEXPTYPE::STRSXP
            | SEXPTYPE::RAWSXP
            | SEXPTYPE::EXPRSXP
            | SEXPTYPE::VECSXP => usize::try_from(XLENGTH(vector)).unwrap_or(0),
            SEXPTYPE::NILSXP => 0,
            _ => 1,
        }
    }
}

#[expect(clippy::cast_possible_wrap, reason = "below a length that R gave as isize")]
pub(super) fn index(at: usize) -> isize {
    at as isize
}

/// Keeps a value that was made while viewing others from R's garbage collector, until [`release`].
pub(super) fn keep(_: R, value: SEXP) {
    // SAFETY: inside `protect`; the head of the list is preserved for good, so all that hangs on it is kept.
    unsafe {
        let value = Rf_protect(value);
        if KEPT.get().is_null() {
            let head = Rf_cons(R_NilValue, R_NilValue);
            R_PreserveObject(head);
            KEPT.set(head);
        }
        let rest = Rf_cons(value, CDR(KEPT.get()));
        SETCDR(KEPT.get(), rest);
        Rf_unprotect(1);
    }
}

/// Lets go of what [`keep`] kept. To be called when no view is left.
pub(super) fn release() {
    if !KEPT.get().is_null() {
        // SAFETY: a preserved cell of ours; does not jump.
        unsafe { SETCDR(KEPT.get(), R_NilValue) };
    }
}
