//! The rules of the type model (contract, section 5) that are the same in JSON and in XML.

use std::collections::HashSet;

use super::{Column, Factor, Input, Inputs, Invalid, Kind, Sent, dates, shown};
use crate::wire::{Out, number::push_double, typed::MAX_DEPTH, value::NA_INTEGER};

/// The name of the wrapper that some clients put around their inputs.
const WRAPPER: &str = "inputs";
/// The longest name that R binds, in bytes (R's names.c).
const LONGEST_NAME: usize = 10_000;

/// The `type` of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Type {
    Primitive,
    Vector,
    /// `numeric`, `character`, `logical`, `integer`: a mistake in the guide's examples, for either of the two above.
    Atomic,
    Date,
    Factor,
    Matrix,
    List,
    DataFrame,
}

/// The classes of `rclass` that say more about values than the values do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::wire) enum Class {
    Null,
    Atomic(Kind),
    Date,
    Moment,
}

impl Type {
    pub(super) fn named(name: &str) -> Result<Self, Invalid> {
        Ok(match name.trim().to_ascii_lowercase().as_str() {
            "primitive" => Self::Primitive,
            "vector" => Self::Vector,
            "numeric" | "character" | "logical" | "integer" => Self::Atomic,
            "date" => Self::Date,
            "factor" => Self::Factor,
            "matrix" => Self::Matrix,
            "list" => Self::List,
            "dataframe" | "data.frame" => Self::DataFrame,
            _ => {
                let types = "primitive, vector, date, factor, matrix, list and dataframe";
                return Err(Invalid::new(format!("{} is not a type; the types are {types}", shown(name))));
            }
        })
    }
}

impl Class {
    /// Reads a class. `None` for one that says nothing, or no more than the type does.
    pub(super) fn named(name: &str) -> Option<Self> {
        Some(match name.trim().to_ascii_lowercase().as_str() {
            "null" => Self::Null,
            "numeric" | "integer" | "double" => Self::Atomic(Kind::Double),
            "character" => Self::Atomic(Kind::Text),
            "logical" => Self::Atomic(Kind::Logical),
            "date" => Self::Date,
            "posixct" | "posixlt" | "posixt" => Self::Moment,
            _ => return None,
        })
    }

    /// The type of elements that are all missing: that of the class or, without one, logical as in R.
    pub(super) fn kind(class: Option<Self>) -> Kind {
        match class {
            Some(Self::Atomic(kind)) => kind,
            Some(Self::Date | Self::Moment) => Kind::Text,
            _ => Kind::Logical,
        }
    }
}

/// Inputs from values with their names. `wrapped` says whether a client has put them into a list called `inputs`.
pub(super) fn inputs<'a>(mut members: Vec<(Sent<'a>, Input<'a>)>) -> Result<Inputs<'a>, Invalid> {
    check_names(&members)?;
    let wrapped = matches!(members.as_slice(), [(name, Input::List(_))] if name == WRAPPER);
    if wrapped && let Some((_, Input::List(inner))) = members.pop() {
        members = inner;
    }
    check_bindable(&members)?;
    // If there is a value of that name, the name is bound to it, and not to the list.
    let as_list = wrapped && !members.iter().any(|(name, _)| name == WRAPPER);
    Ok(Inputs { members, as_list })
}

