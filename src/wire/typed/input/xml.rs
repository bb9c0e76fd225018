//! Reads the XML form: `<inputs><robject name="x" type="vector"><numeric value="1,2"/></robject></inputs>`.
//!
//! Values that `crate::wire::typed::xml` has written read back as the same values. A document type is refused, so the only
//! entities are those of XML itself. The type model limits the nesting.

use quick_xml::{
    Reader, XmlVersion,
    events::{BytesStart, Event},
    name::QName,
};

use super::{
    Column, Input, Invalid, Kind, Sent, items,
    model::{self, Class, Type},
    shown,
};

/// Reads the objects of `<inputs>`, which may stand in a `<deployr>` or a `<phoenix>`.
pub(super) fn read(text: &str) -> Result<Vec<(Sent<'_>, Input<'_>)>, Invalid> {
    let mut document = Document { reader: Reader::from_str(text) };
    let root = document.root()?;
    let mut members = None;
    match root.name.as_str() {
        "inputs" => members = Some(document.objects(&root, 0)?),
        "deployr" | "phoenix" => {
            while let Some(child) = document.child(&root)? {
                match child.name.as_str() {
                    "inputs" if members.is_none() => members = Some(document.objects(&child, 0)?),
                    // A client may send back the answer of a server, in which these elements stand beside the objects.
                    "response" => document.skip(&child)?,
                    _ => return Err(Invalid::new(format!("<{}> has to have one <inputs>, and at most a <response>", root.name))),
                }
            }
        }
        other => return Err(Invalid::new(format!("the XML begins with <{other}>, and has to begin with <inputs>"))),
    }
    document.end()?;
    members.ok_or_else(|| Invalid::new(format!("<{}> has no <inputs>", root.name)))
}

/// The start of an element, with the attributes that the model knows.
#[derive(Debug, Default)]
struct Element {
    name: String,
    /// Whether the element is empty: `<a/>`.
    is_empty: bool,
    called: Option<String>,
    kind: Option<String>,
    class: Option<String>,
    format: Option<String>,
    ordered: Option<String>,
    value: Option<String>,
}

impl Element {
    fn new(start: &BytesStart<'_>, is_empty: bool) -> Result<Self, Invalid> {
        let mut element = Self { name: start.local_name().into_inner().to_owned(), is_empty, ..Self::default() };
        // The reader's own check for attributes that are there twice compares each with each, which takes too long for many.
        for attribute in start.attributes().with_checks(false) {
            let attribute = attribute.map_err(|error| not_xml(&error))?;
            let place = match attribute.key.local_name().into_inner() {
                "name" => &mut element.called,
                "type" => &mut element.kind,
                "rclass" => &mut element.class,
                "format" => &mut element.format,
                "ordered" => &mut element.ordered,
                "value" => &mut element.value,
                _ => continue,
            };
            let value = attribute.normalized_value(XmlVersion::Implicit1_0).map_err(|error| not_xml(&error))?;
            if place.replace(value.into_owned()).is_some() {
                let key = attribute.key.local_name().into_inner().to_owned();
                return Err(Invalid::new(format!("an element has the attribute {key} twice")));
            }
        }
        Ok(element)
    }
}

fn not_xml(error: &dyn std::fmt::Display) -> Invalid {
    Invalid::new(format!("this is not well-formed XML ({error})"))
}

struct Document<'a> {
    reader: Reader<&'a [u8]>,
}

