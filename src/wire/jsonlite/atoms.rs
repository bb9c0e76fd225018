//! Writes the elements of vectors, each as a JSON value.

use super::{
    Unencodable, Written,
    number::{push_decimals, push_significant},
    object::{RObject, Type},
    text::push_string,
};
use crate::wire::{
    Out, base64,
    number::{push_double, push_integer},
    time::{push_date, push_moment},
    value::NA_INTEGER,
};

/// How the elements of a vector are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::wire) enum Atoms {
    Logical,
    Integer,
    Double,
    /// 64-bit integers, which class `integer64` of package bit64 keeps in a vector of doubles.
    Integer64,
    Text,
    /// Codes into the levels of a factor.
    Labels,
    /// Whole days of the years 1000 to 9999, or `NA`.
    Days,
    /// Seconds since 1970, as moments in UTC. jsonlite asks R, which knows the time zone.
    Moments,
    /// A raw vector, all of which is one element.
    Bytes,
    /// A list of raw vectors: class `blob` of package blob.
    Blobs,
}

impl Atoms {
    /// How vectors of this type are read if they have no class that says otherwise.
    pub(in crate::wire) fn of(made_of: Type) -> Option<Self> {
        match made_of {
            Type::Logical => Some(Self::Logical),
            Type::Integer => Some(Self::Integer),
            Type::Double => Some(Self::Double),
            Type::Character => Some(Self::Text),
            Type::Raw => Some(Self::Bytes),
            _ => None,
        }
    }

    /// How many elements there are.
    pub(super) fn count<'a, V: RObject<'a>>(self, vector: V) -> usize {
        if self == Self::Bytes { 1 } else { vector.len() }
    }

    /// Appends the elements `from..to` of a vector, separated by commas.
    pub(in crate::wire) fn write<'a, V: RObject<'a>>(self, out: &mut Out, numbers: Numbers, vector: V, from: usize, to: usize) -> Written {
        let mut first = true;
        let mut valid = true;
        match self {
            Self::Logical => vector.integers(from, to, |piece| {
                for &element in piece {
                    separate(out, &mut first);
                    out.push(truth(element));
                }
            }),
            Self::Integer => vector.integers(from, to, |piece| {
                for &number in piece {
                    separate(out, &mut first);
                    numbers.push_integer(out, number);
                }
            }),
            Self::Double => vector.doubles(from, to, |piece| {
                for &number in piece {
                    separate(out, &mut first);
                    numbers.push(out, number);
                }
            }),
            Self::Integer64 => vector.doubles(from, to, |piece| {
                for &number in piece {
                    separate(out, &mut first);
                    match number.to_bits().cast_signed() {
                        i64::MIN => out.push(numbers.missing()),
                        number => out.push(itoa::Buffer::new().format(number).as_bytes()),
                    }
                }
            }),
            Self::Days => each_number(vector, from, to, |day| {
                separate(out, &mut first);
                match day {
                    None => out.push(b"null"),
                    Some(day) => {
                        out.byte(b'"');
                        push_date(out, day);
                        out.byte(b'"');
                    }
                }
            }),
            Self::Moments => each_number(vector, from, to, |seconds| {
                separate(out, &mut first);
                match seconds.filter(|seconds| seconds.is_finite()) {
                    None => out.push(b"null"),
                    Some(seconds) => {
                        out.byte(b'"');
                        valid &= push_moment(out, seconds);
                        out.byte(b'"');
                    }
                }
            }),
            Self::Labels => vector.integers(from, to, |piece| {
                for &code in piece {
                    separate(out, &mut first);
                    let level = usize::try_from(code).ok().and_then(|code| code.checked_sub(1));
                    match level {
                        Some(level) if level < vector.levels() => push_string(out, vector.level(level)),
                        _ if code == NA_INTEGER => out.push(b"null"),
                        // R reports such a factor as malformed.
                        _ => valid = false,
                    }
                }
            }),
            Self::Text => vector.strings(from, to, |text| {
                separate(out, &mut first);
                push_string(out, text);
            }),
            Self::Bytes => push_bytes(out, vector.bytes()),
            Self::Blobs => {
                for at in from..to {
                    separate(out, &mut first);
                    let blob = vector.element(at);
                    match blob.type_of() {
                        Type::Raw => push_bytes(out, blob.bytes()),
                        Type::Null => out.push(b"null"),
                        _ => valid = false,
                    }
                }
            }
        }
        if valid { Ok(()) } else { Err(Unencodable::Malformed) }
    }
}

