//! Reads plain JSON: values with their names, as an object or as pairs.

use std::collections::{HashMap, HashSet};

use serde::Deserialize;
use serde_json::value::RawValue;

use super::{
    Kind, Parameter,
    frames::{by_columns, by_rows},
};
use crate::wire::{
    typed::input::{
        Column, Input, Inputs, Invalid, Kind as Elements, NA_REAL, Sent, json,
        model::{self, Class},
        raw::Raw,
        reader::{self, Fault},
        shown, special_number,
    },
    value::NA_INTEGER,
};

/// Most names in a sentence.
const NAMED: usize = 20;

/// Inputs that are not as they have to be: a sentence.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Unfit(String);

impl From<Invalid> for Unfit {
    fn from(invalid: Invalid) -> Self {
        let what = invalid.what();
        Self(match invalid.place() {
            None => format!("The inputs cannot be taken: {what}."),
            Some(place) => format!("The parameter {} cannot be taken: {what}.", shown(&place)),
        })
    }
}

/// Why a value is not of the kind that was declared.
pub(super) enum Misfit {
    /// This came instead.
    Came(String),
    /// It is of that kind, and is wrong in another way.
    Invalid(Invalid),
}

impl From<Invalid> for Misfit {
    fn from(invalid: Invalid) -> Self {
        Self::Invalid(invalid)
    }
}

/// Reads inputs: `{"x":1}` or `[{"name":"x","value":1}]`. If it is declared which there are, these have to be there and no others.
///
/// # Errors
/// [`Unfit`]
pub fn read<'a>(sent: &'a [u8], declared: Option<&[Parameter]>) -> Result<Inputs<'a>, Unfit> {
    let values = values(sent)?;
    model::check_names(&values)?;
    model::check_bindable(&values)?;
    let parameters = declared.unwrap_or_default();
    let kinds: HashMap<&str, Kind> = parameters.iter().map(|parameter| (parameter.name.as_str(), parameter.kind)).collect();
    if declared.is_some() {
        require_declared(&values, parameters, &kinds)?;
    }
    let mut members = Vec::with_capacity(values.len());
    for (name, value) in values {
        let input = match kinds.get(name.as_ref()) {
            None => undeclared(value, 0).map_err(|invalid| invalid.within(&name))?,
            Some(&kind) => declared_as(kind, value).map_err(|misfit| match misfit {
                Misfit::Invalid(invalid) => invalid.within(&name).into(),
                Misfit::Came(came) => Unfit(format!("The parameter {} has to be {}, and {came} came.", shown(&name), kind.described())),
            })?,
        };
        members.push((name, input));
    }
    Ok(Inputs { members, as_list: false })
}

/// Checks that the parameters that are declared have values, and no others.
fn require_declared(values: &[(Sent<'_>, Raw<'_>)], declared: &[Parameter], kinds: &HashMap<&str, Kind>) -> Result<(), Unfit> {
    let there: HashSet<&str> = values.iter().map(|(name, _)| name.as_ref()).collect();
    let known = || declared.iter().map(|parameter| parameter.name.as_str());
    let unknown: Vec<&str> = values.iter().map(|(name, _)| name.as_ref()).filter(|name| !kinds.contains_key(name)).collect();
    if !unknown.is_empty() {
        let what = if unknown.len() == 1 { "parameter" } else { "parameters" };
        let all = if declared.is_empty() { "none".to_owned() } else { listed(&known().collect::<Vec<_>>()) };
        return Err(Unfit(format!("There is no {what} {}: there is {all}.", listed(&unknown))));
    }
    match known().filter(|name| !there.contains(name)).collect::<Vec<_>>().as_slice() {
        [] => Ok(()),
        [name] => Err(Unfit(format!("The parameter {} is missing.", shown(name)))),
        names => Err(Unfit(format!("The parameters {} are missing.", listed(names)))),
    }
}

fn listed(names: &[&str]) -> String {
    let shown: Vec<String> = names.iter().take(NAMED).map(|name| shown(name)).collect();
    let more = if names.len() > NAMED { ", ..." } else { "" };
    shown.join(", ") + more
}

/// The values as they were sent, with their names.
fn values(sent: &[u8]) -> Result<Vec<(Sent<'_>, Raw<'_>)>, Unfit> {
    let text = std::str::from_utf8(sent).map_err(|_| Invalid::new("the text is not UTF-8"))?;
    let text = text.trim_start_matches('\u{feff}');
    if text.is_empty() {
        return Ok(Vec::new());
    }
    let read = reader::read_exactly(text).map_err(|fault| match fault {
        Fault::TooDeep => Invalid::new("arrays and objects are nested too deep"),
        Fault::OutOfMemory => out_of_memory(),
        Fault::Syntax(message) => Invalid::new(format!("this is not JSON ({message})")),
        Fault::Inexact(number) => {
            let inexact = Invalid::new(format!("the integer {number} is too large to be held exactly; send it as a string"));
            holder_of_inexact(text).map_or_else(|| inexact.clone(), |name| inexact.clone().within(&name))
        }
    })?;
    match read {
        Raw::Null => Ok(Vec::new()),
        Raw::Object(members) => Ok(members),
        Raw::Array(pairs) => Ok(pairs.into_iter().enumerate().map(|(at, one)| pair(at, one)).collect::<Result<_, _>>()?),
        other => Err(Unfit(format!("The inputs have to be an object, such as {{\"x\":1}}, and {} came.", came(&other)))),
    }
}

