//! The view that the rules of jsonlite have of a value, beyond that of the type model.

use crate::wire::{Text, Value};

/// R's `typeof()`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Type {
    /// `NULL`.
    Null,
    /// A name. The one that is empty stands for a missing argument.
    Symbol,
    /// A linked list.
    Pairlist,
    /// A function written in R.
    Closure,
    /// An environment.
    Environment,
    /// A call.
    Language,
    /// A function built into R that evaluates its arguments itself.
    Special,
    /// A function built into R.
    Builtin,
    /// Truth values.
    Logical,
    /// 32-bit integers.
    Integer,
    /// Doubles.
    Double,
    /// Complex numbers.
    Complex,
    /// Strings.
    Character,
    /// A list.
    List,
    /// Parsed code.
    Expression,
    /// A pointer of C code.
    ExternalPointer,
    /// Bytes.
    Raw,
    /// An S4 object that has nothing but slots.
    S4,
    /// Any other type, with its name.
    Other(&'static str),
}

impl Type {
    /// The type's name in R.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Null => "NULL",
            Self::Symbol => "symbol",
            Self::Pairlist => "pairlist",
            Self::Closure => "closure",
            Self::Environment => "environment",
            Self::Language => "language",
            Self::Special => "special",
            Self::Builtin => "builtin",
            Self::Logical => "logical",
            Self::Integer => "integer",
            Self::Double => "double",
            Self::Complex => "complex",
            Self::Character => "character",
            Self::List => "list",
            Self::Expression => "expression",
            Self::ExternalPointer => "externalptr",
            Self::Raw => "raw",
            Self::S4 => "S4",
            Self::Other(name) => name,
        }
    }

    /// Whether values of this type are functions.
    #[must_use]
    pub fn is_function(self) -> bool {
        matches!(self, Self::Closure | Self::Special | Self::Builtin)
    }

    /// Whether values of this type are vectors that hold no other values.
    #[must_use]
    pub fn is_atomic(self) -> bool {
        matches!(self, Self::Logical | Self::Integer | Self::Double | Self::Complex | Self::Character | Self::Raw)
    }
}

/// A question about a value that R has to be asked, since the value's memory does not tell. The answer is a value again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Question {
    /// `as.character(x)`.
    Text,
    /// `format(x)`, of dates and moments.
    Format,
    /// Broken-down times (`POSIXlt`) as counts of seconds.
    Moments,
    /// `as.character()` of the class `hms`, with missing values left missing.
    TimeOfDay,
    /// Bytes as hexadecimal strings.
    Hexadecimal,
    /// Complex numbers as strings, with 8 significant digits.
    Complex,
    /// The source lines of a function.
    Deparse,
    /// The source lines of a call.
    DeparseCall,
    /// The source lines of the first expression.
    DeparseFirst,
    /// The elements of a pairlist, or a function's arguments and body, as a list.
    List,
    /// The data frame with its row names as one more column.
    RowNames,
    /// Spatial features as lists.
    Geometry,
    /// The attributes as a list, or NULL.
    Attributes,
    /// The slots of an S4 object as a list.
    Slots,
    /// The slots of a class definition as a list.
    ClassSlots,
    /// The class of an S4 object, and the package that defines it.
    S4Class,
    /// The name and version of a namespace; NULL for any other environment.
    Namespace,
    /// The bytes of `serialize(x, NULL)`.
    Serialized,
}

/// A value as jsonlite's rules look at it.
///
/// The rules try one class after the other, so the first classes can be left out: see [`RObject::without_classes`].
pub trait RObject<'a>: Value<'a> {
    /// R's type of the value.
    fn type_of(self) -> Type;
    /// Whether it is an S4 object.
    fn is_s4(self) -> bool;
    /// Number of its classes, without those that are left out.
    fn classes(self) -> usize;
    /// One of these classes.
    fn class_at(self, at: usize) -> Text<'a>;
    /// The same value, with so many more of the first classes left out.
    #[must_use]
    fn without_classes(self, count: usize) -> Self;
    /// The first superclass of its first class, in R's order, that is one of `among`. S3 classes have superclasses if they
    /// are registered. `None` when there is none, or R does not know the class.
    fn first_superclass(self, among: &[&str]) -> Option<usize>;
    /// The dimensions; empty when it has none.
    fn dimensions(self) -> &'a [i32];
    /// One element of a list, as it is.
    #[must_use]
    fn element(self, at: usize) -> Self;
    /// The row names of a data frame: strings or integers.
    #[must_use]
    fn row_names(self) -> Self;
    /// The memory of a vector of doubles, if it is one and has any.
    fn held_doubles(self) -> Option<&'a [f64]>;
    /// The memory of a logical or integer vector, if it is one and has any.
    fn held_integers(self) -> Option<&'a [i32]>;
    /// The bytes of a raw vector.
    fn bytes(self) -> &'a [u8];
    /// The name of a symbol.
    fn symbol(self) -> Text<'a>;
    /// R's answer to a question; `None` when R fails.
    fn ask(self, question: Question) -> Option<Self>;
}