/// How numbers are written, which differs between jsonlite's two forms and ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::wire) enum Numbers {
    /// With 15 significant digits; `NA`, `NaN` and infinities are null.
    Plain,
    /// With 8 decimals; `NA`, `NaN` and infinities are strings.
    Serialized,
    /// With the fewest digits that read back as the same number; `NA` and `NaN` are null, infinities are strings.
    Exact,
}

impl Numbers {
    fn missing(self) -> &'static [u8] {
        match self {
            Self::Plain | Self::Exact => b"null",
            Self::Serialized => b"\"NA\"",
        }
    }

    #[inline]
    pub(super) fn push_integer(self, out: &mut Out, number: i32) {
        if number == NA_INTEGER { out.push(self.missing()) } else { push_integer(out, number) }
    }

    #[inline]
    pub(super) fn push(self, out: &mut Out, number: f64) {
        match self {
            Self::Plain if number.is_finite() => push_significant(out, number),
            Self::Serialized if number.is_finite() => push_decimals(out, number),
            Self::Exact if number.is_finite() => push_double(out, number),
            Self::Plain => out.push(b"null"),
            Self::Exact if number.is_nan() => out.push(b"null"),
            Self::Serialized if is_na(number) => out.push(b"\"NA\""),
            Self::Serialized if number.is_nan() => out.push(b"\"NaN\""),
            Self::Serialized | Self::Exact => out.push(if number > 0.0 { b"\"Inf\"" } else { b"\"-Inf\"" }),
        }
    }
}

/// An element of a logical vector in JSON.
pub(super) fn truth(element: i32) -> &'static [u8] {
    match element {
        NA_INTEGER => b"null",
        0 => b"false",
        _ => b"true",
    }
}

/// Whether a double is R's `NA`: the NaN whose low word is 1954 (R Internals, section 1.1).
pub(in crate::wire) fn is_na(number: f64) -> bool {
    number.is_nan() && number.to_bits() & 0xffff_ffff == 1954
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

/// Writes bytes as a string in base64, broken into lines of 72 characters as by jsonlite.
fn push_bytes(out: &mut Out, bytes: &[u8]) {
    const LINE: usize = 54;
    out.byte(b'"');
    for line in bytes.chunks(LINE) {
        base64::push(out, line);
        if line.len() == LINE {
            out.push(b"\\n");
        }
    }
    out.byte(b'"');
}

/// Calls `each` with the numbers of a vector of integers or doubles; `None` for `NA`.
fn each_number<'a, V: RObject<'a>>(numbers: V, from: usize, to: usize, mut each: impl FnMut(Option<f64>)) {
    if numbers.type_of() == Type::Integer {
        numbers.integers(from, to, |piece| {
            for &number in piece {
                each((number != NA_INTEGER).then(|| f64::from(number)));
            }
        });
    } else {
        numbers.doubles(from, to, |piece| {
            for &number in piece {
                each((!is_na(number)).then_some(number));
            }
        });
    }
}

/// Whether all dates of a vector are whole days of years with four digits. We format these ourselves, and need not ask R.
pub(super) fn are_plain_days<'a, V: RObject<'a>>(dates: V) -> bool {
    // 1000-01-01 and 9999-12-31.
    const DAYS: std::ops::RangeInclusive<f64> = -354_285.0..=2_932_896.0;
    let mut plain = matches!(dates.type_of(), Type::Integer | Type::Double) && dates.dimensions().is_empty();
    if plain {
        #[expect(clippy::float_cmp, reason = "looks whether it is whole")]
        each_number(dates, 0, dates.len(), |day| plain &= day.is_none_or(|day| DAYS.contains(&day) && day.trunc() == day));
    }
    plain
}