/// Checks that values can be bound to their names.
pub(in crate::wire) fn check_bindable<T>(members: &[(Sent<'_>, T)]) -> Result<(), Invalid> {
    for (name, _) in members {
        if name.is_empty() {
            return Err(Invalid::new("a value has no name; every value needs one to be bound to"));
        }
        if name.len() > LONGEST_NAME {
            return Err(Invalid::new(format!("the name is longer than {LONGEST_NAME} bytes, which is the most that R allows")).within(name));
        }
    }
    Ok(())
}

/// Checks that each name can be a name in R, and is there only once. Any number of elements may have no name.
pub(in crate::wire) fn check_names<T>(members: &[(Sent<'_>, T)]) -> Result<(), Invalid> {
    let mut seen = HashSet::with_capacity(members.len());
    for (name, _) in members {
        if name.contains('\0') {
            return Err(Invalid::new("a name has a NUL character (\\u0000), which R's names cannot have"));
        }
        if !name.is_empty() && !seen.insert(name.as_ref()) {
            return Err(Invalid::new(format!("the name {} is there twice; give each value a name of its own", shown(name))));
        }
    }
    Ok(())
}

/// Checks that lists are not nested too deeply. The outermost has depth 0.
pub(in crate::wire) fn check_depth(depth: usize) -> Result<(), Invalid> {
    if depth < MAX_DEPTH { Ok(()) } else { Err(Invalid::new(format!("lists are nested deeper than {MAX_DEPTH} levels"))) }
}

/// Checks that R can hold the strings.
pub(in crate::wire) fn checked(column: Column<'_>) -> Result<Column<'_>, Invalid> {
    if let Column::Text(texts) = &column
        && let Some(at) = texts.iter().position(|text| text.as_ref().is_some_and(|text| memchr::memchr(0, text.as_bytes()).is_some()))
    {
        return Err(Invalid::new(format!("element {} has a NUL character (\\u0000), which R's strings cannot have", at + 1)));
    }
    Ok(column)
}

/// A plain vector, or dates if the class or the format say so.
pub(super) fn vector<'a>(column: Column<'a>, class: Option<Class>, format: Option<&str>) -> Result<Input<'a>, Invalid> {
    match class {
        Some(Class::Null) if matches!(&column, Column::Logical(all) if all == &[NA_INTEGER]) => Ok(Input::Null),
        Some(Class::Date | Class::Moment) => dates(&column, class, format),
        _ if format.is_some() => dates(&column, class, format),
        _ => Ok(Input::Vector(column)),
    }
}

/// Dates or moments.
pub(super) fn dates<'a>(column: &Column<'_>, class: Option<Class>, format: Option<&str>) -> Result<Input<'a>, Invalid> {
    let moments = class == Some(Class::Moment);
    match column {
        Column::Text(texts) => dates::read(texts, format, moments),
        Column::Logical(all) if all.iter().all(|&one| one == NA_INTEGER) => dates::read(&vec![None; all.len()], format, moments),
        _ => Err(Invalid::new("a date is text, such as \"2010-04-20\", with the format to read it by, such as \"%Y-%m-%d\"")),
    }
}

/// A matrix from its rows.
pub(super) fn matrix(rows: Vec<Column<'_>>) -> Result<Input<'_>, Invalid> {
    let columns = rows.first().map_or(0, Column::len);
    if let Some((at, row)) = rows.iter().enumerate().find(|(_, row)| row.len() != columns) {
        return Err(Invalid::new(format!(
            "row {} is of length {}, and row 1 of length {columns}; the rows of a matrix are of one length",
            at + 1,
            row.len()
        )));
    }
    if i32::try_from(rows.len().max(columns)).is_err() {
        return Err(Invalid::new("the matrix has more rows or columns than R allows"));
    }
    // A row of missing values has no type of its own.
    let is_missing = |row: &Column<'_>| matches!(row, Column::Logical(all) if all.iter().all(|&one| one == NA_INTEGER));
    let kind = rows.iter().find(|row| !is_missing(row)).map_or(Kind::Logical, Column::kind);
    if let Some(at) = rows.iter().position(|row| row.kind() != kind && !is_missing(row)) {
        return Err(Invalid::new(format!(
            "row {} is not of the same type as the rows before it; all elements of a matrix are of one type",
            at + 1
        )));
    }
    let rows: Vec<_> = rows.into_iter().map(|row| if row.kind() == kind { row } else { Column::missing(columns, kind) }).collect();
    let elements = match kind {
        Kind::Logical => Column::Logical(transposed(rows.len(), columns, |row, column| match &rows[row] {
            Column::Logical(all) => all[column],
            _ => NA_INTEGER,
        })),
        Kind::Double => Column::Double(transposed(rows.len(), columns, |row, column| match &rows[row] {
            Column::Double(all) => all[column],
            _ => super::NA_REAL,
        })),
        Kind::Text => Column::Text(transposed(rows.len(), columns, |row, column| match &rows[row] {
            Column::Text(all) => all[column].clone(),
            _ => None,
        })),
    };
    Ok(Input::Matrix { rows: rows.len(), columns, elements })
}

fn transposed<T>(rows: usize, columns: usize, at: impl Fn(usize, usize) -> T) -> Vec<T> {
    let mut elements = Vec::with_capacity(rows * columns);
    for column in 0..columns {
        for row in 0..rows {
            elements.push(at(row, column));
        }
    }
    elements
}

/// A factor. Checks all that would be an error in R's `factor()`.
pub(super) fn factor<'a>(
    values: Column<'a>,
    levels: Option<Column<'a>>,
    labels: Option<Column<'a>>,
    ordered: bool,
) -> Result<Input<'a>, Invalid> {
    if let Some(twice) = levels.as_ref().and_then(|levels| keys(levels).repeated) {
        return Err(Invalid::new(format!("the level {} is there twice", shown(&twice))));
    }
    let labels = labels.map(names).transpose()?;
    if let Some(labels) = &labels {
        let levels = levels.as_ref().map_or_else(|| keys(&values).distinct, Column::len);
        if labels.len() != levels && labels.len() != 1 {
            return Err(Invalid::new(format!(
                "the labels are {} in number and the levels {levels}; give one label for each level",
                labels.len()
            )));
        }
    }
    Ok(Input::Factor(Factor { values, levels, labels, ordered }))
}

