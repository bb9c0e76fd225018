//! The typed form as XML: `<robject name="x" type="vector"><numeric value="1,2"/></robject>`.
//!
//! The elements of a vector are one attribute, separated by commas. `NA` is an empty element, and an empty vector has no
//! attribute. Strings follow the rules of CSV (RFC 4180): one that contains a comma, a quote or a line break, that begins
//! or ends with a blank, or that is empty is put in quotes, and its own quotes are doubled. A string by itself is put in
//! quotes only where it would be taken for something else: when it is empty or begins with a quote.
//! [`super::input`] reads it.

use super::{
    Atom, Kind, MAX_DEPTH, Place, Scratch, Slice, each_atom, each_moment, element_class, label, moment_format, push_moment, separate,
};
use crate::wire::{
    Out, Storage, Text, Value,
    number::{infinity, push_double, push_integer},
    text::{push_xml_attribute, push_xml_escaped},
};

/// Writes `value`, or a slice of it, as one element called `name`.
pub fn object<'a, V: Value<'a>>(out: &mut Out, scratch: &mut Scratch, name: Text<'_>, value: V, slice: Slice) {
    let kind = Kind::of(value, Place::Alone);
    open(out, name, kind, value);
    Writer { out, scratch }.content(kind, value, slice, 0);
}

/// Writes the description of `value`, without the value itself: `<robject name="x" type="vector" rclass="numeric"/>`.
pub fn description<'a, V: Value<'a>>(out: &mut Out, name: Text<'_>, value: V) {
    let kind = Kind::of(value, Place::Alone);
    open(out, name, kind, value);
    out.push(b" rclass=\"");
    push_xml_attribute(out, kind.class_name(value));
    out.push(b"\"/>");
}

/// Writes the description of a value that is not looked at, and of which only `class` is known.
pub fn unread(out: &mut Out, name: Text<'_>, class: &str) {
    for (attribute, value) in [("<robject name", name), (" type", Text::of(class)), (" rclass", Text::of(class))] {
        out.push(attribute.as_bytes());
        out.push(b"=\"");
        push_xml_attribute(out, value);
        out.byte(b'"');
    }
    out.push(b"/>");
}

/// Writes the start of an element up to its last attribute, without closing it.
fn open<'a, V: Value<'a>>(out: &mut Out, name: Text<'_>, kind: Kind, value: V) {
    out.push(b"<robject name=\"");
    push_xml_attribute(out, name);
    out.push(b"\" type=\"");
    push_xml_attribute(out, kind.type_name(value));
    match kind {
        Kind::Moment | Kind::Moments => {
            out.push(b"\" format=\"");
            out.push(moment_format(value).as_bytes());
        }
        Kind::Factor { ordered } => out.push(if ordered { b"\" ordered=\"true" } else { b"\" ordered=\"false" }),
        _ => {}
    }
    out.byte(b'"');
}

struct Writer<'o> {
    out: &'o mut Out,
    scratch: &'o mut Scratch,
}

