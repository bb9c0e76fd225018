//! Values on their way in: inputs from clients, decoded into plain Rust values before R is asked for anything.
//!
//! `json` and `xml` read the two forms of the type model, and both make [`Inputs`]. The rules that do not depend on the form,
//! such as those for a matrix, are in `model`. Decoding runs no R code. Its errors are sentences that name the value.
//! Building R's values afterwards (`crate::r::build`) only copies the inputs.

mod dates;
mod items;
pub(in crate::wire) mod json;
pub(in crate::wire) mod model;
pub(in crate::wire) mod raw;
pub(in crate::wire) mod reader;
mod xml;

#[cfg(test)]
mod tests;

use std::{borrow::Cow, fmt};

use crate::wire::value::NA_INTEGER;

/// `NA_real_`: the NaN whose low word is 1954 (R's arithmetic.c).
pub const NA_REAL: f64 = f64::from_bits(0x7ff0_0000_0000_07a2);

/// Text, which is borrowed from the request if it stands there without escapes.
pub type Sent<'a> = Cow<'a, str>;

/// Values with the names to which they are bound.
#[derive(Debug, Clone, PartialEq)]
pub struct Inputs<'a> {
    /// The values. No name is there twice, and each can be a name in R.
    pub members: Vec<(Sent<'a>, Input<'a>)>,
    /// Whether all values together are bound as a list called `inputs` as well, since the client has sent them as one
    /// (contract, section 5, "inputs wrapper").
    pub as_list: bool,
}

/// A value that was sent.
#[derive(Debug, Clone, PartialEq)]
pub enum Input<'a> {
    /// `NULL`.
    Null,
    /// A vector; a primitive is one of length 1.
    Vector(Column<'a>),
    /// 32-bit integers, or [`NA_INTEGER`].
    Integers(Vec<i32>),
    /// Stored column by column, as R does.
    Matrix {
        /// Number of rows.
        rows: usize,
        /// Number of columns.
        columns: usize,
        /// The elements.
        elements: Column<'a>,
    },
    /// Days since 1970, or [`NA_REAL`].
    Dates(Vec<f64>),
    /// Seconds since 1970, or [`NA_REAL`].
    Moments(Vec<f64>),
    /// A factor, to be made by R's `factor()`.
    Factor(Factor<'a>),
    /// A list. Elements without a name have the empty name.
    List(Vec<(Sent<'a>, Input<'a>)>),
    /// Columns of the same length: vectors, dates, moments, factors.
    DataFrame(Vec<(Sent<'a>, Input<'a>)>),
}

/// Elements of one type.
#[derive(Debug, Clone, PartialEq)]
pub enum Column<'a> {
    /// 0, 1, or [`NA_INTEGER`].
    Logical(Vec<i32>),
    /// Doubles, or [`NA_REAL`].
    Double(Vec<f64>),
    /// Strings without NUL; `None` is `NA`.
    Text(Vec<Option<Sent<'a>>>),
}

/// The type of a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Logical.
    Logical,
    /// Numbers.
    Double,
    /// Strings.
    Text,
}

/// A factor, by the arguments of R's `factor()`.
#[derive(Debug, Clone, PartialEq)]
pub struct Factor<'a> {
    /// Its data.
    pub values: Column<'a>,
    /// Its levels in their order, none twice; without them, R takes the sorted unique values.
    pub levels: Option<Column<'a>>,
    /// Names shown in place of the levels: one for each, or one for all.
    pub labels: Option<Vec<Sent<'a>>>,
    /// Whether the levels have an order.
    pub ordered: bool,
}

impl Column<'_> {
    /// Number of elements.
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Self::Logical(elements) => elements.len(),
            Self::Double(elements) => elements.len(),
            Self::Text(elements) => elements.len(),
        }
    }

    /// Whether there is no element.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The type of the elements.
    #[must_use]
    pub fn kind(&self) -> Kind {
        match self {
            Self::Logical(_) => Kind::Logical,
            Self::Double(_) => Kind::Double,
            Self::Text(_) => Kind::Text,
        }
    }

    /// As many `NA` as there are to be elements.
    #[must_use]
    pub fn missing(count: usize, kind: Kind) -> Self {
        match kind {
            Kind::Logical => Self::Logical(vec![NA_INTEGER; count]),
            Kind::Double => Self::Double(vec![NA_REAL; count]),
            Kind::Text => Self::Text(vec![None; count]),
        }
    }
}

impl Input<'_> {
    /// Number of elements, as R's `length()` counts them: of a matrix all its elements, of a data frame its columns.
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Self::Null => 0,
            Self::Vector(elements) | Self::Matrix { elements, .. } => elements.len(),
            Self::Integers(elements) => elements.len(),
            Self::Dates(elements) | Self::Moments(elements) => elements.len(),
            Self::Factor(factor) => factor.values.len(),
            Self::List(members) | Self::DataFrame(members) => members.len(),
        }
    }

    /// Whether there is no element.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Reads inputs: XML if they begin with `<`, and JSON otherwise, whatever the request says of its format.
///
/// # Errors
/// [`Invalid`], with the name of the value and what is to be done.
pub fn read(sent: &[u8]) -> Result<Inputs<'_>, Invalid> {
    let text = std::str::from_utf8(sent).map_err(|_| Invalid::new("the text is not UTF-8"))?;
    let text = text.trim_start_matches('\u{feff}').trim_start();
    model::inputs(if text.starts_with('<') { xml::read(text)? } else { json::read(text)? })
}

/// An input that is not valid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invalid {
    /// The names of the value and of the values that it is in, the innermost first.
    path: Vec<String>,
    what: String,
}

impl Invalid {
    pub(in crate::wire) fn new(what: impl Into<String>) -> Self {
        Self { path: Vec::new(), what: what.into() }
    }

    /// The same error as one in the value called `name`.
    pub(in crate::wire) fn within(mut self, name: &str) -> Self {
        self.path.push(shortened(name));
        self
    }

    /// The names that lead to the value, joined by points; `None` when the fault is not that of one value.
    pub(in crate::wire) fn place(&self) -> Option<String> {
        (!self.path.is_empty()).then(|| self.path.iter().rev().map(String::as_str).collect::<Vec<_>>().join("."))
    }

    /// What is wrong.
    pub(in crate::wire) fn what(&self) -> &str {
        &self.what
    }
}

impl std::error::Error for Invalid {}

impl fmt::Display for Invalid {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("inputs")?;
        for name in self.path.iter().rev() {
            write!(formatter, ".{name}")?;
        }
        write!(formatter, ": {}.", self.what)
    }
}

/// Text of a client in the form in which errors show it.
pub(in crate::wire) fn shown(text: &str) -> String {
    format!("{:?}", shortened(text))
}

fn shortened(text: &str) -> String {
    const MOST: usize = 60;
    match text.char_indices().nth(MOST) {
        None => text.to_owned(),
        Some((end, _)) => format!("{}...", &text[..end]),
    }
}

/// Reads a word for a number that has no digits, such as `NaN`, as R and Java write them.
pub(in crate::wire) fn special_number(word: &str) -> Option<f64> {
    match word {
        "NA" => Some(NA_REAL),
        "NaN" => Some(f64::NAN),
        "Inf" | "+Inf" | "Infinity" | "+Infinity" => Some(f64::INFINITY),
        "-Inf" | "-Infinity" => Some(f64::NEG_INFINITY),
        _ => None,
    }
}
