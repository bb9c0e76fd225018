//! Reads the JSON form: `{"x":{"type":"vector","value":[1,2]}}`, and other forms in which clients write it.

use super::{
    Column, Input, Invalid, Kind, NA_REAL, Sent,
    model::{self, Class, Type},
    raw::Raw,
    reader::{self, Fault},
    shown, special_number,
};

/// Reads the members of an object of inputs.
pub(super) fn read(text: &str) -> Result<Vec<(Sent<'_>, Input<'_>)>, Invalid> {
    match reader::read(text).map_err(refused)? {
        Raw::Object(members) => members.into_iter().map(|member| named(member, 0)).collect(),
        other => Err(Invalid::new(format!("this is {}, and has to be an object of named values: {EXAMPLE}", other.describe()))),
    }
}

const EXAMPLE: &str = r#"{"x":{"type":"vector","value":[1,2,3]}}"#;

fn refused(fault: Fault) -> Invalid {
    Invalid::new(match fault {
        Fault::Inexact(number) => format!("{number} is an integer that no double is equal to"),
        Fault::TooDeep => "arrays and objects are nested too deep".to_owned(),
        Fault::OutOfMemory => "it does not fit in the session's memory".to_owned(),
        Fault::Syntax(message) => format!("this is not JSON ({message}), and it does not begin with < as XML does"),
    })
}

fn named<'a>((name, value): (Sent<'a>, Raw<'a>), depth: usize) -> Result<(Sent<'a>, Input<'a>), Invalid> {
    let input = decode(value, depth).map_err(|error| error.within(&name))?;
    Ok((name, input))
}

/// A value: an object that tells its type, or a scalar or an array by itself.
fn decode(value: Raw<'_>, depth: usize) -> Result<Input<'_>, Invalid> {
    match value {
        Raw::Object(members) => Described::new(members)?.decode(depth),
        other => infer(other, None, None, depth),
    }
}

/// The members of an object that describe a value.
#[derive(Default)]
struct Described<'a> {
    kind: Option<Type>,
    class: Option<Class>,
    format: Option<Sent<'a>>,
    ordered: bool,
    levels: Option<Raw<'a>>,
    labels: Option<Raw<'a>>,
    value: Option<Raw<'a>>,
    /// The name of an element, in an array of elements.
    name: Option<Sent<'a>>,
}