impl Writer<'_> {
    /// Writes the rest of an element that [`open`] has begun.
    fn content<'a, V: Value<'a>>(&mut self, kind: Kind, value: V, slice: Slice, depth: usize) {
        if matches!(kind, Kind::Null | Kind::Opaque) || (depth >= MAX_DEPTH && matches!(kind, Kind::List | Kind::DataFrame)) {
            self.out.push(b"/>");
            return;
        }
        self.out.byte(b'>');
        match kind {
            Kind::Null | Kind::Opaque => {}
            Kind::Primitive => self.data(element_class(value.storage()), 1, |writer| {
                if value.storage() == Storage::String {
                    push_single(writer.out, value.string(0));
                } else {
                    writer.elements(value, 0, 1);
                }
            }),
            Kind::Vector => {
                let (from, to) = slice.bounds(value.len());
                self.data(element_class(value.storage()), to - from, |writer| writer.elements(value, from, to));
            }
            Kind::Moment | Kind::Moments => {
                let (from, to) = if kind == Kind::Moment { (0, 1) } else { slice.bounds(value.len()) };
                self.data("date", to - from, |writer| writer.moments(value, from, to));
            }
            Kind::Factor { .. } => self.factor(value, slice),
            Kind::Matrix { rows, columns } => {
                let (from, to) = slice.bounds(rows);
                for row in from..to {
                    self.data(element_class(value.storage()), columns, |writer| {
                        for column in 0..columns {
                            if column > 0 {
                                writer.out.byte(b',');
                            }
                            let at = column * rows + row;
                            writer.elements(value, at, at + 1);
                        }
                    });
                }
            }
            Kind::List => {
                let (from, to) = slice.bounds(value.len());
                self.members(value, from, to, Place::Alone, Slice::ALL, depth);
            }
            Kind::DataFrame => self.members(value, 0, value.len(), Place::Column, slice, depth),
        }
        self.out.push(b"</robject>");
    }

    /// The elements `from..to` of a list, of each the part `slice`.
    fn members<'a, V: Value<'a>>(&mut self, list: V, from: usize, to: usize, place: Place, slice: Slice, depth: usize) {
        self.scratch.names.at(depth).open(list);
        for at in 0..to {
            let name = self.scratch.names.at(depth).key(list, at);
            if at < from {
                continue;
            }
            let item = list.item(at);
            let kind = Kind::of(item, place);
            open(self.out, name, kind, item);
            self.content(kind, item, slice, depth + 1);
        }
    }

    fn factor<'a, V: Value<'a>>(&mut self, factor: V, slice: Slice) {
        let (from, to) = slice.bounds(factor.len());
        self.data("values", to - from, |writer| {
            let out = &mut *writer.out;
            let mut first = true;
            factor.integers(from, to, |piece| {
                for &code in piece {
                    separate(out, &mut first);
                    push_item(out, label(factor, code));
                }
            });
        });
        self.data("levels", factor.levels(), |writer| {
            for at in 0..factor.levels() {
                if at > 0 {
                    writer.out.byte(b',');
                }
                push_item(writer.out, factor.level(at));
            }
        });
    }

    /// The elements `from..to` of a plain vector, separated by commas.
    fn elements<'a, V: Value<'a>>(&mut self, vector: V, from: usize, to: usize) {
        let out = &mut *self.out;
        let mut first = true;
        each_atom(vector, from, to, |atom| {
            separate(out, &mut first);
            match atom {
                Atom::Na => {}
                Atom::Logical(true) => out.push(b"true"),
                Atom::Logical(false) => out.push(b"false"),
                Atom::Integer(number) => push_integer(out, number),
                Atom::Double(number) => push_double(out, number),
                Atom::Infinite(number) => out.push(infinity(number).as_bytes()),
                Atom::Text(text) => push_item(out, text),
            }
        });
    }

    fn moments<'a, V: Value<'a>>(&mut self, vector: V, from: usize, to: usize) {
        let zone = self.scratch.zone(vector.time_zone());
        let out = &mut *self.out;
        let mut first = true;
        each_moment(vector, from, to, |moment| {
            separate(out, &mut first);
            if let Some(moment) = moment {
                push_moment(out, moment, vector.class(), zone);
            }
        });
    }

    /// Writes an XML element with `count` elements of a vector in its attribute. For an empty vector, there is no attribute:
    /// an empty one means one missing value.
    fn data(&mut self, element: &str, count: usize, write: impl FnOnce(&mut Self)) {
        self.out.byte(b'<');
        self.out.push(element.as_bytes());
        if count > 0 {
            self.out.push(b" value=\"");
            write(self);
            self.out.byte(b'"');
        }
        self.out.push(b"/>");
    }
}

/// Writes a string that is one of several.
fn push_item(out: &mut Out, text: Text<'_>) {
    let bytes = text.bytes();
    let plain = !bytes.is_empty()
        && !bytes.iter().any(|byte| matches!(byte, b',' | b'"' | b'\r' | b'\n'))
        && !bytes[0].is_ascii_whitespace()
        && !bytes[bytes.len() - 1].is_ascii_whitespace();
    if plain || text.is_na() {
        push_xml_attribute(out, text);
    } else {
        push_quoted(out, text);
    }
}

/// Writes a string by itself.
fn push_single(out: &mut Out, text: Text<'_>) {
    match text.bytes() {
        [] | [b'"', ..] if !text.is_na() => push_quoted(out, text),
        _ => push_xml_attribute(out, text),
    }
}

fn push_quoted(out: &mut Out, text: Text<'_>) {
    out.push(b"&quot;");
    text.pieces(|piece| {
        for (at, part) in piece.split(|&byte| byte == b'"').enumerate() {
            if at > 0 {
                out.push(b"&quot;&quot;");
            }
            push_xml_escaped(out, part);
        }
    });
    out.push(b"&quot;");
}
