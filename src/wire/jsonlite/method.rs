//! Finds the method by which jsonlite writes a value.
//!
//! jsonlite dispatches by S4, on the first class alone. If there is no method for that class or for one of its
//! superclasses, it tries the next class. S3 classes have superclasses as well if they are registered, so R may have to be
//! asked.

use super::object::{RObject, Type};

/// A method of jsonlite's generic `asJSON`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::wire) enum Method {
    Array,
    AsIs,
    Blob,
    Character,
    ClassDefinition,
    Complex,
    DataFrame,
    Date,
    Factor,
    Function,
    Integer64,
    Json,
    List,
    Logical,
    Null,
    Numeric,
    Pairlist,
    Moment,
    Raw,
    Scalar,
    Geometry,
    Text,
    TimeOfDay,
    TimeSeries,
    /// The method for anything that has no other.
    Any,
}

/// The classes that have a method.
const METHODS: [(&str, Method); 28] = [
    ("AsIs", Method::AsIs),
    ("Date", Method::Date),
    ("ITime", Method::Text),
    ("NULL", Method::Null),
    ("POSIXt", Method::Moment),
    ("array", Method::Array),
    ("blob", Method::Blob),
    ("character", Method::Character),
    ("classRepresentation", Method::ClassDefinition),
    ("complex", Method::Complex),
    ("data.frame", Method::DataFrame),
    ("factor", Method::Factor),
    ("function", Method::Function),
    ("hms", Method::TimeOfDay),
    ("integer64", Method::Integer64),
    ("json", Method::Json),
    ("list", Method::List),
    ("logical", Method::Logical),
    ("matrix", Method::Array),
    ("numeric", Method::Numeric),
    ("pairlist", Method::Pairlist),
    ("raw", Method::Raw),
    ("scalar", Method::Scalar),
    ("sfc", Method::Geometry),
    ("ts", Method::TimeSeries),
    // These have the method of a superclass, in each version of R. They are so frequent that we do not ask R.
    ("POSIXct", Method::Moment),
    ("POSIXlt", Method::Moment),
    ("ordered", Method::Factor),
];

/// The method for the first class of a value.
pub(in crate::wire) fn method<'a, V: RObject<'a>>(value: V) -> Method {
    if value.classes() == 0 {
        return implicit(value);
    }
    let class = value.class_at(0).bytes();
    if let Some((_, method)) = METHODS.iter().find(|(name, _)| name.as_bytes() == class) {
        return *method;
    }
    value.first_superclass(&METHODS.map(|(name, _)| name)).map_or(Method::Any, |at| METHODS[at].1)
}

/// The method for a value without a class attribute.
fn implicit<'a, V: RObject<'a>>(value: V) -> Method {
    if !value.dimensions().is_empty() {
        return Method::Array;
    }
    match value.type_of() {
        Type::Null => Method::Null,
        Type::Logical => Method::Logical,
        Type::Integer | Type::Double => Method::Numeric,
        Type::Complex => Method::Complex,
        Type::Character => Method::Character,
        Type::Raw => Method::Raw,
        Type::List => Method::List,
        Type::Pairlist => Method::Pairlist,
        Type::Closure | Type::Special | Type::Builtin => Method::Function,
        _ => Method::Any,
    }
}

/// The value without its first class, as R's `class(x) <- class(x)[-1]` leaves it. If the one class that is left is only
/// the name of the value's type, R takes that away, too. `None` where R refuses: the value is not of that type.
pub(in crate::wire) fn without_class<'a, V: RObject<'a>>(value: V) -> Option<V> {
    let rest = value.without_classes(1);
    if rest.classes() != 1 {
        return Some(rest);
    }
    let made_of = rest.type_of();
    let fits = match rest.class_at(0).bytes() {
        b"numeric" => matches!(made_of, Type::Integer | Type::Double),
        b"function" => made_of.is_function(),
        b"matrix" => rest.dimensions().len() == 2,
        b"array" => !rest.dimensions().is_empty(),
        name if name == made_of.name().as_bytes() => true,
        b"logical" | b"integer" | b"double" | b"complex" | b"character" | b"raw" | b"list" | b"expression" | b"environment" => false,
        _ => return Some(rest),
    };
    fits.then(|| rest.without_classes(1))
}
