//! Writes plain JSON. How the elements of a value are found is what jsonlite does, in [`crate::wire::jsonlite`]; what differs is here.

use super::Kind;
use crate::wire::{
    Out, Text, base64,
    jsonlite::{self, Atoms, Column, Method, Numbers, Question, RObject, Type, Unencodable, method, without_class},
    names::NamesByDepth,
    text::push_json,
    typed::MAX_DEPTH,
    value::NA_INTEGER,
};

/// The writer's memory. Its caller owns it: in a worker, R may leave the writer by longjmp at any call, without dropping what it owns.
#[derive(Debug, Default)]
pub struct Scratch {
    names: NamesByDepth,
    told: Out,
}

impl Scratch {
    /// Why the last value was not written, to be put after its name: `is of class "lm": there is no JSON form for its class`.
    #[must_use]
    pub fn told(&self) -> String {
        String::from_utf8_lossy(self.told.as_bytes()).into_owned()
    }
}

/// A value was not written. [`Scratch::told`] says why.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unwritable;

/// Appends a value, which has to be of this kind if there is one.
///
/// # Errors
/// [`Unwritable`]; part of it may have been appended.
pub fn write<'a, V: RObject<'a>>(out: &mut Out, scratch: &mut Scratch, value: V, kind: Option<Kind>) -> Result<(), Unwritable> {
    scratch.told.truncate(0);
    let mut writer = Writer { out, scratch, depth: 0 };
    let Some(kind) = kind else { return writer.value(value, false).map_err(|_| Unwritable) };
    let place = kind == Kind::Vector;
    let mut prepared = Prepared::new(value, place).map_err(|why| writer.refuse(value, why)).map_err(|_| Unwritable)?;
    let is = prepared.described();
    if !prepared.suits(kind) {
        for part in ["has to be ", kind.described(), ", and is ", is] {
            writer.scratch.told.push(part.as_bytes());
        }
        return Err(Unwritable);
    }
    match kind {
        Kind::Vector if prepared.column.kind == jsonlite::Kind::Null => {
            writer.out.push(b"[]");
            return Ok(());
        }
        // What R makes of products of vectors, too, is one number.
        Kind::Logical | Kind::Numeric | Kind::Integer | Kind::Character if prepared.column.count == 1 => prepared.dimensions = &[],
        _ => {}
    }
    writer.prepared(prepared, place).map_err(|why| writer.refuse(value, why)).map_err(|_| Unwritable)
}

/// A value, and how it is written.
#[derive(Clone, Copy)]
struct Prepared<'a, V: RObject<'a>> {
    column: Column<'a, V>,
    /// Those of a matrix or an array; otherwise none.
    dimensions: &'a [i32],
    is_frame: bool,
}