/// The name of a value with an integer that would change.
fn holder_of_inexact(text: &str) -> Option<String> {
    #[derive(Deserialize)]
    struct Pair<'a> {
        name: String,
        #[serde(borrow)]
        value: &'a RawValue,
    }
    let is_inexact = |value: &RawValue| matches!(reader::read_exactly(value.get()), Err(Fault::Inexact(_)));
    if let Ok(pairs) = serde_json::from_str::<Vec<Pair<'_>>>(text) {
        return pairs.into_iter().find(|pair| is_inexact(pair.value)).map(|pair| pair.name);
    }
    let members: HashMap<String, &RawValue> = serde_json::from_str(text).ok()?;
    members.into_iter().find(|(_, value)| is_inexact(value)).map(|(name, _)| name)
}

pub(super) fn out_of_memory() -> Invalid {
    Invalid::new("it does not fit in the session's memory")
}

/// An input that is an object with its name and its value. Other members are ignored.
fn pair(at: usize, one: Raw<'_>) -> Result<(Sent<'_>, Raw<'_>), Invalid> {
    let wrong = |what: &str| Invalid::new(format!("element {} {what}", at + 1));
    let Raw::Object(parts) = one else {
        return Err(wrong(&format!("has to be an object with a name and a value, and is {}", came(&one))));
    };
    let (mut name, mut value) = (None, None);
    for (key, part) in parts {
        let twice = match key.as_ref() {
            "name" => name.replace(part).is_some(),
            "value" => value.replace(part).is_some(),
            _ => false,
        };
        if twice {
            return Err(wrong(&format!("has the member {} twice", shown(&key))));
        }
    }
    match (name, value) {
        (Some(Raw::Text(name)), Some(value)) => Ok((name, value)),
        (Some(Raw::Text(name)), None) => Err(wrong("has no value").within(&name)),
        _ => Err(wrong("has no name")),
    }
}

