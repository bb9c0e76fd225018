//! Values as plain JSON: `120`, `[1,2]`, `{"hp":[110,93],"wt":[2.6,2.3]}`, without a word on their types.
//!
//! [`output`] writes R's values, and [`input`] reads what clients send. Both may be told by a [`Kind`] what a value has to be, and
//! otherwise go by the value itself:
//!
//! | R value | written as | read as |
//! |---|---|---|
//! | a vector of length 1 | a scalar | a scalar |
//! | any other vector, without its names | an array | an array of one type; an empty one is `logical(0)` |
//! | a number | the fewest digits that read back as it | a double |
//! | `Inf`, `-Inf` | `"Inf"`, `"-Inf"` | the same, among numbers or where numbers are declared; so is `"NaN"` |
//! | `NA`, `NaN` | null | null is `NA` |
//! | `NULL` | null | never |
//! | a matrix, an array | an array of rows, nested | an array of arrays of one length and one type is a matrix |
//! | a data frame, without its row names | an object of columns, each an array | an object of arrays of one length |
//! | a list | an array, or with names an object | any other array or object |
//! | a factor | its labels | never |
//! | a `Date` | `"2016-11-20"` | never: it stays a string |
//! | a `POSIXct`, a `POSIXlt` | `"2016-11-20T18:15:09.5Z"`, always UTC; a fraction has up to six digits | never: it stays a string |
//! | an `integer64` | an integer, exact | never |
//! | complex numbers | strings, as R has them | never |
//! | raw bytes | a string in base64; in data frames and arrays, a hexadecimal string each | never |
//! | atoms of any other class, such as `difftime` and `table` | as without that class | never |
//! | functions, environments, code, S4 objects, lists of other classes such as models | not written | never |
//!
//! Nothing that is read changes without notice: an integer that would become another one as a double is refused. Lists are
//! nested up to [`super::typed::MAX_DEPTH`] levels in both directions.
//!
//! What is declared makes this difference:
//!
//! | kind | may be written | is read from |
//! |---|---|---|
//! | logical, numeric, character | what is written as that, and `NA` | a scalar or an array of that type; null is its `NA` |
//! | integer | numbers that are whole | whole numbers, which become R's integers of 32 bits |
//! | vector | vectors and lists, always as an array | a scalar or an array of one type |
//! | matrix | a matrix | an array of rows |
//! | data.frame | a data frame | an object of columns, or an array of rows |
//!
//! For the first two of these rows, a matrix of one element is a scalar, as R makes one of a product of vectors. Where a data frame is
//! declared, a scalar is a column of one row, and rows are objects with the same names.

mod frames;
pub mod input;
pub mod output;

use serde::{Deserialize, Serialize};

/// What a value is declared to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Truth values.
    Logical,
    /// Numbers.
    Numeric,
    /// Whole numbers.
    Integer,
    /// Strings.
    Character,
    /// Values of one type.
    Vector,
    /// Rows of one type.
    Matrix,
    /// Columns of one length.
    #[serde(rename = "data.frame", alias = "dataframe")]
    DataFrame,
}

/// A parameter that is declared.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Parameter {
    /// Its name.
    pub name: String,
    /// What its value has to be.
    #[serde(rename = "type")]
    pub kind: Kind,
}

impl Kind {
    /// The kind of that name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Some(match name {
            "logical" => Self::Logical,
            "numeric" => Self::Numeric,
            "integer" => Self::Integer,
            "character" => Self::Character,
            "vector" => Self::Vector,
            "matrix" => Self::Matrix,
            "data.frame" | "dataframe" => Self::DataFrame,
            _ => return None,
        })
    }

    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Logical => "logical",
            Self::Numeric => "numeric",
            Self::Integer => "integer",
            Self::Character => "character",
            Self::Vector => "vector",
            Self::Matrix => "matrix",
            Self::DataFrame => "data.frame",
        }
    }

    /// What a value has to be, in a sentence.
    fn described(self) -> &'static str {
        match self {
            Self::Vector => "a vector",
            Self::Matrix => "a matrix",
            Self::DataFrame => "a data frame",
            other => other.name(),
        }
    }
}

#[cfg(test)]
mod tests;