impl<'a, V: RObject<'a>> Prepared<'a, V> {
    /// With `as_column`, the value is one of several columns or has to be an array: it is written element by element.
    fn new(value: V, as_column: bool) -> Result<Self, Unencodable> {
        let dimensions = if value.dimensions().len() < 2 { &[] } else { value.dimensions() };
        let is_flat = as_column || !dimensions.is_empty();
        let mut value = value;
        let column = loop {
            let method = method(value);
            match method {
                _ if value.is_s4() => return Err(Unencodable::Class),
                Method::AsIs | Method::Scalar => value = without_class(value).ok_or(Unencodable::Malformed)?,
                Method::Geometry => value = value.ask(Question::Geometry).ok_or(Unencodable::Refused)?,
                Method::Any if value.classes() > 1 => value = value.without_classes(1),
                // An unknown class leaves atoms what they are. A list may mean anything by it.
                Method::Any if value.classes() == 1 && value.type_of().is_atomic() => value = value.without_classes(1),
                Method::TimeSeries | Method::Blob => value = value.without_classes(value.classes()),
                Method::Any | Method::Function | Method::ClassDefinition => return Err(Unencodable::Class),
                Method::DataFrame if value.type_of() == Type::List => {
                    let column = Column::new(value, jsonlite::Kind::Object, 1);
                    return Ok(Self { column, dimensions: &[], is_frame: true });
                }
                Method::Moment if value.type_of() == Type::List => value = value.ask(Question::Moments).ok_or(Unencodable::Refused)?,
                Method::Moment if matches!(value.type_of(), Type::Double | Type::Integer) => break Column::atoms(value, Atoms::Moments),
                Method::Moment | Method::DataFrame => return Err(Unencodable::Malformed),
                Method::Array | Method::Raw | Method::Complex | Method::List => {
                    break match value.type_of() {
                        made_of if made_of == Type::Complex || (made_of == Type::Raw && is_flat) => Column::answer(value, Question::Text)?,
                        Type::List if is_flat => Column::new(value, jsonlite::Kind::Items, value.len()),
                        _ => Column::vector(value)?,
                    };
                }
                method => break Column::by(method, value)?,
            }
        };
        let size = dimensions.iter().try_fold(1_usize, |size, &extent| size.checked_mul(usize::try_from(extent).ok()?));
        if !dimensions.is_empty() && size != Some(column.count) {
            return Err(Unencodable::Malformed);
        }
        if dimensions.len() > MAX_DEPTH {
            return Err(Unencodable::Depth);
        }
        Ok(Self { column, dimensions, is_frame: false })
    }

    /// Whether the value is of this kind, which is decided by what is written.
    fn suits(&self, kind: Kind) -> bool {
        let atoms = if let jsonlite::Kind::Atoms(atoms) = self.column.kind { Some(atoms) } else { None };
        let value = self.column.value;
        match kind {
            Kind::DataFrame => self.is_frame,
            Kind::Matrix => self.dimensions.len() == 2,
            Kind::Vector => !self.is_frame && self.dimensions.is_empty(),
            Kind::Logical => atoms == Some(Atoms::Logical),
            // R has `NA` as a logical value, where nothing is said of its type.
            _ if atoms == Some(Atoms::Logical) => are_missing(value),
            Kind::Integer => match atoms {
                Some(Atoms::Integer | Atoms::Integer64) => true,
                Some(Atoms::Double) => are_whole(value),
                _ => false,
            },
            Kind::Numeric => matches!(atoms, Some(Atoms::Integer | Atoms::Integer64 | Atoms::Double)),
            Kind::Character => {
                matches!(atoms, Some(Atoms::Text | Atoms::Labels | Atoms::Days | Atoms::Moments | Atoms::Bytes | Atoms::Blobs))
            }
        }
    }

    /// What the value is, in a sentence.
    fn described(&self) -> &'static str {
        match (self.column.kind, self.dimensions.len()) {
            _ if self.is_frame => "a data frame",
            (jsonlite::Kind::Null, _) => "NULL",
            (_, 2) => "a matrix",
            (_, 3..) => "an array",
            (jsonlite::Kind::Atoms(atoms), _) => match atoms {
                Atoms::Logical => "a logical vector",
                Atoms::Integer | Atoms::Integer64 => "an integer vector",
                Atoms::Double => "a numeric vector",
                Atoms::Labels => "a factor",
                Atoms::Days => "a vector of dates",
                Atoms::Moments => "a vector of moments",
                Atoms::Text => "a character vector",
                Atoms::Bytes | Atoms::Blobs => "a vector of raw bytes",
            },
            _ => "a list",
        }
    }
}

fn are_missing<'a, V: RObject<'a>>(logical: V) -> bool {
    let mut missing = true;
    logical.integers(0, logical.len(), |piece| missing &= piece.iter().all(|&element| element == NA_INTEGER));
    missing
}

/// Whether all numbers are integers or missing.
fn are_whole<'a, V: RObject<'a>>(numbers: V) -> bool {
    /// From here on, a double does not tell an integer from the next.
    const LARGE: f64 = 9_007_199_254_740_992.0;
    let mut whole = true;
    numbers.doubles(0, numbers.len(), |piece| {
        whole &= piece.iter().all(|number| number.is_nan() || (number.fract() == 0.0 && number.abs() < LARGE));
    });
    whole
}

struct Writer<'o> {
    out: &'o mut Out,
    scratch: &'o mut Scratch,
    depth: usize,
}

type Written = Result<(), Unencodable>;