/// A value of which nothing is declared.
fn undeclared(value: Raw<'_>, depth: usize) -> Result<Input<'_>, Invalid> {
    match value {
        Raw::Object(members) if is_frame(&members) => {
            let columns = members.into_iter().map(|(name, column)| Ok((name, vector(column)?)));
            model::data_frame(columns.collect::<Result<_, Invalid>>()?)
        }
        Raw::Object(members) => {
            model::check_depth(depth)?;
            model::check_names(&members)?;
            let inner = members.into_iter().map(|(name, value)| match undeclared(value, depth + 1) {
                Ok(input) => Ok((name, input)),
                Err(invalid) => Err(invalid.within(&name)),
            });
            inner.collect::<Result<_, _>>().map(Input::List)
        }
        Raw::Array(rows) if is_matrix(&rows) => json::matrix(Raw::Array(rows)),
        Raw::Array(items) if Line::of_items(&items).is_none() => {
            model::check_depth(depth)?;
            let inner = items.into_iter().enumerate().map(|(at, item)| match undeclared(item, depth + 1) {
                Ok(input) => Ok((Sent::default(), input)),
                Err(invalid) => Err(invalid.within(&format!("[{}]", at + 1))),
            });
            inner.collect::<Result<_, _>>().map(Input::List)
        }
        other => vector(other),
    }
}

/// A scalar, or an array of one type.
fn vector(value: Raw<'_>) -> Result<Input<'_>, Invalid> {
    Ok(Input::Vector(model::checked(json::elements(value, None)?)?))
}

/// A value that is declared to be of this kind.
fn declared_as(kind: Kind, value: Raw<'_>) -> Result<Input<'_>, Misfit> {
    let came = came(&value);
    let misfit = || Misfit::Came(came.to_owned());
    let elements = match (kind, value) {
        (Kind::Matrix, Raw::Array(rows)) if rows.is_empty() || is_matrix(&rows) => return Ok(json::matrix(Raw::Array(rows))?),
        (Kind::Matrix, Raw::Array(rows)) if rows.iter().all(|row| matches!(row, Raw::Column(_) | Raw::Array(_))) => {
            return Err(Misfit::Came("an array of arrays that are not of one length and one type".to_owned()));
        }
        (Kind::DataFrame, Raw::Object(columns)) => return by_columns(columns),
        (Kind::DataFrame, Raw::Array(rows)) => return by_rows(rows),
        (Kind::Matrix | Kind::DataFrame, _) => return Err(misfit()),
        (Kind::Vector, value) => json::elements(value, None).map_err(|_| misfit())?,
        (Kind::Logical, value) => elements(value, Elements::Logical).ok_or_else(misfit)?,
        (Kind::Character, value) => elements(value, Elements::Text).ok_or_else(misfit)?,
        (Kind::Numeric, value) => elements(value, Elements::Double).ok_or_else(misfit)?,
        (Kind::Integer, value) => match elements(value, Elements::Double) {
            Some(Column::Double(numbers)) => return numbers.into_iter().map(integer).collect::<Result<_, _>>().map(Input::Integers),
            _ => return Err(misfit()),
        },
    };
    Ok(Input::Vector(model::checked(elements)?))
}

/// A scalar or an array of this type; `None` for anything else.
fn elements(value: Raw<'_>, wanted: Elements) -> Option<Column<'_>> {
    json::elements(value, Some(Class::Atomic(wanted))).ok().filter(|elements| elements.kind() == wanted)
}

#[expect(clippy::cast_possible_truncation, clippy::float_cmp, reason = "compares whether the double is such an integer")]
fn integer(number: f64) -> Result<i32, Misfit> {
    let integer = number as i32;
    if number.to_bits() == NA_REAL.to_bits() {
        Ok(NA_INTEGER)
    } else if f64::from(integer) == number && integer != NA_INTEGER {
        Ok(integer)
    } else if number.is_finite() && number.fract() == 0.0 {
        Err(Misfit::Came(format!("{}, which is no integer of 32 bits,", model::digits(number))))
    } else if number.is_finite() {
        Err(Misfit::Came(model::digits(number)))
    } else {
        Err(Misfit::Came("a number that is not finite".to_owned()))
    }
}

/// What the elements of an array are, if they are plain values of one type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Line {
    /// All are null, or there are none.
    Missing,
    Logical,
    /// Numbers, and perhaps words for numbers.
    Numbers,
    Texts,
    /// Texts that are words for numbers, which they are beside numbers.
    Words,
}

impl Line {
    /// The length of an array, and what it is.
    fn of(array: &Raw<'_>) -> Option<(usize, Self)> {
        match array {
            Raw::Column(column @ Column::Logical(_)) => Some((column.len(), Self::Logical)),
            Raw::Column(column @ Column::Double(_)) => Some((column.len(), Self::Numbers)),
            Raw::Column(Column::Text(texts)) => {
                let words = texts.iter().flatten().all(|text| special_number(text).is_some());
                Some((texts.len(), if words { Self::Words } else { Self::Texts }))
            }
            Raw::Array(items) => Self::of_items(items).map(|line| (items.len(), line)),
            _ => None,
        }
    }

    /// What an array is that [`Raw`] has as one of several types, or of none.
    fn of_items(items: &[Raw<'_>]) -> Option<Self> {
        let is_number = |item: &Raw<'_>| match item {
            Raw::Null | Raw::Number(_) => true,
            Raw::Text(word) => special_number(word).is_some(),
            _ => false,
        };
        if items.iter().all(|item| *item == Raw::Null) { Some(Self::Missing) } else { items.iter().all(is_number).then_some(Self::Numbers) }
    }
}

/// Whether there are rows, which are of one length and of one type.
fn is_matrix(rows: &[Raw<'_>]) -> bool {
    let (mut length, mut seen) = (None, Line::Missing);
    rows.iter().all(|row| {
        let Some((count, line)) = Line::of(row) else { return false };
        let fits = match (seen, line) {
            (Line::Missing, _) | (Line::Words, Line::Numbers | Line::Texts) => {
                seen = line;
                true
            }
            (_, Line::Missing) | (Line::Numbers | Line::Texts, Line::Words) => true,
            (seen, line) => seen == line,
        };
        fits && *length.get_or_insert(count) == count
    }) && length.is_some()
}

/// Whether there are columns, which have names and are of one length, each of one type.
fn is_frame(members: &[(Sent<'_>, Raw<'_>)]) -> bool {
    let mut length = None;
    members
        .iter()
        .all(|(name, column)| Line::of(column).is_some_and(|(count, _)| !name.is_empty() && *length.get_or_insert(count) == count))
        && length.is_some()
}

/// What came, in a sentence.
pub(super) fn came(value: &Raw<'_>) -> &'static str {
    match value {
        Raw::Null => "null",
        Raw::Bool(_) => "a logical value",
        Raw::Number(_) => "a number",
        Raw::Text(_) => "a string",
        Raw::Column(Column::Logical(_)) => "an array of logical values",
        Raw::Column(Column::Double(_)) => "an array of numbers",
        Raw::Column(Column::Text(_)) => "an array of strings",
        Raw::Object(_) => "an object",
        Raw::Array(items) if items.is_empty() => "an empty array",
        Raw::Array(items) if items.iter().all(|item| *item == Raw::Null) => "an array of nulls",
        Raw::Array(items) if items.iter().all(|item| matches!(item, Raw::Array(_) | Raw::Column(_))) => "an array of arrays",
        Raw::Array(items) if items.iter().all(|item| matches!(item, Raw::Object(_))) => "an array of objects",
        Raw::Array(_) => "an array of several types",
    }
}