impl Document<'_> {
    /// Goes to the next start or end of an element. `None` at an end.
    fn next(&mut self) -> Result<Option<Element>, Invalid> {
        loop {
            match self.reader.read_event().map_err(|error| not_xml(&error))? {
                Event::Start(start) => return Element::new(&start, false).map(Some),
                Event::Empty(start) => return Element::new(&start, true).map(Some),
                Event::End(_) => return Ok(None),
                Event::Decl(_) | Event::PI(_) | Event::Comment(_) => {}
                Event::Text(text) if text.trim_ascii().is_empty() => {}
                Event::Text(_) | Event::CData(_) | Event::GeneralRef(_) => {
                    return Err(Invalid::new("there is text between the elements; values stand in attributes: <numeric value=\"1,2\"/>"));
                }
                Event::DocType(_) => return Err(Invalid::new("a document type (<!DOCTYPE>) is not accepted")),
                Event::Eof => return Err(Invalid::new("the XML ends before its last element does")),
            }
        }
    }

    fn root(&mut self) -> Result<Element, Invalid> {
        self.next()?.ok_or_else(|| Invalid::new("the XML has no element"))
    }

    /// The next element in `parent`; `None` at its end. A child that is not empty has to be read to its end
    /// before this is called again.
    fn child(&mut self, parent: &Element) -> Result<Option<Element>, Invalid> {
        if parent.is_empty { Ok(None) } else { self.next() }
    }

    /// Skips all that is in `parent`.
    fn skip(&mut self, parent: &Element) -> Result<(), Invalid> {
        if parent.is_empty {
            return Ok(());
        }
        self.reader.read_to_end(QName(&parent.name)).map(drop).map_err(|error| not_xml(&error))
    }

    /// Checks that no element follows the root.
    fn end(&mut self) -> Result<(), Invalid> {
        loop {
            match self.reader.read_event().map_err(|error| not_xml(&error))? {
                Event::Eof => return Ok(()),
                Event::PI(_) | Event::Comment(_) => {}
                Event::Text(text) if text.trim_ascii().is_empty() => {}
                _ => return Err(Invalid::new("something follows the end of the XML")),
            }
        }
    }

    /// The objects in `parent`, with their names.
    fn objects(&mut self, parent: &Element, depth: usize) -> Result<Vec<(Sent<'static>, Input<'static>)>, Invalid> {
        let mut members = Vec::new();
        while let Some(child) = self.child(parent)? {
            members.push(self.object(child, depth)?);
        }
        Ok(members)
    }

    /// An `<robject>`.
    fn object(&mut self, mut element: Element, depth: usize) -> Result<(Sent<'static>, Input<'static>), Invalid> {
        if element.name != "robject" {
            return Err(Invalid::new(format!("there is a <{}> where only <robject> belongs", element.name)));
        }
        let name = element.called.take().unwrap_or_default();
        let input = self.value(&element, depth).map_err(|error| error.within(&name))?;
        Ok((Sent::Owned(name), input))
    }

    fn value(&mut self, element: &Element, depth: usize) -> Result<Input<'static>, Invalid> {
        let kind = element.kind.as_deref().map(Type::named).transpose()?;
        let class = element.class.as_deref().and_then(Class::named);
        let format = element.format.as_deref().filter(|format| !format.trim().is_empty());
        let mut parts = Parts::default();
        while let Some(child) = self.child(element)? {
            if child.name == "robject" {
                model::check_depth(depth)?;
                parts.objects.push(self.object(child, depth + 1)?);
            } else {
                parts.add(&child, kind)?;
                if self.child(&child)?.is_some() {
                    return Err(Invalid::new(format!("there is an element in <{}>, which has to be empty", child.name)));
                }
            }
        }
        let kind = match (kind, &element.value) {
            (Some(kind), _) => kind,
            (None, Some(_)) if parts.is_empty() => Type::Primitive,
            (None, None) if parts.is_empty() => return Err(Invalid::new("this object has neither a type nor a value")),
            (None, _) => parts.infer(),
        };
        if parts.is_empty()
            && let Some(own) = &element.value
        {
            // The class is told by `rclass`, or by a type that names a class by mistake. Without one, elements are text.
            let class = class.or_else(|| Class::named(element.kind.as_deref()?));
            parts.add_own(own, kind, if let Some(Class::Atomic(kind)) = class { kind } else { Kind::Text })?;
        }
        let ordered = match element.ordered.as_deref().map(str::trim) {
            Some("true") => true,
            None | Some("" | "false") => false,
            Some(other) => return Err(Invalid::new(format!("\"ordered\" is true or false, and not {}", shown(other)))),
        };
        parts.into_input(kind, class, format, ordered)
    }
}