impl<'a> Described<'a> {
    /// Reads the members. Those that the model does not know are ignored, and null is the same as absent.
    fn new(members: Vec<(Sent<'a>, Raw<'a>)>) -> Result<Self, Invalid> {
        let mut described = Self::default();
        let mut seen = Vec::new();
        for (key, value) in members {
            let known = ["type", "rclass", "format", "ordered", "levels", "labels", "value", "name"];
            let Some(&key) = known.iter().find(|&&known| known == key) else { continue };
            if seen.contains(&key) {
                return Err(Invalid::new(format!("{} is there twice", shown(key))));
            }
            seen.push(key);
            match (key, value) {
                ("value", value) => described.value = Some(value),
                (_, Raw::Null) => {}
                ("type", Raw::Text(name)) => described.kind = Some(Type::named(&name)?),
                ("rclass", Raw::Text(name)) => described.class = Class::named(&name),
                ("format", Raw::Text(format)) => described.format = Some(format).filter(|format| !format.trim().is_empty()),
                ("name", Raw::Text(name)) => described.name = Some(name),
                ("ordered", Raw::Bool(ordered)) => described.ordered = ordered,
                ("ordered", Raw::Text(word)) if word == "true" || word == "false" => described.ordered = word == "true",
                ("ordered", other) => return Err(Invalid::new(format!("\"ordered\" is true or false, and not {}", other.describe()))),
                ("levels", levels) => described.levels = Some(levels),
                ("labels", labels) => described.labels = Some(labels),
                (key, other) => return Err(Invalid::new(format!("{} has to be text, and is {}", shown(key), other.describe()))),
            }
        }
        match (described.kind, &described.value) {
            (_, Some(_)) => Ok(described),
            (Some(_), None) => Err(Invalid::new(r#"this object has a "type" and no "value"; a missing value is null"#)),
            (None, None) => Err(Invalid::new(r#"this object has neither "type" nor "value"; a list is {"type":"list","value":{...}}"#)),
        }
    }

    fn decode(self, depth: usize) -> Result<Input<'a>, Invalid> {
        let (class, format) = (self.class, self.format.as_deref());
        let value = self.value.unwrap_or(Raw::Null);
        match self.kind {
            None => infer(value, class, format, depth),
            Some(Type::Primitive) => {
                let column = column(value, class)?;
                if column.len() != 1 {
                    return Err(Invalid::new(format!("a primitive has one value, and not {}; use the type vector", column.len())));
                }
                model::vector(column, class, format)
            }
            Some(Type::Vector | Type::Atomic) => model::vector(column(value, class)?, class, format),
            Some(Type::Date) => model::dates(&column(value, class.or(Some(Class::Date)))?, class, format),
            Some(Type::Factor) => {
                let part =
                    |name: &str, raw: Option<Raw<'a>>| raw.map(|raw| column(raw, None)).transpose().map_err(|error| error.within(name));
                model::factor(column(value, None)?, part("levels", self.levels)?, part("labels", self.labels)?, self.ordered)
            }
            Some(Type::Matrix) => matrix(value),
            Some(Type::List) => Ok(Input::List(members(value, depth)?)),
            Some(Type::DataFrame) => model::data_frame(members(value, depth)?),
        }
    }
}

/// A value that does not tell its type.
fn infer<'a>(value: Raw<'a>, class: Option<Class>, format: Option<&str>, depth: usize) -> Result<Input<'a>, Invalid> {
    match value {
        Raw::Object(_) => Ok(Input::List(members(value, depth)?)),
        Raw::Array(items) if items.iter().any(|item| matches!(item, Raw::Array(_) | Raw::Column(_))) => matrix(Raw::Array(items)),
        Raw::Array(items) if items.iter().any(|item| matches!(item, Raw::Object(_))) => {
            Err(Invalid::new("an array of objects needs to be told apart by its type: list or dataframe"))
        }
        other => model::vector(column(other, class)?, class, format),
    }
}

pub(in crate::wire) fn matrix(value: Raw<'_>) -> Result<Input<'_>, Invalid> {
    let Raw::Array(rows) = value else {
        return Err(Invalid::new(format!("a matrix is an array of rows, each an array, and this is {}", value.describe())));
    };
    // Words such as "NaN" may stand for numbers. A row of nothing but such words is numeric if another row has numbers.
    let is_numeric = |row: &Raw<'_>| match row {
        Raw::Column(column) => column.kind() == Kind::Double,
        Raw::Array(items) => items.iter().any(|item| matches!(item, Raw::Number(_))),
        _ => false,
    };
    let class = rows.iter().any(is_numeric).then_some(Class::Atomic(Kind::Double));
    let mut columns = Vec::with_capacity(rows.len());
    for (at, row) in rows.into_iter().enumerate() {
        columns.push(match row {
            Raw::Array(_) | Raw::Column(_) => column(row, class).map_err(|error| error.within(&format!("[{}]", at + 1)))?,
            other => return Err(Invalid::new(format!("row {} of the matrix has to be an array, and is {}", at + 1, other.describe()))),
        });
    }
    model::matrix(columns)
}

/// The elements of a list, or the columns of a data frame: an object, or an array of objects with names.
fn members(value: Raw<'_>, depth: usize) -> Result<Vec<(Sent<'_>, Input<'_>)>, Invalid> {
    model::check_depth(depth)?;
    let members = match value {
        Raw::Object(members) => members.into_iter().map(|member| named(member, depth + 1)).collect::<Result<Vec<_>, _>>()?,
        Raw::Column(column) => unnamed(Raw::elements(column), depth)?,
        Raw::Array(items) => unnamed(items, depth)?,
        other => {
            let what = other.describe();
            return Err(Invalid::new(format!("the value of a list or of a data frame is an object of named values, and this is {what}")));
        }
    };
    model::check_names(&members)?;
    Ok(members)
}

/// Elements of an array: each may have its name as a member.
fn unnamed(items: Vec<Raw<'_>>, depth: usize) -> Result<Vec<(Sent<'_>, Input<'_>)>, Invalid> {
    let mut members = Vec::with_capacity(items.len());
    for (at, item) in items.into_iter().enumerate() {
        let place = |error: Invalid| error.within(&format!("[{}]", at + 1));
        members.push(match item {
            Raw::Object(parts) => {
                let mut described = Described::new(parts).map_err(place)?;
                let name = described.name.take().unwrap_or_default();
                let decoded = described.decode(depth + 1);
                let input = decoded.map_err(|error| if name.is_empty() { place(error) } else { error.within(&name) })?;
                (name, input)
            }
            other => (Sent::default(), infer(other, None, None, depth + 1).map_err(place)?),
        });
    }
    Ok(members)
}

/// The elements of a vector, which R can hold.
fn column(value: Raw<'_>, class: Option<Class>) -> Result<Column<'_>, Invalid> {
    model::checked(elements(value, class)?)
}

/// The elements of a vector. JSON itself tells their type; the class decides only where it does not.
pub(in crate::wire) fn elements(value: Raw<'_>, class: Option<Class>) -> Result<Column<'_>, Invalid> {
    let numeric = class == Some(Class::Atomic(Kind::Double));
    Ok(match value {
        Raw::Null => Column::missing(1, Class::kind(class)),
        Raw::Bool(truth) => Column::Logical(vec![i32::from(truth)]),
        Raw::Number(number) => Column::Double(vec![number]),
        Raw::Text(text) if numeric => special_numbers(vec![Some(text)]),
        Raw::Text(text) => Column::Text(vec![Some(text)]),
        Raw::Column(Column::Text(texts)) if numeric => special_numbers(texts),
        Raw::Column(column) => column,
        Raw::Array(items) if items.iter().all(|item| *item == Raw::Null) => Column::missing(items.len(), Class::kind(class)),
        Raw::Array(items) => mixed(&items)?,
        Raw::Object(_) => return Err(Invalid::new("this is an object, and has to be a plain value or an array of plain values")),
    })
}

/// Texts as numbers, if all are words for numbers; otherwise as they are.
fn special_numbers(texts: Vec<Option<Sent<'_>>>) -> Column<'_> {
    let numbers: Option<Vec<_>> = texts.iter().map(|text| text.as_ref().map_or(Some(NA_REAL), |text| special_number(text))).collect();
    numbers.map_or(Column::Text(texts), Column::Double)
}

/// An array of more than one type: numbers with words for numbers among them. Any other mixture is an error.
fn mixed<'a>(items: &[Raw<'_>]) -> Result<Column<'a>, Invalid> {
    let number = |item: &Raw<'_>| match item {
        Raw::Null => Some(NA_REAL),
        Raw::Number(number) => Some(*number),
        Raw::Text(word) => special_number(word),
        _ => None,
    };
    if let Some(numbers) = items.iter().map(number).collect() {
        return Ok(Column::Double(numbers));
    }
    let mut first: Option<&Raw<'_>> = None;
    for (at, item) in items.iter().enumerate().filter(|(_, item)| **item != Raw::Null) {
        let (element, what) = (at + 1, item.describe());
        if matches!(item, Raw::Array(_) | Raw::Column(_) | Raw::Object(_)) {
            return Err(Invalid::new(format!("element {element} is {what}, and a vector has plain values only; use the type list")));
        }
        if let Some(first) = first.filter(|first| first.describe() != what) {
            let first = first.describe();
            return Err(Invalid::new(format!(
                "element {element} is {what} and the first is {first}; use the type list for values of several types"
            )));
        }
        first = first.or(Some(item));
    }
    Err(Invalid::new("the elements are of several types; use the type list"))
}