/// Labels as text.
fn names(labels: Column<'_>) -> Result<Vec<Sent<'_>>, Invalid> {
    match labels {
        Column::Text(texts) => texts.into_iter().collect::<Option<_>>().ok_or_else(|| Invalid::new("a label is missing (null)")),
        Column::Double(numbers) if numbers.iter().all(|number| number.is_finite()) => {
            Ok(numbers.into_iter().map(|number| Sent::Owned(digits(number))).collect())
        }
        _ => Err(Invalid::new("labels are texts, one for each level")),
    }
}

pub(in crate::wire) fn digits(number: f64) -> String {
    let mut out = Out::new();
    push_double(&mut out, number);
    String::from_utf8_lossy(out.as_bytes()).into_owned()
}

/// The values of a column that are not missing.
struct Keys {
    distinct: usize,
    /// A value that is there more than once.
    repeated: Option<String>,
}

fn keys(column: &Column<'_>) -> Keys {
    fn count<T: std::hash::Hash + Eq + Copy>(all: impl Iterator<Item = T>, show: impl Fn(T) -> String) -> Keys {
        let mut seen = HashSet::new();
        let mut repeated = None;
        for one in all {
            if !seen.insert(one) {
                repeated = Some(one);
            }
        }
        Keys { distinct: seen.len(), repeated: repeated.map(show) }
    }
    match column {
        Column::Logical(all) => count(all.iter().filter(|&&one| one != NA_INTEGER), |one| (*one != 0).to_string()),
        // 0 and -0 are the same level.
        Column::Double(all) => {
            count(all.iter().filter(|one| !one.is_nan()).map(|one| (one + 0.0).to_bits()), |bits| digits(f64::from_bits(bits)))
        }
        Column::Text(all) => count(all.iter().flatten(), ToString::to_string),
    }
}

/// A data frame from its columns.
pub(in crate::wire) fn data_frame<'a>(columns: Vec<(Sent<'a>, Input<'a>)>) -> Result<Input<'a>, Invalid> {
    check_names(&columns)?;
    for (name, column) in &columns {
        if name.is_empty() {
            return Err(Invalid::new("a column of the data frame has no name"));
        }
        if !matches!(column, Input::Vector(_) | Input::Dates(_) | Input::Moments(_) | Input::Factor(_)) {
            return Err(Invalid::new("a column of a data frame is a vector, a date or a factor").within(name));
        }
        let (first, rows) = (&columns[0].0, columns[0].1.len());
        if column.len() != rows {
            let lengths = format!("this column is of length {}, and {} of length {rows}", column.len(), shown(first));
            return Err(Invalid::new(format!("{lengths}; the columns of a data frame are of one length")).within(name));
        }
        if i32::try_from(rows).is_err() {
            return Err(Invalid::new("the data frame has more rows than R allows"));
        }
    }
    Ok(Input::DataFrame(columns))
}
