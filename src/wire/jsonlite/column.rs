//! Prepares a value for being written, whole or element by element.
//!
//! jsonlite turns a value into a vector of strings, one for each element, and joins these into one: an array, or the
//! element itself if it is the only one. For a data frame, it takes one string of each column for each row. Here, a
//! [`Column`] stands for the vector of strings: it knows how each element is written, and writes none before it is needed.

use super::{
    MAX_DEPTH, Scratch, Unencodable, Writer, Written,
    atoms::{Atoms, are_plain_days},
    method::{Method, method, without_class},
    object::{Question, RObject, Type},
    text::push_string,
};

/// A value, and how its elements are written.
#[derive(Clone, Copy, Debug)]
pub(in crate::wire) struct Column<'a, V: RObject<'a>> {
    pub(in crate::wire) value: V,
    pub(in crate::wire) kind: Kind,
    /// How many elements there are.
    pub(in crate::wire) count: usize,
    /// Whether an element that is the only one is written without an array around it, if it is an atom.
    pub(super) unbox: bool,
    /// Whether the element is written without an array around it, whatever it is. There has to be exactly one.
    pub(super) scalar: bool,
    /// For a column of a data frame: where its name is in the memory for keys, from the comma before it to the colon.
    pub(super) key: (usize, usize),
    /// For a column of a data frame, of which each row takes one element: where the elements are.
    pub(super) cells: Cells<'a, V::Held>,
}