impl Writer<'_> {
    fn value<'a, V: RObject<'a>>(&mut self, value: V, as_column: bool) -> Written {
        let prepared = Prepared::new(value, as_column);
        prepared.and_then(|prepared| self.prepared(prepared, as_column)).map_err(|why| self.refuse(value, why))
    }

    /// Tells why a value is not written: of values within each other the innermost, which comes first.
    #[cold]
    fn refuse<'a, V: RObject<'a>>(&mut self, value: V, why: Unencodable) -> Unencodable {
        if self.scratch.told.is_empty() {
            let class = value.class_name();
            let told = &mut self.scratch.told;
            told.push(if self.depth == 0 { b"is of class " } else { b"has an element of class " });
            push_json(told, class);
            told.push(b": ");
            told.push(why.to_string().as_bytes());
        }
        why
    }

    fn prepared<'a, V: RObject<'a>>(&mut self, prepared: Prepared<'a, V>, as_column: bool) -> Written {
        let Prepared { column, dimensions, is_frame } = prepared;
        match column.kind {
            jsonlite::Kind::Null => self.out.push(b"null"),
            jsonlite::Kind::Atoms(Atoms::Bytes) => {
                self.out.byte(b'"');
                base64::push(self.out, column.value.bytes());
                self.out.byte(b'"');
            }
            jsonlite::Kind::Object => return self.nested(|writer| writer.members(column.value, is_frame)),
            _ if !dimensions.is_empty() => {
                let rows = usize::try_from(dimensions[0]).unwrap_or(0);
                self.out.byte(b'[');
                for row in 0..rows {
                    self.comma(row);
                    self.slice(column, &dimensions[1..], row, rows)?;
                }
                self.out.byte(b']');
            }
            jsonlite::Kind::Atoms(_) if !as_column && column.count == 1 => return self.element(column, 0),
            jsonlite::Kind::Atoms(atoms) => {
                self.out.byte(b'[');
                atoms.write(self.out, Numbers::Exact, column.value, 0, column.count)?;
                self.out.byte(b']');
            }
            _ => {
                self.out.byte(b'[');
                for at in 0..column.count {
                    self.comma(at);
                    self.element(column, at)?;
                }
                self.out.byte(b']');
            }
        }
        Ok(())
    }

    /// Writes one element of a vector or of a list.
    fn element<'a, V: RObject<'a>>(&mut self, column: Column<'a, V>, at: usize) -> Written {
        match column.kind {
            jsonlite::Kind::Atoms(atoms) => atoms.write(self.out, Numbers::Exact, column.value, at, at + 1),
            _ => self.nested(|writer| writer.value(column.value.element(at), false)),
        }
    }

    /// Writes a part of an array: all elements with the same indices before `dimensions`. These indices give `offset`, and the next
    /// element along the first of `dimensions` is `stride` elements further.
    fn slice<'a, V: RObject<'a>>(&mut self, column: Column<'a, V>, dimensions: &[i32], offset: usize, stride: usize) -> Written {
        let Some((&extent, rest)) = dimensions.split_first() else { return self.element(column, offset) };
        let extent = usize::try_from(extent).unwrap_or(0);
        self.out.byte(b'[');
        for at in 0..extent {
            self.comma(at);
            self.slice(column, rest, offset + at * stride, stride * extent)?;
        }
        self.out.byte(b']');
        Ok(())
    }

    /// Writes a list with names, or the columns of a data frame, as an object.
    fn members<'a, V: RObject<'a>>(&mut self, list: V, are_columns: bool) -> Written {
        let depth = self.depth;
        self.out.byte(b'{');
        self.scratch.names.at(depth).open(list);
        for at in 0..list.len() {
            self.comma(at);
            let name: Text<'_> = self.scratch.names.at(depth).key(list, at);
            push_json(self.out, name);
            self.out.byte(b':');
            self.value(list.element(at), are_columns)?;
        }
        self.out.byte(b'}');
        Ok(())
    }

    /// Writes what is within another value.
    fn nested(&mut self, write: impl FnOnce(&mut Self) -> Written) -> Written {
        if self.depth == MAX_DEPTH {
            return Err(Unencodable::Depth);
        }
        self.depth += 1;
        let written = write(self);
        self.depth -= 1;
        written
    }

    fn comma(&mut self, at: usize) {
        if at > 0 {
            self.out.byte(b',');
        }
    }
}
