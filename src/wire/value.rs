//! The view that the writers have of a value: an interface to the memory of its owner.

use super::Text;

/// The type of a value's memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Storage {
    /// `NULL`.
    Null,
    /// 32-bit: 0, 1, or [`NA_INTEGER`].
    Logical,
    /// 32-bit, or [`NA_INTEGER`].
    Integer,
    /// 64-bit; `NA_real_` is one of the NaNs.
    Double,
    /// Strings.
    String,
    /// A generic vector.
    List,
    /// Anything else: functions, environments, S4 objects, complex numbers, raw bytes, language...
    Other,
}

/// `NA` in a logical or integer vector.
pub const NA_INTEGER: i32 = i32::MIN;

/// The dimensions of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// None, or one.
    Vector,
    /// Two; stored column by column.
    Matrix {
        /// Number of rows.
        rows: usize,
        /// Number of columns.
        columns: usize,
    },
    /// More than two.
    Array,
}

/// The class of a value, as far as the type model knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// No class, or only `AsIs`.
    None,
    /// Integer codes into [`Value::level`].
    Factor {
        /// Whether the levels have an order.
        ordered: bool,
    },
    /// Days since 1970.
    Date,
    /// Seconds since 1970.
    DateTime,
    /// A list of columns.
    DataFrame,
    /// Every other class, S4 included.
    Other,
}

/// A value to be written, in its owner's memory; nothing is copied. Copying the handle is free.
///
/// Every method may be called in any order. Indices count from 0 and must be below the length.
pub trait Value<'a>: Copy {
    /// An element in the memory of a character vector.
    type Held: Copy + std::fmt::Debug + 'a;
    /// The type of the memory.
    fn storage(self) -> Storage;
    /// Number of elements.
    fn len(self) -> usize;
    /// Whether there is no element.
    fn is_empty(self) -> bool {
        self.len() == 0
    }
    /// Dimensions.
    fn shape(self) -> Shape;
    /// The class, as far as the type model knows it.
    fn class(self) -> Class;
    /// The first element of R's `class(x)`, implicit classes ("matrix", "numeric", "function") included.
    fn class_name(self) -> Text<'a>;
    /// Hands out the elements `from..to` of a logical or integer vector, in pieces.
    fn integers(self, from: usize, to: usize, each: impl FnMut(&[i32]));
    /// Hands out the elements `from..to` of a vector of doubles, in pieces.
    fn doubles(self, from: usize, to: usize, each: impl FnMut(&[f64]));
    /// One string of a character vector.
    fn string(self, at: usize) -> Text<'a>;
    /// The memory of a character vector, if it has any. `None` for all other values, and for vectors that R computes
    /// as they are read.
    fn held_strings(self) -> Option<&'a [Self::Held]>;
    /// The string of such an element.
    fn text(held: Self::Held) -> Text<'a>;
    /// Hands out the strings `from..to` of a character vector, one by one.
    fn strings(self, from: usize, to: usize, mut each: impl FnMut(Text<'a>)) {
        match self.held_strings() {
            Some(held) => held[from..to].iter().for_each(|&held| each(Self::text(held))),
            None => (from..to).for_each(|at| each(self.string(at))),
        }
    }
    /// One element of a list.
    #[must_use]
    fn item(self, at: usize) -> Self;
    /// Whether the elements have names.
    fn is_named(self) -> bool;
    /// The name of an element; `Text::Na` where it has none.
    fn name(self, at: usize) -> Text<'a>;
    /// Number of levels of a factor.
    fn levels(self) -> usize;
    /// A level of a factor.
    fn level(self, at: usize) -> Text<'a>;
    /// The time zone of a [`Class::DateTime`]; empty or `NA` for the session's own.
    fn time_zone(self) -> Text<'a>;
}
