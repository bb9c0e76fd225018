//! The typed form of a value, in JSON or XML: `type`, `rclass` and `value`.
//!
//! | R value | type | rclass |
//! |---|---|---|
//! | a vector of length 1 | primitive | numeric, character, logical |
//! | any other vector | vector | numeric, character, logical, date, `POSIXct` |
//! | one date or moment | date | date, `POSIXct` |
//! | factor, matrix, list, data frame | factor, matrix, list, dataframe | factor, matrix, list, data.frame |
//! | anything else | its class | its class (the value is null) |
//!
//! [`json`] and [`xml`] write it, with what is common to the two in this file. [`input`] reads it.

pub mod input;
pub mod json;
pub mod xml;

use jiff::tz::TimeZone;

use serde::{Deserialize, Serialize};

use super::{
    Class, Out, Shape, Storage, Text, Value,
    names::NamesByDepth,
    time::{DATE_FORMAT, DATE_TIME_FORMAT, session_zone},
    value::NA_INTEGER,
};

/// Most levels of lists within lists. The value of a list that is deeper is written as null.
pub const MAX_DEPTH: usize = 32;

/// The writers' memory. Their caller owns it: in a worker, R may leave the writers by longjmp at any call, without dropping
/// what they own.
#[derive(Debug, Default)]
pub struct Scratch {
    names: NamesByDepth,
    zone: Option<(Vec<u8>, TimeZone)>,
}

impl Scratch {
    /// The time zone of that name, as R understands it. The empty name is the session's own zone.
    fn zone(&mut self, name: Text<'_>) -> &TimeZone {
        if !matches!(&self.zone, Some((known, _)) if known == name.bytes()) {
            self.zone = None;
        }
        let (_, zone) = self.zone.get_or_insert_with(|| {
            let zone = match std::str::from_utf8(name.bytes()) {
                Ok("") | Err(_) => session_zone(),
                Ok(name) => TimeZone::get(name).unwrap_or(TimeZone::UTC),
            };
            (name.bytes().to_vec(), zone)
        });
        zone
    }
}

/// A part of a value: elements of a vector or list, rows of a matrix or data frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Slice {
    /// The first element, counted from 0.
    pub start: usize,
    /// The most elements.
    pub length: usize,
}

impl Slice {
    /// All of it.
    pub const ALL: Self = Self { start: 0, length: usize::MAX };

    /// The bounds within `total` elements.
    fn bounds(self, total: usize) -> (usize, usize) {
        let from = self.start.min(total);
        (from, from.saturating_add(self.length).min(total))
    }
}

/// The kind of a value in the type model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Null,
    /// A vector of length 1.
    Primitive,
    Vector,
    /// A date or a moment, by itself.
    Moment,
    /// A vector of dates or moments.
    Moments,
    Factor {
        ordered: bool,
    },
    Matrix {
        rows: usize,
        columns: usize,
    },
    List,
    DataFrame,
    Opaque,
}

/// Where a value is: a column of a data frame is a vector even if it has one element.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Alone,
    Column,
}

impl Kind {
    fn of<'a, V: Value<'a>>(value: V, place: Place) -> Self {
        let single = place == Place::Alone && value.len() == 1;
        match (value.class(), value.storage(), value.shape()) {
            (Class::Other, ..) | (_, Storage::Other, _) | (_, _, Shape::Array) => Self::Opaque,
            (Class::None, Storage::Null, _) => Self::Null,
            (Class::DataFrame, Storage::List, Shape::Vector) => Self::DataFrame,
            (Class::Factor { ordered }, Storage::Integer, Shape::Vector) => Self::Factor { ordered },
            (Class::Date | Class::DateTime, Storage::Integer | Storage::Double, Shape::Vector) => {
                if single {
                    Self::Moment
                } else {
                    Self::Moments
                }
            }
            (Class::None, Storage::List, Shape::Vector) if place == Place::Alone => Self::List,
            (Class::None, Storage::List, _) => Self::Opaque,
            (Class::None, _, Shape::Matrix { rows, columns }) => Self::Matrix { rows, columns },
            (Class::None, _, Shape::Vector) if single => Self::Primitive,
            (Class::None, _, Shape::Vector) => Self::Vector,
            _ => Self::Opaque,
        }
    }

    /// Whether the value itself can be written, and not only its type.
    fn is_encodable(self) -> bool {
        self != Self::Opaque
    }