/// The children of an object.
#[derive(Debug, Default)]
struct Parts {
    objects: Vec<(Sent<'static>, Input<'static>)>,
    /// Data of vectors and primitives, or the rows of a matrix, each with whether it consists of dates.
    data: Vec<(Column<'static>, bool)>,
    values: Option<Column<'static>>,
    levels: Option<Column<'static>>,
    labels: Option<Column<'static>>,
}

impl Parts {
    fn add(&mut self, child: &Element, kind: Option<Type>) -> Result<(), Invalid> {
        let (elements, is_date) = match child.name.as_str() {
            "numeric" | "integer" => (Kind::Double, false),
            "logical" => (Kind::Logical, false),
            "character" | "values" | "levels" | "labels" => (Kind::Text, false),
            "date" => (Kind::Text, true),
            other => return Err(Invalid::new(format!("there is a <{other}>, which is not an element of this model"))),
        };
        let column = column(elements, child.value.as_deref(), kind)?;
        let place = match child.name.as_str() {
            "values" => &mut self.values,
            "levels" => &mut self.levels,
            "labels" => &mut self.labels,
            _ => {
                self.data.push((column, is_date));
                return Ok(());
            }
        };
        if place.replace(column).is_some() {
            return Err(Invalid::new(format!("<{}> is there twice", child.name)));
        }
        Ok(())
    }

    /// Adds the value of an object that has it as an attribute, and not in a child.
    fn add_own(&mut self, own: &str, kind: Type, elements: Kind) -> Result<(), Invalid> {
        let column = column(elements, Some(own), Some(kind))?;
        if kind == Type::Factor {
            self.values = Some(column);
        } else {
            self.data.push((column, kind == Type::Date));
        }
        Ok(())
    }

    fn is_empty(&self) -> bool {
        self.objects.is_empty() && self.data.is_empty() && self.values.is_none()
    }

    /// The type of an object that does not tell its type.
    fn infer(&self) -> Type {
        match (self.data.len(), &self.values) {
            (_, Some(_)) => Type::Factor,
            (0, None) => Type::List,
            (1, None) => Type::Vector,
            _ => Type::Matrix,
        }
    }

    fn into_input(mut self, kind: Type, class: Option<Class>, format: Option<&str>, ordered: bool) -> Result<Input<'static>, Invalid> {
        let is_list = matches!(kind, Type::List | Type::DataFrame);
        if !is_list && !self.objects.is_empty() {
            return Err(Invalid::new("there is an <robject> in a value that is neither a list nor a data frame"));
        }
        if is_list && !(self.data.is_empty() && self.values.is_none()) {
            return Err(Invalid::new("the elements of a list, and the columns of a data frame, are each an <robject>"));
        }
        if kind != Type::Factor && (self.values.is_some() || self.levels.is_some() || self.labels.is_some()) {
            return Err(Invalid::new("only a factor has <values>, <levels> and <labels>"));
        }
        match kind {
            Type::Primitive if self.data.is_empty() => Ok(Input::Null),
            Type::Primitive | Type::Vector | Type::Atomic | Type::Date => {
                let (Some((column, is_date)), true) = (self.data.pop(), self.data.is_empty()) else {
                    return Err(Invalid::new(
                        "a value that is not a matrix has one element with its data, such as <numeric value=\"1,2\"/>",
                    ));
                };
                if is_date || kind == Type::Date {
                    return model::dates(&column, class, format);
                }
                if kind == Type::Primitive && column.len() != 1 {
                    return Err(Invalid::new("a primitive has one value; use the type vector"));
                }
                model::vector(column, class, format)
            }
            Type::Factor => {
                let values = self.values.ok_or_else(|| Invalid::new("a factor has its data in <values value=\"a,b\"/>"))?;
                model::factor(values, self.levels, self.labels, ordered)
            }
            Type::Matrix => model::matrix(self.data.into_iter().map(|(column, _)| column).collect()),
            Type::List => model::check_names(&self.objects).map(|()| Input::List(self.objects)),
            Type::DataFrame => model::data_frame(self.objects),
        }
    }
}

/// The elements of an attribute. Without the attribute, there are none.
fn column(elements: Kind, value: Option<&str>, kind: Option<Type>) -> Result<Column<'static>, Invalid> {
    model::checked(match (value, kind) {
        (None, _) => Column::missing(0, elements),
        (Some(text), Some(Type::Primitive)) => items::single(elements, text)?,
        // A type that names a class may mean one string or several. It is taken for one, which may contain commas.
        (Some(text), Some(Type::Atomic)) if elements == Kind::Text => items::single(elements, text)?,
        (Some(text), _) => items::column(elements, text)?,
    })
}
