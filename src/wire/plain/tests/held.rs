//! A value that stands in for one in R's memory.

use crate::wire::{
    Class, Shape, Storage, Text, Value,
    jsonlite::{Question, RObject, Type},
    typed::input::{Column, Input, Sent},
};

/// A value in memory, as R has it.
#[derive(Debug, Clone)]
pub(super) struct Held {
    pub(super) made_of: Type,
    pub(super) integers: Vec<i32>,
    pub(super) doubles: Vec<f64>,
    pub(super) texts: Vec<Option<String>>,
    pub(super) items: Vec<Held>,
    pub(super) bytes: Vec<u8>,
    pub(super) names: Option<Vec<String>>,
    pub(super) levels: Vec<String>,
    pub(super) dimensions: Vec<i32>,
    pub(super) classes: Vec<&'static str>,
}

impl Held {
    pub(super) fn new(made_of: Type) -> Self {
        Self {
            made_of,
            integers: vec![],
            doubles: vec![],
            texts: vec![],
            items: vec![],
            bytes: vec![],
            names: None,
            levels: vec![],
            dimensions: vec![],
            classes: vec![],
        }
    }

    pub(super) fn integers(all: &[i32]) -> Self {
        Self { integers: all.to_vec(), ..Self::new(Type::Integer) }
    }

    pub(super) fn doubles(all: &[f64]) -> Self {
        Self { doubles: all.to_vec(), ..Self::new(Type::Double) }
    }

    pub(super) fn logicals(all: &[i32]) -> Self {
        Self { integers: all.to_vec(), ..Self::new(Type::Logical) }
    }

    pub(super) fn texts(all: &[Option<&str>]) -> Self {
        Self { texts: all.iter().map(|text| text.map(str::to_owned)).collect(), ..Self::new(Type::Character) }
    }

    pub(super) fn list(items: Vec<Held>) -> Self {
        Self { items, ..Self::new(Type::List) }
    }

    pub(super) fn named(names: &[&str], items: Vec<Held>) -> Self {
        Self { names: Some(names.iter().map(|&name| name.to_owned()).collect()), ..Self::list(items) }
    }

    pub(super) fn class(self, classes: &[&'static str]) -> Self {
        Self { classes: classes.to_vec(), ..self }
    }

    pub(super) fn dimensions(self, dimensions: &[i32]) -> Self {
        Self { dimensions: dimensions.to_vec(), ..self }
    }

    /// What the builder of R's values makes of an input.
    pub(super) fn of(input: &Input<'_>) -> Self {
        let column = |column: &Column<'_>| match column {
            Column::Logical(all) => Self::logicals(all),
            Column::Double(all) => Self::doubles(all),
            Column::Text(all) => Self::texts(&all.iter().map(Option::as_deref).collect::<Vec<_>>()),
        };
        let members = |members: &[(Sent<'_>, Input<'_>)]| {
            let named = members.iter().any(|(name, _)| !name.is_empty());
            let names = named.then(|| members.iter().map(|(name, _)| name.to_string()).collect());
            Self { names, ..Self::list(members.iter().map(|(_, input)| Self::of(input)).collect()) }
        };
        match input {
            Input::Vector(elements) => column(elements),
            Input::Integers(elements) => Self::integers(elements),
            Input::Matrix { rows, columns, elements } => {
                column(elements).dimensions(&[i32::try_from(*rows).unwrap(), i32::try_from(*columns).unwrap()])
            }
            Input::List(all) => members(all),
            Input::DataFrame(all) => members(all).class(&["data.frame"]),
            other => panic!("plain JSON is never read as {other:?}"),
        }
    }
}

/// A view of a value, without so many of its classes.
#[derive(Debug, Clone, Copy)]
pub(super) struct View<'a>(pub(super) &'a Held, pub(super) usize);

impl<'a> Value<'a> for View<'a> {
    type Held = &'a Option<String>;

    fn storage(self) -> Storage {
        Storage::Other
    }

    fn len(self) -> usize {
        match self.0.made_of {
            Type::Logical | Type::Integer => self.0.integers.len(),
            Type::Double => self.0.doubles.len(),
            Type::Character => self.0.texts.len(),
            Type::List => self.0.items.len(),
            Type::Raw => self.0.bytes.len(),
            Type::Null => 0,
            _ => 1,
        }
    }

    fn shape(self) -> Shape {
        Shape::Vector
    }

    fn class(self) -> Class {
        Class::Other
    }

    fn class_name(self) -> Text<'a> {
        Text::of(self.0.classes.first().copied().unwrap_or(if self.0.made_of.is_function() { "function" } else { "list" }))
    }

    fn integers(self, from: usize, to: usize, mut each: impl FnMut(&[i32])) {
        each(&self.0.integers[from..to]);
    }

    fn doubles(self, from: usize, to: usize, mut each: impl FnMut(&[f64])) {
        each(&self.0.doubles[from..to]);
    }

    fn string(self, at: usize) -> Text<'a> {
        self.0.texts[at].as_deref().map_or(Text::Na, Text::of)
    }

    fn held_strings(self) -> Option<&'a [Self::Held]> {
        None
    }

    fn text(held: Self::Held) -> Text<'a> {
        held.as_deref().map_or(Text::Na, Text::of)
    }

    fn item(self, at: usize) -> Self {
        self.element(at)
    }

    fn is_named(self) -> bool {
        self.0.names.is_some()
    }

    fn name(self, at: usize) -> Text<'a> {
        self.0.names.as_ref().map_or(Text::Na, |names| Text::of(&names[at]))
    }

    fn levels(self) -> usize {
        self.0.levels.len()
    }

    fn level(self, at: usize) -> Text<'a> {
        Text::of(&self.0.levels[at])
    }

    fn time_zone(self) -> Text<'a> {
        Text::Na
    }
}

impl<'a> RObject<'a> for View<'a> {
    fn type_of(self) -> Type {
        self.0.made_of
    }

    fn is_s4(self) -> bool {
        self.0.made_of == Type::S4
    }

    fn classes(self) -> usize {
        self.0.classes.len().saturating_sub(self.1)
    }

    fn class_at(self, at: usize) -> Text<'a> {
        Text::of(self.0.classes[self.1 + at])
    }

    fn without_classes(self, count: usize) -> Self {
        Self(self.0, self.1 + count)
    }

    fn first_superclass(self, _: &[&str]) -> Option<usize> {
        None
    }

    fn dimensions(self) -> &'a [i32] {
        &self.0.dimensions
    }

    fn element(self, at: usize) -> Self {
        Self(&self.0.items[at], 0)
    }

    fn row_names(self) -> Self {
        self
    }

    fn held_doubles(self) -> Option<&'a [f64]> {
        None
    }

    fn held_integers(self) -> Option<&'a [i32]> {
        None
    }

    fn bytes(self) -> &'a [u8] {
        &self.0.bytes
    }

    fn symbol(self) -> Text<'a> {
        Text::Na
    }

    fn ask(self, _: Question) -> Option<Self> {
        None
    }
}
