//! Writes values and objects of the global environment from R's memory into the bytes that clients get.

use std::ffi::CString;

use super::{
    exec::{Memory, RError, look_at, protect_quietly},
    objects,
    preserved::Preserved,
    serialize,
    view::{self, RValue},
};
use crate::wire::{
    Detail, Encoding, MissingObject, Out, Text, ValueEncoding, Written, jsonlite,
    typed::{self, Scratch},
};

/// What clients are told about an active binding, whose value is not looked at.
const ACTIVE_BINDING: &str = "activeBinding";

/// Encoded objects.
#[derive(Debug)]
pub struct Encoded {
    /// In JSON one object with a member for each, braces included; in XML the elements one after another.
    pub bytes: Written,
    /// The objects that were asked for and could not be written.
    pub missing: Vec<MissingObject>,
}

/// Why a value was not written.
#[derive(Debug, thiserror::Error)]
pub enum ValueError {
    /// R's error.
    #[error(transparent)]
    R(#[from] RError),
    /// It could not be serialized.
    #[error(transparent)]
    Serialize(#[from] serialize::WriteError),
    /// Values of its kind have no JSON.
    #[error("the value cannot be written as JSON")]
    Unencodable(#[source] jsonlite::Unencodable),
    /// There is not enough memory.
    #[error("the value, as JSON, does not fit in the session's memory")]
    TooLarge,
}

/// There is not enough memory for all objects.
#[derive(Debug, thiserror::Error)]
#[error("the objects, written out, do not fit in the session's memory")]
pub struct ObjectsTooLarge;

/// Writes one value to `out`, which is empty.
///
/// # Errors
/// [`ValueError`].
pub fn value(out: Out, value: &Preserved, encoding: ValueEncoding) -> Result<Written, ValueError> {
    match encoding {
        ValueEncoding::Rds => Ok(serialize::write(out, value)?),
        ValueEncoding::Json => json(out, value),
    }
}

/// The memory of the writers of JSON, which holds views of columns.
struct JsonScratch;

impl Memory for JsonScratch {
    type Of<'r> = jsonlite::Scratch<'r, RValue<'r>>;
}

/// Writes a value as `toJSON()` does, or if it cannot be written so, as `serializeJSON()` does.
fn json(mut out: Out, value: &Preserved) -> Result<Written, ValueError> {
    let buffer = &mut out;
    let written = look_at::<JsonScratch, _, _>(value, |value, scratch| {
        jsonlite::write(buffer, scratch, value).or_else(|_| {
            buffer.truncate(0);
            jsonlite::write_serialized(buffer, value)
        })
    });
    written?.map_err(ValueError::Unencodable)?;
    out.finish_anywhere().ok_or(ValueError::TooLarge)
}

/// Writes the objects of those names, in that order, to `out`, which is empty.
///
/// # Errors
/// [`ObjectsTooLarge`].
pub fn objects(mut out: Out, names: &[String], detail: Detail, encoding: Encoding) -> Result<Encoded, ObjectsTooLarge> {
    let mut scratch = Scratch::default();
    let mut missing = Vec::new();
    let mut first = true;
    if encoding == Encoding::TypedJson {
        out.byte(b'{');
    }
    for name in names {
        let mark = out.len();
        match object(&mut out, &mut scratch, name, detail, encoding, first) {
            Ok(true) => first &= out.len() == mark,
            Ok(false) => missing.push(MissingObject { name: name.clone(), error: None }),
            Err(error) => {
                out.truncate(mark);
                missing.push(MissingObject { name: name.clone(), error: Some(error.to_string()) });
            }
        }
    }
    if encoding == Encoding::TypedJson {
        out.byte(b'}');
    }
    match out.finish_anywhere() {
        Some(bytes) => Ok(Encoded { bytes, missing }),
        None => Err(ObjectsTooLarge),
    }
}

/// Writes one object; false when there is none of that name.
fn object(out: &mut Out, scratch: &mut Scratch, name: &str, detail: Detail, encoding: Encoding, first: bool) -> Result<bool, RError> {
    let Ok(symbol) = CString::new(name) else { return Ok(false) };
    if symbol.is_empty() {
        return Ok(false);
    }
    let (symbol, scratch) = (symbol.as_c_str(), &mut *scratch);
    protect_quietly(|r| {
        if !objects::exists(r, symbol) {
            return false;
        }
        let key = Text::of(name);
        if objects::is_active(r, symbol) && matches!(detail, Detail::Description { .. }) {
            // A function makes its value each time: to describe the object must not run that.
            match (detail, encoding) {
                (Detail::Description { only_encodable: true }, _) => {}
                (_, Encoding::TypedJson) => {
                    typed::json::key(out, first, key);
                    typed::json::unread(out, ACTIVE_BINDING);
                }
                (_, Encoding::TypedXml) => typed::xml::unread(out, key, ACTIVE_BINDING),
            }
            return true;
        }
        let mut write = |value: RValue<'_>| match (detail, encoding) {
            (Detail::Description { only_encodable: true }, _) if !typed::is_encodable(value) => {}
            (Detail::Description { .. }, Encoding::TypedJson) => {
                typed::json::key(out, first, key);
                typed::json::description(out, value);
            }
            (Detail::Description { .. }, Encoding::TypedXml) => typed::xml::description(out, key, value),
            (Detail::Value(slice), Encoding::TypedJson) => {
                typed::json::key(out, first, key);
                typed::json::object(out, scratch, value, slice);
            }
            (Detail::Value(slice), Encoding::TypedXml) => typed::xml::object(out, scratch, key, value, slice),
        };
        // SAFETY: the value has just been asked for, and nothing was allocated since.
        unsafe { view::protected(r, objects::value(r, symbol), |value| write(value.modelled())) };
        true
    })
}
