//! Writes the form of `serializeJSON`: for each value its type, its attributes and its contents.

use super::{
    MAX_DEPTH, Unencodable, Written,
    atoms::{Atoms, Numbers},
    object::{Question, RObject, Type},
    text::push_string,
};
use crate::wire::{Out, Text};

/// The name by which R stores NULL in a slot.
const NULL_SLOT: &[u8] = b"\x01NULL\x01";

/// Appends a value at this depth.
pub(super) fn push<'a, V: RObject<'a>>(out: &mut Out, value: V, depth: usize) -> Written {
    if depth > MAX_DEPTH {
        return Err(Unencodable::Depth);
    }
    let made_of = value.type_of();
    if made_of == Type::Null || (made_of == Type::Symbol && value.symbol().bytes() == NULL_SLOT) {
        out.push(b"{\"type\":\"NULL\"}");
        return Ok(());
    }
    // A function becomes a list of its arguments and its body first. The attributes written are those of the list: its names.
    let value = if made_of == Type::Closure { ask(value, Question::List)? } else { value };
    let namespace = if made_of == Type::Environment { value.ask(Question::Namespace) } else { None };
    let namespace = namespace.filter(|spec| spec.type_of() == Type::Character);
    let name = match namespace {
        _ if value.is_s4() => Type::S4.name(),
        Some(_) => "namespace",
        None => made_of.name(),
    };
    out.push(b"{\"type\":");
    push_string(out, Text::of(name));
    out.push(b",\"attributes\":");
    attributes(out, value, depth)?;
    out.push(b",\"value\":");
    match namespace {
        _ if value.is_s4() => named_strings(out, ask(value, Question::S4Class)?)?,
        Some(spec) => named_strings(out, spec)?,
        None => content(out, made_of, value, depth)?,
    }
    out.byte(b'}');
    Ok(())
}

fn ask<'a, V: RObject<'a>>(value: V, question: Question) -> Result<V, Unencodable> {
    value.ask(question).ok_or(Unencodable::Refused)
}

fn attributes<'a, V: RObject<'a>>(out: &mut Out, value: V, depth: usize) -> Written {
    let attributes = if value.is_s4() { ask(value, Question::Slots)? } else { ask(value, Question::Attributes)? };
    members(out, attributes, |out, at| push(out, attributes.element(at), depth + 1))
}

/// The contents of a value of this type. A function has become a list.
fn content<'a, V: RObject<'a>>(out: &mut Out, made_of: Type, value: V, depth: usize) -> Written {
    match made_of {
        Type::Raw => Atoms::Bytes.write(out, Numbers::Serialized, value, 0, 1),
        Type::Special | Type::Builtin => Atoms::Bytes.write(out, Numbers::Serialized, ask(value, Question::Serialized)?, 0, 1),
        Type::Logical | Type::Integer | Type::Double | Type::Character => vector(out, value),
        Type::Complex => vector(out, ask(value, Question::Complex)?),
        Type::Language => vector(out, ask(value, Question::DeparseCall)?),
        Type::Expression => vector(out, ask(value, Question::DeparseFirst)?),
        Type::Symbol => {
            out.byte(b'[');
            push_string(out, value.symbol());
            out.byte(b']');
            Ok(())
        }
        Type::List | Type::Closure => items(out, value, depth),
        Type::Pairlist => items(out, ask(value, Question::List)?, depth),
        Type::Null | Type::Environment | Type::ExternalPointer => {
            out.push(b"{}");
            Ok(())
        }
        Type::S4 | Type::Other(_) => {
            out.push(b"[\"No encoding has been defined for objects with storage mode ");
            out.push(made_of.name().as_bytes());
            out.push(b" and will be skipped.\"]");
            Ok(())
        }
    }
}

/// The elements of a vector.
fn vector<'a, V: RObject<'a>>(out: &mut Out, vector: V) -> Written {
    let atoms = Atoms::of(vector.type_of()).ok_or(Unencodable::Malformed)?;
    out.byte(b'[');
    atoms.write(out, Numbers::Serialized, vector, 0, vector.len())?;
    out.byte(b']');
    Ok(())
}

/// The elements of a list, each with type and attributes.
fn items<'a, V: RObject<'a>>(out: &mut Out, list: V, depth: usize) -> Written {
    out.byte(b'[');
    for at in 0..list.len() {
        if at > 0 {
            out.byte(b',');
        }
        push(out, list.element(at), depth + 1)?;
    }
    out.byte(b']');
    Ok(())
}

/// Writes strings with names as a JSON object.
fn named_strings<'a, V: RObject<'a>>(out: &mut Out, strings: V) -> Written {
    members(out, strings, |out, at| {
        push_string(out, strings.string(at));
        Ok(())
    })
}

/// Writes a value with names as a JSON object. `push_value` appends the value of each member.
fn members<'a, V: RObject<'a>>(out: &mut Out, named: V, mut push_value: impl FnMut(&mut Out, usize) -> Written) -> Written {
    out.byte(b'{');
    for at in 0..named.len() {
        if at > 0 {
            out.byte(b',');
        }
        push_string(out, named.name(at));
        out.byte(b':');
        push_value(out, at)?;
    }
    out.byte(b'}');
    Ok(())
}