/// The elements of a column in memory, so that each can be taken without asking the vector.
#[derive(Clone, Copy, Debug)]
pub(super) enum Cells<'a, Held> {
    /// They are not in memory: the vector has to be asked.
    Asked,
    Doubles(&'a [f64]),
    Integers(&'a [i32]),
    Logicals(&'a [i32]),
    /// Strings.
    Texts(&'a [Held]),
    /// Codes of a factor. Its levels have been written into the memory for keys: `count` of them, from `first` on.
    Labels {
        codes: &'a [i32],
        first: usize,
        count: usize,
    },
}

/// What the elements of a column are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::wire) enum Kind {
    /// One element: null.
    Null,
    /// Atoms.
    Atoms(Atoms),
    /// The elements of a list.
    Items,
    /// One element: a list with names as an object.
    Object,
    /// One element: an array of one dimension, as a vector.
    Vector,
    /// The rows of a matrix, or the slices of an array along its first dimension.
    Rows,
    /// One element: the source lines of a function.
    Lines,
    /// The rows of a data frame, whose columns are in the memory for columns.
    Records {
        /// The index of the first column.
        first: usize,
        /// How many columns there are.
        columns: usize,
        /// Whether the columns have names. Otherwise, rows are arrays.
        named: bool,
    },
}

type Prepared<'a, V> = Result<Column<'a, V>, Unencodable>;

impl<'a, V: RObject<'a>> Column<'a, V> {
    pub(in crate::wire) fn new(value: V, kind: Kind, count: usize) -> Self {
        Self { value, kind, count, unbox: false, scalar: false, key: (0, 0), cells: Cells::Asked }
    }

    pub(in crate::wire) fn atoms(value: V, atoms: Atoms) -> Self {
        Self::new(value, Kind::Atoms(atoms), atoms.count(value))
    }

    /// The atoms of a vector, which has to be of this type.
    fn of_type(made_of: Type, value: V, atoms: Atoms) -> Prepared<'a, V> {
        if value.type_of() == made_of { Ok(Self::atoms(value, atoms)) } else { Err(Unencodable::Malformed) }
    }

    /// The strings of R's answer to a question.
    pub(in crate::wire) fn answer(value: V, question: Question) -> Prepared<'a, V> {
        Self::of_type(Type::Character, value.ask(question).ok_or(Unencodable::Refused)?, Atoms::Text)
    }

    fn list(value: V) -> Prepared<'a, V> {
        match value.type_of() {
            Type::List if value.is_named() => Ok(Self::new(value, Kind::Object, 1)),
            Type::List => Ok(Self::new(value, Kind::Items, value.len())),
            Type::Pairlist => Self::list(value.ask(Question::List).ok_or(Unencodable::Refused)?),
            _ => Err(Unencodable::Malformed),
        }
    }

    /// A vector, without regard to its dimensions and its class.
    pub(in crate::wire) fn vector(value: V) -> Prepared<'a, V> {
        match (Atoms::of(value.type_of()), value.type_of()) {
            (Some(atoms), _) => Ok(Self::atoms(value, atoms)),
            (None, Type::Complex) => Self::complex(value),
            (None, _) => Self::list(value),
        }
    }

    /// Complex numbers. With `digits = NA`, jsonlite can write none but an empty vector.
    fn complex(value: V) -> Prepared<'a, V> {
        if value.is_empty() { Ok(Self::new(value, Kind::Items, 0)) } else { Err(Unencodable::Class) }
    }

    fn array(value: V) -> Prepared<'a, V> {
        let dimensions = value.dimensions();
        if dimensions.len() < 2 {
            return Ok(Self::new(value, Kind::Vector, 1));
        }
        if dimensions.len() > MAX_DEPTH {
            return Err(Unencodable::Depth);
        }
        let size = dimensions.iter().try_fold(1_usize, |size, &extent| size.checked_mul(usize::try_from(extent).ok()?));
        if Some(Self::vector(value)?.count) != size {
            return Err(Unencodable::Malformed);
        }
        Ok(Self::new(value, Kind::Rows, usize::try_from(dimensions[0]).unwrap_or(0)))
    }

    fn dates(value: V) -> Prepared<'a, V> {
        if value.class_at(0).bytes() == b"Date" && are_plain_days(value) {
            Ok(Self::atoms(value, Atoms::Days))
        } else {
            Self::answer(value, Question::Format)
        }
    }

    fn factor(value: V) -> Prepared<'a, V> {
        let known = matches!(value.class_at(0).bytes(), b"factor" | b"ordered") && value.levels() > 0;
        if known && value.type_of() == Type::Integer { Ok(Self::atoms(value, Atoms::Labels)) } else { Self::answer(value, Question::Text) }
    }

    fn function(value: V) -> Prepared<'a, V> {
        let lines = Self::answer(value, Question::Deparse)?;
        Ok(Self::new(lines.value, Kind::Lines, 1))
    }

    /// How a value is written that has this method.
    pub(in crate::wire) fn by(method: Method, value: V) -> Prepared<'a, V> {
        match method {
            Method::Null => Ok(Column::new(value, Kind::Null, 1)),
            Method::Logical => Column::of_type(Type::Logical, value, Atoms::Logical),
            Method::Numeric if value.type_of() == Type::Integer => Ok(Column::atoms(value, Atoms::Integer)),
            Method::Numeric => Column::of_type(Type::Double, value, Atoms::Double),
            Method::Integer64 => Column::of_type(Type::Double, value, Atoms::Integer64),
            Method::Character => Column::of_type(Type::Character, value, Atoms::Text),
            Method::Json if value.type_of() == Type::Character => Ok(Column::atoms(value, Atoms::Text)),
            Method::Json | Method::Text => Column::answer(value, Question::Text),
            Method::TimeOfDay => Column::answer(value, Question::TimeOfDay),
            Method::Moment => Column::answer(value, Question::Format),
            Method::Date => Column::dates(value),
            Method::Factor => Column::factor(value),
            Method::Complex => Column::complex(value),
            Method::Raw => Column::of_type(Type::Raw, value, Atoms::Bytes),
            Method::Blob => Column::of_type(Type::List, value, Atoms::Blobs),
            Method::TimeSeries if value.type_of() == Type::List => Err(Unencodable::Class),
            Method::TimeSeries => Column::vector(value),
            Method::List | Method::Pairlist => Column::list(value),
            Method::Array => Column::array(value),
            Method::Function => Column::function(value),
            // Resolved by the callers.
            Method::DataFrame | Method::Any | Method::AsIs | Method::Scalar | Method::Geometry | Method::ClassDefinition => {
                Err(Unencodable::Class)
            }
        }
    }

    /// The same value as a column of a data frame. There, a list gives an element to each row, and its names are left out.
    fn in_frame(self, rows: usize) -> Prepared<'a, V> {
        let column = if self.kind == Kind::Object { Self { kind: Kind::Items, count: self.value.len(), ..self } } else { self };
        if column.count == rows { Ok(column) } else { Err(Unencodable::Malformed) }
    }
}

