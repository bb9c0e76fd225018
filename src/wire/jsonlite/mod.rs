//! JSON as R's package jsonlite writes it, byte for byte.
//!
//! [`write()`] follows `toJSON(x, auto_unbox = TRUE, null = "null", na = "null", digits = NA)`:
//!
//! | R value | JSON |
//! |---|---|
//! | `NULL`, `NA`, `NaN`, `Inf` | null |
//! | a vector | an array, or its element if it has one; names are left out |
//! | a double | 15 significant digits |
//! | a factor, dates and moments, a `hms` | strings, as R formats them |
//! | raw bytes | a string in base64 |
//! | a list | an array, or with names an object |
//! | a matrix, an array | an array of rows, nested |
//! | a data frame | an array of objects, one for each row |
//! | a function | its source lines |
//! | `I(x)`, a `scalar` | never, always without the array around one element |
//! | other classes | as the next of their classes, or not at all |
//!
//! A value for which there is no such form is written by [`write_serialized`], as `serializeJSON(x)` does: with type,
//! attributes and value of everything in it, `{"type":"double","attributes":{},"value":[1]}`.
//!
//! The rules are those of jsonlite 1.8.4. Which method writes a value is in `method`, how its elements are found in
//! `column`, and how they are written in `atoms`, `number` and `text`.
//!
//! There are a few differences, on purpose. Methods that other packages add to jsonlite are not known. Strings that are not
//! valid UTF-8 are mended, as everywhere in [`crate::wire`]; jsonlite writes them as they are, or fails. Names that are the
//! same in two encodings get a suffix; R sometimes takes them for different names. An environment keeps its classes;
//! jsonlite removes them from the environment itself. A value with the class of another basic type
//! (`structure(1L, class = "character")`) is not converted to that type.
//!
//! Start reading at [`RObject`], then `column`.

mod atoms;
mod column;
mod method;
mod number;
mod object;
mod serialized;
mod text;

pub(super) use atoms::is_na;
use atoms::truth;
pub(super) use atoms::{Atoms, Numbers};
use column::Cells;
pub(super) use column::{Column, Kind};
pub(super) use method::{Method, method, without_class};
pub use object::{Question, RObject, Type};
use text::push_string;

use super::{Out, names::NamesByDepth, value::NA_INTEGER};

/// Values nested deeper than this are not written. R's own limit on nested calls stops jsonlite earlier.
const MAX_DEPTH: usize = 1_000;

/// Why a value was not written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unencodable {
    /// jsonlite has no method for its class.
    #[error("there is no JSON form for its class")]
    Class,
    /// Its class or its attributes do not suit it.
    #[error("it is not what its class says")]
    Malformed,
    /// R has failed to answer a question about it.
    #[error("R cannot convert a part of it")]
    Refused,
    /// It is nested too deeply.
    #[error("it is nested too deeply")]
    Depth,
    /// There is not enough memory to prepare it.
    #[error("there is not enough memory")]
    Memory,
}

type Written = Result<(), Unencodable>;

/// The writers' memory. Their caller owns it: in a worker, R may leave the writers by longjmp at any call, without dropping
/// what they own.
#[derive(Debug)]
pub struct Scratch<'a, V: RObject<'a>> {
    names: NamesByDepth,
    columns: Vec<Column<'a, V>>,
    /// Names and levels, written as JSON strings.
    keys: Out,
    /// Where each level begins and ends in `keys`.
    labels: Vec<(usize, usize)>,
}

impl<'a, V: RObject<'a>> Default for Scratch<'a, V> {
    fn default() -> Self {
        Self { names: NamesByDepth::default(), columns: Vec::new(), keys: Out::new(), labels: Vec::new() }
    }
}

/// Appends a value as `toJSON` writes it.
///
/// # Errors
/// [`Unencodable`]; part of it may have been appended.
pub fn write<'a, V: RObject<'a>>(out: &mut Out, scratch: &mut Scratch<'a, V>, value: V) -> Result<(), Unencodable> {
    Writer { out, scratch, depth: 0 }.value(value, true)
}

/// Appends a value as `serializeJSON` writes it.
///
/// # Errors
/// [`Unencodable`]; part of it may have been appended.
pub fn write_serialized<'a, V: RObject<'a>>(out: &mut Out, value: V) -> Result<(), Unencodable> {
    serialized::push(out, value, 0)
}

struct Writer<'o, 'a, V: RObject<'a>> {
    out: &'o mut Out,
    scratch: &'o mut Scratch<'a, V>,
    depth: usize,
}

impl<'a, V: RObject<'a>> Writer<'_, 'a, V> {
    /// Appends a value.
    fn value(&mut self, value: V, unbox: bool) -> Written {
        self.descend()?;
        let Scratch { columns, keys, labels, .. } = &*self.scratch;
        let (columns, keys, labels) = (columns.len(), keys.len(), labels.len());
        let column = self.prepare(value, unbox)?;
        self.whole(column)?;
        self.scratch.columns.truncate(columns);
        self.scratch.keys.truncate(keys);
        self.scratch.labels.truncate(labels);
        self.depth -= 1;
        Ok(())
    }

