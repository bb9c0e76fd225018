//! JSON for programs that ask an interactive R small questions: a vector of one element is a bare value, what is missing is `null`, and
//! environments are objects like lists with names. Classes are not looked at. What has no plain form is refused.

use super::{
    Out, Storage, Text,
    jsonlite::{RObject, Type, is_na},
    number::{push_double, push_integer},
    text::push_json,
    typed::MAX_DEPTH,
    value::NA_INTEGER,
};
use std::collections::HashSet;

/// A value whose environments can be looked into.
pub trait Open<'a>: RObject<'a> {
    /// The bindings of an environment, as a list with names.
    #[must_use]
    fn bindings(self) -> Self;
}

/// Why a value has no such form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotTerse {
    /// It has several elements.
    #[error("vectors must have 0 or 1 element; put several into a list")]
    Long,
    /// It is no finite number.
    #[error("numbers must be finite")]
    NotFinite,
    /// There is no JSON for its type.
    #[error("there is no JSON for a value of its type")]
    Type,
    /// A name is missing or there twice.
    #[error("the elements of a list must all have names, and different ones, or none")]
    Names,
    /// It is too deep, or contains itself.
    #[error("it has more than {MAX_DEPTH} levels")]
    Depth,
}

/// The writer's memory, which its caller owns: R may leave the writer by longjmp.
#[derive(Debug, Default)]
pub struct Scratch {
    /// The names of the lists that are being written.
    names: Vec<HashSet<Vec<u8>>>,
}

/// Appends a value.
///
/// # Errors
/// [`NotTerse`]; part of it may have been appended.
pub fn write<'a, V: Open<'a>>(out: &mut Out, scratch: &mut Scratch, value: V) -> Result<(), NotTerse> {
    push(out, scratch, value, 0).map(drop)
}

/// What was written.
#[derive(PartialEq, Eq)]
enum Wrote {
    Value,
    /// `null`, for a value that is missing.
    Missing,
}

fn push<'a, V: Open<'a>>(out: &mut Out, scratch: &mut Scratch, value: V, depth: usize) -> Result<Wrote, NotTerse> {
    if depth > MAX_DEPTH {
        return Err(NotTerse::Depth);
    }
    match value.type_of() {
        Type::Null => out.push(b"null"),
        Type::Environment => return object(out, scratch, value.bindings(), depth).map(|()| Wrote::Value),
        Type::List if value.is_named() => return object(out, scratch, value, depth).map(|()| Wrote::Value),
        Type::List => {
            out.byte(b'[');
            let start = out.len();
            for at in 0..value.len() {
                let mark = out.len();
                if mark > start {
                    out.byte(b',');
                }
                if push(out, scratch, value.element(at), depth + 1)? == Wrote::Missing {
                    out.truncate(mark);
                }
            }
            out.byte(b']');
        }
        _ => return atom(out, value),
    }
    Ok(Wrote::Value)
}

/// Writes the elements of a list with names.
fn object<'a, V: Open<'a>>(out: &mut Out, scratch: &mut Scratch, list: V, depth: usize) -> Result<(), NotTerse> {
    if scratch.names.len() <= depth {
        scratch.names.resize_with(depth + 1, HashSet::new);
    }
    scratch.names[depth].clear();
    out.byte(b'{');
    let start = out.len();
    for at in 0..list.len() {
        let name = list.name(at);
        if name.bytes().is_empty() {
            return Err(NotTerse::Names);
        }
        let mark = out.len();
        if mark > start {
            out.byte(b',');
        }
        let key = out.len();
        push_json(out, name);
        if !scratch.names[depth].insert(out.as_bytes()[key..].to_vec()) {
            return Err(NotTerse::Names);
        }
        out.byte(b':');
        if push(out, scratch, list.element(at), depth + 1)? == Wrote::Missing {
            out.truncate(mark);
        }
    }
    out.byte(b'}');
    Ok(())
}

fn atom<'a, V: Open<'a>>(out: &mut Out, value: V) -> Result<Wrote, NotTerse> {
    let storage = value.storage();
    if storage == Storage::Other {
        return Err(NotTerse::Type);
    }
    match value.len() {
        0 => {
            out.push(b"null");
            return Ok(Wrote::Value);
        }
        1 => {}
        _ => return Err(NotTerse::Long),
    }
    let (mut integer, mut double) = (NA_INTEGER, f64::NAN);
    let missing = match storage {
        Storage::Logical | Storage::Integer => {
            value.integers(0, 1, |piece| integer = piece[0]);
            integer == NA_INTEGER
        }
        Storage::Double => {
            value.doubles(0, 1, |piece| double = piece[0]);
            is_na(double)
        }
        _ => value.string(0) == Text::Na,
    };
    if missing {
        out.push(b"null");
        return Ok(Wrote::Missing);
    }
    match storage {
        Storage::Logical => out.push(if integer == 0 { b"false" } else { b"true" }),
        Storage::Integer => push_integer(out, integer),
        Storage::Double if double.is_finite() => push_double(out, double),
        Storage::Double => return Err(NotTerse::NotFinite),
        _ => push_json(out, value.string(0)),
    }
    Ok(Wrote::Value)
}
