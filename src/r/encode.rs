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
    Detail, Encoding, MissingObject, Out, Text, ValueEncoding, Written, jsonlite, plain,
    text::push_json,
    typed::{self, Scratch},
};

/// What clients are told about an active binding, whose value is not looked at.
const ACTIVE_BINDING: &str = "activeBinding";

/// Encoded objects.
#[derive(Debug)]
pub struct Encoded {
    /// In JSON one object or array, brackets included; in XML the elements one after another.
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

/// Most bytes of a sentence about an object: R's errors and the names of classes have any length.
const SENTENCE: usize = 1000;

/// Writes the objects of those names, in that order, to `out`, which is empty. Plain objects have to be of the kinds at the same places, as
/// far as there are any.
///
/// # Errors
/// [`ObjectsTooLarge`].
pub fn objects(
    mut out: Out,
    names: &[String],
    kinds: &[plain::Kind],
    detail: Detail,
    encoding: Encoding,
) -> Result<Encoded, ObjectsTooLarge> {
    let (mut scratch, mut plain_scratch) = (Scratch::default(), plain::output::Scratch::default());
    let mut missing = Vec::new();
    let mut first = true;
    let [opening, closing] = encoding.brackets();
    out.push(opening);
    for (at, name) in names.iter().enumerate() {
        let mark = out.len();
        let written = match encoding {
            Encoding::TypedJson | Encoding::TypedXml => {
                object(&mut out, &mut scratch, name, detail, encoding, first).map_err(|error| error.to_string())
            }
            Encoding::PlainMembers | Encoding::PlainPairs => {
                plain_object(&mut out, &mut plain_scratch, name, kinds.get(at).copied(), encoding, first)
            }
        };
        match written {
            Ok(true) => first &= out.len() == mark,
            Ok(false) => {
                out.truncate(mark);
                missing.push(MissingObject { name: name.clone(), error: None });
            }
            Err(mut error) => {
                out.truncate(mark);
                error.truncate(error.floor_char_boundary(SENTENCE));
                missing.push(MissingObject { name: name.clone(), error: Some(error) });
            }
        }
    }
    out.push(closing);
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
                (_, Encoding::TypedXml) => typed::xml::unread(out, key, ACTIVE_BINDING),
                _ => {
                    typed::json::key(out, first, key);
                    typed::json::unread(out, ACTIVE_BINDING);
                }
            }
            return true;
        }
        let mut write = |value: RValue<'_>| match (detail, encoding) {
            (Detail::Description { only_encodable: true }, _) if !typed::is_encodable(value) => {}
            (Detail::Description { .. }, Encoding::TypedXml) => typed::xml::description(out, key, value),
            (Detail::Value(slice), Encoding::TypedXml) => typed::xml::object(out, scratch, key, value, slice),
            (Detail::Description { .. }, _) => {
                typed::json::key(out, first, key);
                typed::json::description(out, value);
            }
            (Detail::Value(slice), _) => {
                typed::json::key(out, first, key);
                typed::json::object(out, scratch, value, slice);
            }
        };
        // SAFETY: the value has just been asked for, and nothing was allocated since.
        unsafe { view::protected(r, objects::value(r, symbol), |value| write(value.modelled())) };
        true
    })
}

/// Writes one object as plain JSON; false when there is none of that name.
fn plain_object(
    out: &mut Out,
    scratch: &mut plain::output::Scratch,
    name: &str,
    kind: Option<plain::Kind>,
    encoding: Encoding,
    first: bool,
) -> Result<bool, String> {
    let Ok(symbol) = CString::new(name) else { return Ok(false) };
    if symbol.is_empty() {
        return Ok(false);
    }
    if encoding == Encoding::PlainMembers {
        typed::json::key(out, first, Text::of(name));
    } else {
        out.push(if first { b"{\"name\":" } else { b",{\"name\":" });
        push_json(out, Text::of(name));
        out.push(b",\"value\":");
    }
    let (symbol, buffer, notes) = (symbol.as_c_str(), &mut *out, &mut *scratch);
    let found = protect_quietly(|r| {
        objects::exists(r, symbol).then(|| {
            // SAFETY: the value has just been asked for, and nothing was allocated since.
            unsafe { view::protected(r, objects::value(r, symbol), |value| plain::output::write(buffer, notes, value, kind)) }
        })
    });
    match found.map_err(|error| error.to_string())? {
        None => return Ok(false),
        Some(Err(plain::output::Unwritable)) => return Err(format!("the output {name:?} {}", scratch.told())),
        Some(Ok(())) if encoding == Encoding::PlainPairs => out.byte(b'}'),
        Some(Ok(())) => {}
    }
    Ok(true)
}

/// Writes names as a JSON array to `out`, which is empty.
///
/// # Errors
/// [`ObjectsTooLarge`].
pub fn names(mut out: Out, names: &[String]) -> Result<Written, ObjectsTooLarge> {
    out.byte(b'[');
    for (at, name) in names.iter().enumerate() {
        if at > 0 {
            out.byte(b',');
        }
        push_json(&mut out, Text::of(name));
    }
    out.byte(b']');
    out.finish_anywhere().ok_or(ObjectsTooLarge)
}
