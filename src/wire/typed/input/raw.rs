//! JSON as it was sent, before its meaning is looked at: a tree in which an array of one type is one vector, so that a
//! million numbers take the memory of a million doubles.

use super::{Column, NA_REAL, Sent};
use crate::wire::value::NA_INTEGER;

/// A JSON value.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::wire) enum Raw<'a> {
    Null,
    Bool(bool),
    /// Any number. R has nothing wider than doubles.
    Number(f64),
    Text(Sent<'a>),
    /// An array of one scalar type and nulls, with at least one that is not null.
    Column(Column<'a>),
    /// Any other array.
    Array(Vec<Raw<'a>>),
    /// An object, in the order in which it was written.
    Object(Vec<(Sent<'a>, Raw<'a>)>),
}

impl<'a> Raw<'a> {
    /// The elements of a column, one by one.
    pub(super) fn elements(column: Column<'a>) -> Vec<Self> {
        let number = |number: f64| if number.to_bits() == NA_REAL.to_bits() { Self::Null } else { Self::Number(number) };
        match column {
            Column::Logical(all) => all.into_iter().map(|one| if one == NA_INTEGER { Self::Null } else { Self::Bool(one != 0) }).collect(),
            Column::Double(all) => all.into_iter().map(number).collect(),
            Column::Text(all) => all.into_iter().map(|one| one.map_or(Self::Null, Self::Text)).collect(),
        }
    }

    /// Its type in words, for errors.
    pub(super) fn describe(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "a logical value",
            Self::Number(_) => "a number",
            Self::Text(_) => "text",
            Self::Column(_) | Self::Array(_) => "an array",
            Self::Object(_) => "an object",
        }
    }
}

/// The elements of an array so far.
pub(in crate::wire) enum Elements<'a> {
    /// Only nulls.
    Nulls(usize),
    /// One type, and nulls.
    Column(Column<'a>),
    Mixed(Vec<Raw<'a>>),
}

impl<'a> From<Elements<'a>> for Raw<'a> {
    fn from(elements: Elements<'a>) -> Self {
        match elements {
            Elements::Nulls(count) => Self::Array(vec![Self::Null; count]),
            Elements::Column(column) => Self::Column(column),
            Elements::Mixed(array) => Self::Array(array),
        }
    }
}

impl<'a> Elements<'a> {
    /// Adds an element.
    pub(in crate::wire) fn push(&mut self, element: Raw<'a>) -> Result<(), OutOfMemory> {
        match (&mut *self, element) {
            (Self::Column(Column::Double(all)), Raw::Number(number)) => push(all, number),
            (Self::Column(Column::Double(all)), Raw::Null) => push(all, NA_REAL),
            (Self::Column(Column::Text(all)), Raw::Text(text)) => push(all, Some(text)),
            (Self::Column(Column::Text(all)), Raw::Null) => push(all, None),
            (Self::Column(Column::Logical(all)), Raw::Bool(truth)) => push(all, i32::from(truth)),
            (Self::Column(Column::Logical(all)), Raw::Null) => push(all, NA_INTEGER),
            (Self::Mixed(all), element) => push(all, element),
            (Self::Nulls(count), Raw::Null) => {
                *count += 1;
                Ok(())
            }
            (_, element) => self.widen(element),
        }
    }

    /// Adds the first element that has a type, or one of another type than those before.
    #[cold]
    fn widen(&mut self, element: Raw<'a>) -> Result<(), OutOfMemory> {
        *self = match (std::mem::replace(self, Self::Nulls(0)), &element) {
            (Self::Nulls(count), Raw::Number(_)) => Self::Column(Column::missing(count, super::Kind::Double)),
            (Self::Nulls(count), Raw::Text(_)) => Self::Column(Column::missing(count, super::Kind::Text)),
            (Self::Nulls(count), Raw::Bool(_)) => Self::Column(Column::missing(count, super::Kind::Logical)),
            (Self::Nulls(count), _) => Self::Mixed(vec![Raw::Null; count]),
            (Self::Column(column), _) => Self::Mixed(Raw::elements(column)),
            (mixed @ Self::Mixed(_), _) => mixed,
        };
        self.push(element)
    }
}

/// There is no memory for an element. This is an error and no abort, since a session may have a memory limit, and must not
/// end because an input is too large.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::wire) struct OutOfMemory;

/// Appends an element.
#[inline]
pub(super) fn push<T>(all: &mut Vec<T>, one: T) -> Result<(), OutOfMemory> {
    if all.len() == all.capacity() {
        all.try_reserve(1).map_err(|_| OutOfMemory)?;
    }
    all.push(one);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw(json: &str) -> Raw<'_> {
        super::super::reader::read(json).unwrap()
    }

    #[test]
    fn arrays_of_one_type_are_columns() {
        assert_eq!(raw("[1,2.5,-3]"), Raw::Column(Column::Double(vec![1.0, 2.5, -3.0])));
        assert_eq!(raw("[null,true,false]"), Raw::Column(Column::Logical(vec![NA_INTEGER, 1, 0])));
        assert_eq!(raw(r#"["a",null,"\u00fc"]"#), Raw::Column(Column::Text(vec![Some("a".into()), None, Some("ü".into())])));
        let Raw::Column(Column::Double(numbers)) = raw("[null,1]") else { panic!() };
        assert_eq!((numbers[0].to_bits(), numbers[1]), (NA_REAL.to_bits(), 1.0));
    }

    #[test]
    fn other_arrays_stay_as_they_were() {
        assert_eq!(raw("[]"), Raw::Array(vec![]));
        assert_eq!(raw("[null,null]"), Raw::Array(vec![Raw::Null, Raw::Null]));
        assert_eq!(raw(r#"[1,null,"a"]"#), Raw::Array(vec![Raw::Number(1.0), Raw::Null, Raw::Text("a".into())]));
        assert_eq!(raw("[null,[1]]"), Raw::Array(vec![Raw::Null, Raw::Column(Column::Double(vec![1.0]))]));
        assert_eq!(raw("[[],1]"), Raw::Array(vec![Raw::Array(vec![]), Raw::Number(1.0)]));
    }

    #[test]
    fn strings_without_escapes_are_not_copied() {
        assert!(matches!(raw(r#""plain""#), Raw::Text(Sent::Borrowed("plain"))));
        assert!(matches!(raw(r#"["plain"]"#), Raw::Column(Column::Text(all)) if matches!(all[0], Some(Sent::Borrowed(_)))));
        assert!(matches!(raw(r#"{"a":1}"#), Raw::Object(all) if matches!(all[0].0, Sent::Borrowed("a"))));
    }
}
