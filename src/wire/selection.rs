//! How clients choose what they get of objects: how much of each, and in which form.

use serde::{Deserialize, Serialize};

use super::typed::Slice;

/// The form of objects.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Encoding {
    /// Type, class and value as JSON: [`super::typed::json`].
    #[default]
    TypedJson,
    /// Type, class and value as XML: [`super::typed::xml`].
    TypedXml,
    /// Values alone, as the members of a JSON object: [`super::plain`]. They are always whole.
    PlainMembers,
    /// The same, as a JSON array of objects with a name and a value.
    PlainPairs,
}

impl Encoding {
    /// What is before and after all objects.
    pub(crate) fn brackets(self) -> [&'static [u8]; 2] {
        match self {
            Self::TypedJson | Self::PlainMembers => [b"{", b"}"],
            Self::PlainPairs => [b"[", b"]"],
            Self::TypedXml => [b"", b""],
        }
    }
}

/// The form of a single value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum ValueEncoding {
    /// As R's `serialize()` writes it.
    Rds,
    /// As JSON, by the rules of R's package jsonlite: [`super::jsonlite`].
    Json,
}

/// How much is written of each object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Detail {
    /// Its type, and its value or a part of it.
    Value(Slice),
    /// Its type, without the value.
    Description {
        /// Whether to leave out objects whose value cannot be written: functions, environments and the like.
        only_encodable: bool,
    },
}

impl Detail {
    /// All of the value.
    pub const WHOLE: Self = Self::Value(Slice::ALL);
}

/// An object that was asked for and could not be written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MissingObject {
    /// Its name.
    pub name: String,
    /// R's error when it was read; `None` when there is no such object.
    pub error: Option<String>,
}
