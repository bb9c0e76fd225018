//! The typed form as JSON: `{"type":"vector","rclass":"numeric","value":[1,2]}`.

use super::{Atom, Kind, MAX_DEPTH, Place, Scratch, Slice, each_atom, each_moment, label, moment_format, push_moment, separate};
use crate::wire::{
    Out, Text, Value,
    number::{infinity, push_double, push_integer},
    text::{push_json, push_json_escaped},
};

/// Writes `value`, or a slice of it, as one object.
pub fn object<'a, V: Value<'a>>(out: &mut Out, scratch: &mut Scratch, value: V, slice: Slice) {
    Writer { out, scratch }.object(value, Place::Alone, slice, 0);
}

/// Writes the description of `value`, without the value itself: `{"type":"vector","rclass":"numeric"}`.
pub fn description<'a, V: Value<'a>>(out: &mut Out, value: V) {
    let kind = Kind::of(value, Place::Alone);
    push_description(out, kind, value);
    out.byte(b'}');
}

/// Writes the description of a value that is not looked at, and of which only `class` is known.
pub fn unread(out: &mut Out, class: &str) {
    out.push(b"{\"type\":");
    push_json(out, Text::of(class));
    out.push(b",\"rclass\":");
    push_json(out, Text::of(class));
    out.byte(b'}');
}

/// Writes a member's name with its colon, after a comma if it is not the object's first.
pub fn key(out: &mut Out, first: bool, name: Text<'_>) {
    if !first {
        out.byte(b',');
    }
    out.byte(b'"');
    name.pieces(|piece| push_json_escaped(out, piece));
    out.push(b"\":");
}

fn push_description<'a, V: Value<'a>>(out: &mut Out, kind: Kind, value: V) {
    out.push(b"{\"type\":");
    push_json(out, kind.type_name(value));
    out.push(b",\"rclass\":");
    push_json(out, kind.class_name(value));
    match kind {
        Kind::Moment | Kind::Moments => {
            out.push(b",\"format\":\"");
            out.push(moment_format(value).as_bytes());
            out.byte(b'"');
        }
        Kind::Factor { ordered } => out.push(if ordered { b",\"ordered\":true" } else { b",\"ordered\":false" }),
        _ => {}
    }
}

struct Writer<'o> {
    out: &'o mut Out,
    scratch: &'o mut Scratch,
}

impl Writer<'_> {
    fn object<'a, V: Value<'a>>(&mut self, value: V, place: Place, slice: Slice, depth: usize) {
        let kind = Kind::of(value, place);
        push_description(self.out, kind, value);
        if let Kind::Factor { .. } = kind {
            self.out.push(b",\"levels\":[");
            for at in 0..value.levels() {
                self.comma(at);
                push_json(self.out, value.level(at));
            }
            self.out.byte(b']');
        }
        self.out.push(b",\"value\":");
        self.value(kind, value, slice, depth);
        self.out.byte(b'}');
    }

    fn value<'a, V: Value<'a>>(&mut self, kind: Kind, value: V, slice: Slice, depth: usize) {
        match kind {
            Kind::Null | Kind::Opaque => self.out.push(b"null"),
            Kind::Primitive => self.elements(value, 0, 1),
            Kind::Moment => self.moments(value, 0, 1),
            Kind::Vector | Kind::Moments | Kind::Factor { .. } => {
                let (from, to) = slice.bounds(value.len());
                self.out.byte(b'[');
                match kind {
                    Kind::Vector => self.elements(value, from, to),
                    Kind::Moments => self.moments(value, from, to),
                    _ => self.labels(value, from, to),
                }
                self.out.byte(b']');
            }
            Kind::Matrix { rows, columns } => self.rows(value, rows, columns, slice),
            Kind::List | Kind::DataFrame if depth >= MAX_DEPTH => self.out.push(b"null"),
            Kind::List => {
                let (from, to) = slice.bounds(value.len());
                self.members(value, from, to, Place::Alone, Slice::ALL, depth);
            }
            Kind::DataFrame => self.members(value, 0, value.len(), Place::Column, slice, depth),
        }
    }

    /// The elements `from..to` of a list, of each the part `slice`.
    fn members<'a, V: Value<'a>>(&mut self, list: V, from: usize, to: usize, place: Place, slice: Slice, depth: usize) {
        self.out.byte(b'{');
        self.scratch.names.at(depth).open(list);
        for at in 0..to {
            let name = self.scratch.names.at(depth).key(list, at);
            if at < from {
                continue;
            }
            key(self.out, at == from, name);
            self.object(list.item(at), place, slice, depth + 1);
        }
        self.out.byte(b'}');
    }

    /// A matrix as an array of rows.
    fn rows<'a, V: Value<'a>>(&mut self, matrix: V, rows: usize, columns: usize, slice: Slice) {
        let (from, to) = slice.bounds(rows);
        self.out.byte(b'[');
        for row in from..to {
            self.comma(row - from);
            self.out.byte(b'[');
            for column in 0..columns {
                self.comma(column);
                let at = column * rows + row;
                self.elements(matrix, at, at + 1);
            }
            self.out.byte(b']');
        }
        self.out.byte(b']');
    }

    /// The elements `from..to` of a plain vector, separated by commas.
    fn elements<'a, V: Value<'a>>(&mut self, vector: V, from: usize, to: usize) {
        let out = &mut *self.out;
        let mut first = true;
        each_atom(vector, from, to, |atom| {
            separate(out, &mut first);
            match atom {
                Atom::Na => out.push(b"null"),
                Atom::Logical(true) => out.push(b"true"),
                Atom::Logical(false) => out.push(b"false"),
                Atom::Integer(number) => push_integer(out, number),
                Atom::Double(number) => push_double(out, number),
                Atom::Infinite(number) => push_json(out, Text::of(infinity(number))),
                Atom::Text(text) => push_json(out, text),
            }
        });
    }

    /// Dates or moments, as strings.
    fn moments<'a, V: Value<'a>>(&mut self, vector: V, from: usize, to: usize) {
        let zone = self.scratch.zone(vector.time_zone());
        let out = &mut *self.out;
        let mut first = true;
        each_moment(vector, from, to, |moment| {
            separate(out, &mut first);
            match moment {
                None => out.push(b"null"),
                Some(moment) => {
                    out.byte(b'"');
                    push_moment(out, moment, vector.class(), zone);
                    out.byte(b'"');
                }
            }
        });
    }

    /// The labels of a factor's elements.
    fn labels<'a, V: Value<'a>>(&mut self, factor: V, from: usize, to: usize) {
        let out = &mut *self.out;
        let mut first = true;
        factor.integers(from, to, |piece| {
            for &code in piece {
                separate(out, &mut first);
                push_json(out, label(factor, code));
            }
        });
    }

    fn comma(&mut self, at: usize) {
        if at > 0 {
            self.out.byte(b',');
        }
    }
}