impl<'a, V: RObject<'a>> Writer<'_, 'a, V> {
    /// Finds out how a value is to be written. With `unbox`, an atom that is the only element has no array around it.
    pub(super) fn prepare(&mut self, value: V, unbox: bool) -> Prepared<'a, V> {
        let (mut value, mut unbox, mut scalar) = (value, unbox, false);
        let column = loop {
            match method(value) {
                Method::AsIs => {
                    unbox &= !(value.type_of().is_atomic() && value.len() == 1);
                    value = without_class(value).ok_or(Unencodable::Malformed)?;
                }
                Method::Scalar => {
                    scalar = true;
                    value = without_class(value).ok_or(Unencodable::Malformed)?;
                }
                Method::Any if value.is_s4() || value.classes() < 2 => return Err(Unencodable::Class),
                Method::Any => value = value.without_classes(1),
                Method::Geometry => value = value.ask(Question::Geometry).ok_or(Unencodable::Refused)?,
                Method::ClassDefinition => value = value.ask(Question::ClassSlots).ok_or(Unencodable::Refused)?,
                Method::DataFrame => break self.frame(value, unbox)?,
                method => break Column::by(method, value)?,
            }
        };
        Ok(Column { unbox, scalar, ..column })
    }

    fn frame(&mut self, value: V, unbox: bool) -> Prepared<'a, V> {
        let row_names = value.row_names();
        let rows = row_names.len();
        if rows == 0 {
            return Ok(Column::new(value, Kind::Items, 0));
        }
        if value.type_of() != Type::List {
            return Err(Unencodable::Malformed);
        }
        self.descend()?;
        let named = value.is_named() || value.is_empty();
        let labelled = named && are_labels(row_names);
        let value = if labelled { value.ask(Question::RowNames).ok_or(Unencodable::Refused)? } else { value };
        let columns = value.len();
        let first = self.reserve_columns(Column::new(value, Kind::Null, 1), columns)?;
        if named {
            self.push_keys(value, first)?;
        }
        for at in 0..columns {
            let column = self.column(value.element(at), unbox)?.in_frame(rows)?;
            let cells = self.cells(&column)?;
            let place = &mut self.scratch.columns[first + at];
            *place = Column { key: place.key, cells, ..column };
        }
        self.depth -= 1;
        Ok(Column::new(value, Kind::Records { first, columns, named }, rows))
    }

    /// Prepares a column of a data frame. jsonlite converts raw bytes and broken-down times first.
    fn column(&mut self, value: V, unbox: bool) -> Prepared<'a, V> {
        if value.type_of() == Type::Raw {
            return Column::answer(value, Question::Hexadecimal);
        }
        let broken_down = value.type_of() == Type::List && value.classes() > 0 && method(value) == Method::Moment;
        let value = if broken_down { value.ask(Question::Moments).ok_or(Unencodable::Refused)? } else { value };
        self.prepare(value, unbox)
    }

    /// Finds the elements of a column in memory.
    fn cells(&mut self, column: &Column<'a, V>) -> Result<Cells<'a, V::Held>, Unencodable> {
        let Kind::Atoms(atoms) = column.kind else { return Ok(Cells::Asked) };
        let value = column.value;
        let cells = match atoms {
            Atoms::Double => value.held_doubles().map(Cells::Doubles),
            Atoms::Integer => value.held_integers().map(Cells::Integers),
            Atoms::Logical => value.held_integers().map(Cells::Logicals),
            Atoms::Text => value.held_strings().map(Cells::Texts),
            Atoms::Labels if value.levels() <= column.count => {
                let labels = value.held_integers().map(|codes| (codes, self.push_labels(value)));
                labels.map(|(codes, first)| Ok(Cells::Labels { codes, first: first?, count: value.levels() })).transpose()?
            }
            _ => None,
        };
        Ok(cells.unwrap_or(Cells::Asked))
    }

    /// Writes the levels of a factor into the memory for keys. Returns the index of the first.
    fn push_labels(&mut self, factor: V) -> Result<usize, Unencodable> {
        let Scratch { labels, keys, .. } = &mut *self.scratch;
        let first = labels.len();
        labels.try_reserve(factor.levels()).map_err(|_| Unencodable::Memory)?;
        for at in 0..factor.levels() {
            let start = keys.len();
            push_string(keys, factor.level(at));
            labels.push((start, keys.len()));
        }
        if keys.has_failed() { Err(Unencodable::Memory) } else { Ok(first) }
    }

    /// Makes room for the columns of a data frame, side by side. A column that is a data frame itself has its columns after
    /// these.
    fn reserve_columns(&mut self, blank: Column<'a, V>, count: usize) -> Result<usize, Unencodable> {
        let columns = &mut self.scratch.columns;
        let first = columns.len();
        columns.try_reserve(count).map_err(|_| Unencodable::Memory)?;
        columns.extend(std::iter::repeat_n(blank, count));
        Ok(first)
    }

    /// Writes the names of the columns of a data frame into the memory for keys.
    fn push_keys(&mut self, frame: V, first: usize) -> Written {
        self.scratch.names.at(self.depth).open(frame);
        let Scratch { names, columns, keys, .. } = &mut *self.scratch;
        let names = names.at(self.depth);
        for (at, column) in columns[first..].iter_mut().enumerate() {
            let start = keys.len();
            keys.byte(b',');
            push_string(keys, names.key(frame, at));
            keys.byte(b':');
            column.key = (start, keys.len());
        }
        if keys.has_failed() { Err(Unencodable::Memory) } else { Ok(()) }
    }
}

/// Whether row names are more than the numbers of the rows.
fn are_labels<'a, V: RObject<'a>>(names: V) -> bool {
    let is_number = |name: &[u8]| !name.is_empty() && name.iter().all(u8::is_ascii_digit);
    names.type_of() == Type::Character && !(0..names.len()).all(|at| is_number(names.string(at).bytes()))
}
