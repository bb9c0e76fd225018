//! Objects of the global environment, from R's memory into the bytes that clients get.

use std::ffi::CString;

use libR_sys::{Rf_protect, Rf_unprotect};

use super::{exec::protect_quietly, objects, preserved::Preserved, serialize, view, view::RValue};
use crate::wire::{
    Detail, Encoding, MissingObject, Out, Text, ValueEncoding, Written, jsonlite,
    typed::{self, Scratch},
};

/// What an object is whose value is not looked at.
const ACTIVE_BINDING: &str = "activeBinding";

/// Encoded objects.
#[derive(Debug)]
pub struct Encoded {
    /// In JSON one object with a member for each, braces included; in XML the elements one after another.
    pub bytes: Written,
    /// Those that were asked for and are not in it.
    pub missing: Vec<MissingObject>,
}

/// Writes one value to `out`, which is empty.
///
/// # Errors
/// Why it cannot be written: R's message, or that it has no such form, or that memory ran out.
pub fn value(out: Out, value: &Preserved, encoding: ValueEncoding) -> Result<Written, String> {
    match encoding {
        ValueEncoding::Rds => serialize::write(out, value),
        ValueEncoding::Json => json(out, value),
    }
}

/// Writes a value as `toJSON()` does, or where that cannot, as `serializeJSON()`.
fn json(mut out: Out, value: &Preserved) -> Result<Written, String> {
    let mut scratch = jsonlite::Scratch::default();
    let (value, buffer, memory) = (value.value(), &mut out, &mut scratch);
    let written = protect_quietly(|r| {
        // SAFETY: inside `protect`; the value is preserved by its owner.
        let value = unsafe { RValue::as_it_is(r, value) };
        jsonlite::write(buffer, memory, value).or_else(|_| {
            buffer.truncate(0);
            jsonlite::write_serialized(buffer, value)
        })
    });
    view::release();
    written?.map_err(|why| format!("the value cannot be written as JSON: {why}"))?;
    out.finish_anywhere().ok_or_else(|| "the value, as JSON, does not fit in the session's memory".to_owned())
}

/// Writes the objects of those names, in that order, to `out`, which is empty.
///
/// # Errors
/// When memory runs out.
pub fn objects(mut out: Out, names: &[String], detail: Detail, encoding: Encoding) -> Result<Encoded, String> {
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
            Err(message) => {
                out.truncate(mark);
                missing.push(MissingObject { name: name.clone(), error: Some(message) });
            }
        }
        view::release();
    }
    if encoding == Encoding::TypedJson {
        out.byte(b'}');
    }
    match out.finish_anywhere() {
        Some(bytes) => Ok(Encoded { bytes, missing }),
        None => Err("the objects, written out, do not fit in the session's memory".to_owned()),
    }
}

/// Writes one object; false when there is none of that name.
fn object(out: &mut Out, scratch: &mut Scratch, name: &str, detail: Detail, encoding: Encoding, first: bool) -> Result<bool, String> {
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
            // Its value is made anew each time it is asked for: naming it must not run the code behind it.
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
        // SAFETY: inside `protect`; the value is protected while it is written.
        let value = unsafe { RValue::new(r, Rf_protect(objects::value(r, symbol))) };
        match (detail, encoding) {
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
        }
        // SAFETY: protected above.
        unsafe { Rf_unprotect(1) };
        true
    })
}