    /// The `type` member.
    fn type_name<'a, V: Value<'a>>(self, value: V) -> Text<'a> {
        Text::of(match self {
            Self::Null | Self::Primitive => "primitive",
            Self::Vector | Self::Moments => "vector",
            Self::Moment => "date",
            Self::Factor { .. } => "factor",
            Self::Matrix { .. } => "matrix",
            Self::List => "list",
            Self::DataFrame => "dataframe",
            Self::Opaque => return value.class_name(),
        })
    }

    /// The `rclass` member.
    fn class_name<'a, V: Value<'a>>(self, value: V) -> Text<'a> {
        Text::of(match self {
            Self::Null => "NULL",
            Self::Primitive | Self::Vector => element_class(value.storage()),
            Self::Moment | Self::Moments if value.class() == Class::Date => "date",
            Self::Moment | Self::Moments => "POSIXct",
            Self::Factor { .. } => "factor",
            Self::Matrix { .. } => "matrix",
            Self::List => "list",
            Self::DataFrame => "data.frame",
            Self::Opaque => return value.class_name(),
        })
    }
}

/// The model's class of atomic elements. It calls integers numeric, too.
fn element_class(storage: Storage) -> &'static str {
    match storage {
        Storage::Logical => "logical",
        Storage::String => "character",
        _ => "numeric",
    }
}

/// The `format` member of dates and moments, in strptime's notation.
fn moment_format<'a, V: Value<'a>>(value: V) -> &'static str {
    if value.class() == Class::Date { DATE_FORMAT } else { DATE_TIME_FORMAT }
}

/// Whether a value itself can be written, and not only its type.
pub fn is_encodable<'a, V: Value<'a>>(value: V) -> bool {
    Kind::of(value, Place::Alone).is_encodable()
}

/// One element of a plain vector.
enum Atom<'a> {
    Na,
    Logical(bool),
    Integer(i32),
    /// A finite number.
    Double(f64),
    Infinite(f64),
    Text(Text<'a>),
}

/// Calls `each` with the elements `from..to` of a plain vector.
#[inline]
fn each_atom<'a, V: Value<'a>>(vector: V, from: usize, to: usize, mut each: impl FnMut(Atom<'a>)) {
    match vector.storage() {
        Storage::Double => vector.doubles(from, to, |piece| {
            for &number in piece {
                each(if number.is_finite() {
                    Atom::Double(number)
                } else if number.is_nan() {
                    Atom::Na
                } else {
                    Atom::Infinite(number)
                });
            }
        }),
        Storage::Integer => vector.integers(from, to, |piece| {
            for &number in piece {
                each(if number == NA_INTEGER { Atom::Na } else { Atom::Integer(number) });
            }
        }),
        Storage::Logical => vector.integers(from, to, |piece| {
            for &number in piece {
                each(if number == NA_INTEGER { Atom::Na } else { Atom::Logical(number != 0) });
            }
        }),
        Storage::String => vector.strings(from, to, |text| each(if text.is_na() { Atom::Na } else { Atom::Text(text) })),
        Storage::Null | Storage::List | Storage::Other => {}
    }
}

/// The label of a factor's code. `NA` for a code that is `NA`, or that has no level.
fn label<'a, V: Value<'a>>(factor: V, code: i32) -> Text<'a> {
    match usize::try_from(code) {
        Ok(code) if code >= 1 && code <= factor.levels() => factor.level(code - 1),
        _ => Text::Na,
    }
}

/// Writes a comma, except before the first element.
#[inline]
fn separate(out: &mut Out, first: &mut bool) {
    if *first {
        *first = false;
    } else {
        out.byte(b',');
    }
}

/// Calls `each` with the numbers of a vector of integers or doubles, as doubles. `None` stands for `NA` and `NaN`.
fn each_moment<'a, V: Value<'a>>(value: V, from: usize, to: usize, mut each: impl FnMut(Option<f64>)) {
    if value.storage() == Storage::Integer {
        value.integers(from, to, |piece| {
            for &number in piece {
                each((number != NA_INTEGER).then(|| f64::from(number)));
            }
        });
    } else {
        value.doubles(from, to, |piece| {
            for &number in piece {
                each(number.is_finite().then_some(number));
            }
        });
    }
}

/// Writes a date or a moment.
fn push_moment(out: &mut Out, moment: f64, class: Class, zone: &TimeZone) {
    if class == Class::Date {
        super::time::push_date(out, moment);
    } else {
        super::time::push_date_time(out, moment, zone);
    }
}
