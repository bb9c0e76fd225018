//! Which objects are wanted, how much of each, and in which form.

use serde::{Deserialize, Serialize};

use super::typed::Slice;

/// In which form values go out.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Encoding {
    /// Type, class and value as JSON: [`super::typed::json`].
    #[default]
    TypedJson,
    /// Type, class and value as XML: [`super::typed::xml`].
    TypedXml,
}

/// In which form a single value goes out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum ValueEncoding {
    /// As R's `serialize()` writes it.
    Rds,
    /// As JSON, by the rules of R's package jsonlite: [`super::jsonlite`].
    Json,
}

/// What is written of each object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Detail {
    /// What it is, and its value or a part of it.
    Value(Slice),
    /// What it is, without the value.
    Description {
        /// Leave out those whose value could not be written: functions, environments and the like.
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
    /// R's error while it was read; `None` when there is no such object.
    pub error: Option<String>,
}