    fn descend(&mut self) -> Written {
        self.depth += 1;
        if self.depth > MAX_DEPTH { Err(Unencodable::Depth) } else { Ok(()) }
    }

    /// Appends all elements as one JSON value.
    fn whole(&mut self, column: Column<'a, V>) -> Written {
        let alone = column.count == 1;
        match column.kind {
            Kind::Null | Kind::Object | Kind::Vector | Kind::Lines => return self.element(column, 0),
            Kind::Atoms(_) if column.unbox && alone => return self.element(column, 0),
            _ if column.scalar && alone => return self.element(column, 0),
            _ if column.scalar => return Err(Unencodable::Malformed),
            _ => {}
        }
        self.out.byte(b'[');
        if let Kind::Atoms(atoms) = column.kind {
            atoms.write(self.out, Numbers::Plain, column.value, 0, column.value.len())?;
        } else {
            for at in 0..column.count {
                self.comma(at);
                self.element(column, at)?;
            }
        }
        self.out.byte(b']');
        Ok(())
    }

    /// Appends one element.
    fn element(&mut self, column: Column<'a, V>, at: usize) -> Written {
        let value = column.value;
        match column.kind {
            Kind::Null => self.out.push(b"null"),
            Kind::Atoms(atoms) => return atoms.write(self.out, Numbers::Plain, value, at, at + 1),
            Kind::Items => return self.value(value.element(at), column.unbox),
            Kind::Object => return self.object(value, column.unbox),
            Kind::Vector => return self.whole(Column::vector(value)?),
            Kind::Lines => return self.whole(Column { unbox: column.unbox, ..Column::vector(value)? }),
            Kind::Rows => return self.slice(Column::vector(value)?, value.dimensions(), at, column.count),
            Kind::Records { first, columns, named } => return self.record(first, columns, named, at),
        }
        Ok(())
    }

    /// Appends one row of a data frame.
    fn record(&mut self, first: usize, columns: usize, named: bool, at: usize) -> Written {
        self.out.byte(if named { b'{' } else { b'[' });
        for number in first..first + columns {
            if named {
                let (start, end) = self.scratch.columns[number].key;
                self.out.push(&self.scratch.keys.as_bytes()[start + usize::from(number == first)..end]);
            } else {
                self.comma(number - first);
            }
            self.cell(number, at)?;
        }
        self.out.byte(if named { b'}' } else { b']' });
        Ok(())
    }

    /// Appends one element of a column of a data frame.
    #[inline]
    fn cell(&mut self, number: usize, at: usize) -> Written {
        let column = &self.scratch.columns[number];
        match column.cells {
            Cells::Asked => return self.element(*column, at),
            Cells::Doubles(numbers) => Numbers::Plain.push(self.out, numbers[at]),
            Cells::Integers(numbers) => Numbers::Plain.push_integer(self.out, numbers[at]),
            Cells::Logicals(truths) => self.out.push(truth(truths[at])),
            Cells::Texts(held) => push_string(self.out, V::text(held[at])),
            Cells::Labels { codes, .. } if codes[at] == NA_INTEGER => self.out.push(b"null"),
            Cells::Labels { codes, first, count } => {
                let level = usize::try_from(codes[at]).ok().and_then(|code| code.checked_sub(1)).filter(|&level| level < count);
                // R reports a factor with other codes as malformed.
                let (start, end) = self.scratch.labels[first + level.ok_or(Unencodable::Malformed)?];
                self.out.push(&self.scratch.keys.as_bytes()[start..end]);
            }
        }
        Ok(())
    }

    /// Appends a list with names.
    fn object(&mut self, list: V, unbox: bool) -> Written {
        let depth = self.depth;
        self.out.byte(b'{');
        self.scratch.names.at(depth).open(list);
        for at in 0..list.len() {
            self.comma(at);
            let name = self.scratch.names.at(depth).key(list, at);
            push_string(self.out, name);
            self.out.byte(b':');
            self.value(list.element(at), unbox)?;
        }
        self.out.byte(b'}');
        Ok(())
    }

    /// Appends a part of an array: all elements with the same indices up to the first of `dimensions`. These indices give
    /// `offset`, and the next element along the second of `dimensions` is `stride` elements further.
    fn slice(&mut self, elements: Column<'a, V>, dimensions: &[i32], offset: usize, stride: usize) -> Written {
        let Some(&extent) = dimensions.get(1) else { return self.element(elements, offset) };
        let extent = usize::try_from(extent).unwrap_or(0);
        self.out.byte(b'[');
        for at in 0..extent {
            self.comma(at);
            self.slice(elements, &dimensions[1..], offset + at * stride, stride * extent)?;
        }
        self.out.byte(b']');
        Ok(())
    }

    fn comma(&mut self, at: usize) {
        if at > 0 {
            self.out.byte(b',');
        }
    }
}
