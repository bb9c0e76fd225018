//! R's values as the type model looks at them.
//!
//! Compact sequences and other ALTREP vectors are read in pieces and never expanded: R would keep the expanded copy
//! in the value, in each process that looks at it.

use std::ffi::CStr;

use extendr_api::Rtype;
use libR_sys::{INTEGER_GET_REGION, LOGICAL_GET_REGION, REAL_GET_REGION, Rf_type2char, SEXPTYPE, STRING_ELT, XLENGTH};

use super::{
    strings,
    view::{RString, RValue, index},
};
use crate::wire::{Class, Shape, Storage, Text, Value};

/// Elements read at a time where a vector has no memory of its own.
const PIECE: usize = 1024;

impl<'r> Value<'r> for RValue<'r> {
    type Held = RString<'r>;

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
        match self.kind() {
            SEXPTYPE::LGLSXP
            | SEXPTYPE::INTSXP
            | SEXPTYPE::REALSXP
            | SEXPTYPE::CPLXSXP
            | SEXPTYPE::STRSXP
            | SEXPTYPE::RAWSXP
            | SEXPTYPE::EXPRSXP
            | SEXPTYPE::VECSXP => {
                // SAFETY: a vector has a length.
                usize::try_from(unsafe { XLENGTH(self.value()) }).unwrap_or(0)
            }
            SEXPTYPE::NILSXP => 0,
            _ => 1,
        }
    }

    fn shape(self) -> Shape {
        match self.extents() {
            [] | [_] => Shape::Vector,
            &[rows, columns] => Shape::Matrix { rows: usize::try_from(rows).unwrap_or(0), columns: usize::try_from(columns).unwrap_or(0) },
            _ => Shape::Array,
        }
    }

    fn class(self) -> Class {
        if !self.is_object() {
            return Class::None;
        }
        let mut class = Class::Other;
        for (at, name) in self.class_names().enumerate() {
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

    fn class_name(self) -> Text<'r> {
        let attribute = self.class_attribute();
        if !attribute.is_empty() {
            return attribute.string(0);
        }
        match (self.shape(), self.rtype()) {
            (Shape::Matrix { .. }, _) => Text::of("matrix"),
            (Shape::Array, _) => Text::of("array"),
            (_, Rtype::Doubles) => Text::of("numeric"),
            (_, Rtype::Function | Rtype::Special | Rtype::Builtin) => Text::of("function"),
            (_, Rtype::Symbol) => Text::of("name"),
            (_, Rtype::Language) => Text::of("call"),
            // SAFETY: R returns the constant name of a valid type.
            _ => Text::Utf8(unsafe { CStr::from_ptr(Rf_type2char(self.kind())) }.to_bytes()),
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
            // SAFETY: inside `protect`, as `token` shows; the buffer holds `count` elements, and R stops at the vector's end.
            unsafe {
                if self.rtype() == Rtype::Logicals {
                    LOGICAL_GET_REGION(self.value(), index(at), index(count), piece.as_mut_ptr());
                } else {
                    INTEGER_GET_REGION(self.value(), index(at), index(count), piece.as_mut_ptr());
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
            unsafe { REAL_GET_REGION(self.value(), index(at), index(count), piece.as_mut_ptr()) };
            each(&piece[..count]);
            at += count;
        }
    }

    fn string(self, at: usize) -> Text<'r> {
        if self.kind() != SEXPTYPE::STRSXP || at >= self.len() {
            return Text::Na;
        }
        // SAFETY: inside `protect`, as `token` shows; the type and the bounds are checked. Strings live as long as their
        // vector.
        unsafe { strings::text(STRING_ELT(self.value(), index(at))) }
    }

    fn held_strings(self) -> Option<&'r [RString<'r>]> {
        self.memory()
    }

    fn text(held: RString<'r>) -> Text<'r> {
        held.text()
    }

    fn item(self, at: usize) -> Self {
        self.child(at).modelled()
    }

    fn is_named(self) -> bool {
        self.names().kind() == SEXPTYPE::STRSXP
    }

    fn name(self, at: usize) -> Text<'r> {
        self.names().string(at)
    }

    fn levels(self) -> usize {
        let levels = self.level_names();
        if levels.kind() == SEXPTYPE::STRSXP { levels.len() } else { 0 }
    }

    fn level(self, at: usize) -> Text<'r> {
        self.level_names().string(at)
    }

    fn time_zone(self) -> Text<'r> {
        self.attribute(strings::symbol(self.token(), c"tzone")).string(0)
    }
}
