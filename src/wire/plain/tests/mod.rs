//! Plain JSON in both directions. Values of R are stood in for by [`held::Held`].

mod held;
mod round_trips;

use held::{Held, View};

use super::{
    Kind, Parameter, input,
    output::{self, Scratch},
};
use crate::wire::{
    Out,
    jsonlite::Type,
    typed::input::{Column, Input, NA_REAL, Sent},
    value::NA_INTEGER,
};

fn written_as(held: &Held, kind: Option<Kind>) -> Result<String, String> {
    let (mut out, mut scratch) = (Out::new(), Scratch::default());
    match output::write(&mut out, &mut scratch, View(held, 0), kind) {
        Ok(()) => Ok(String::from_utf8(out.finish().unwrap()).unwrap()),
        Err(output::Unwritable) => Err(scratch.told()),
    }
}

#[track_caller]
fn written(held: &Held) -> String {
    written_as(held, None).unwrap()
}

/// The value of `x`.
fn read_as(json: &str, kind: Option<Kind>) -> Result<Input<'static>, String> {
    let declared = kind.map(|kind| vec![Parameter { name: "x".to_owned(), kind }]);
    let sent: &'static str = format!("{{\"x\":{json}}}").leak();
    let mut inputs = input::read(sent.as_bytes(), declared.as_deref()).map_err(|unfit| unfit.to_string())?;
    Ok(inputs.members.remove(0).1)
}

#[track_caller]
fn read(json: &str) -> Input<'static> {
    read_as(json, None).unwrap()
}

fn numbers(all: &[f64]) -> Input<'static> {
    Input::Vector(Column::Double(all.to_vec()))
}

fn texts(all: &[Option<&'static str>]) -> Input<'static> {
    Input::Vector(Column::Text(all.iter().map(|text| text.map(Sent::from)).collect()))
}

fn logicals(all: &[i32]) -> Input<'static> {
    Input::Vector(Column::Logical(all.to_vec()))
}

/// Equal, where a NaN is equal to itself.
#[track_caller]
fn same(one: &Input<'_>, other: &Input<'_>) {
    assert_eq!(format!("{one:?}"), format!("{other:?}"));
}

#[test]
fn values_are_written_without_their_types() {
    let frame = Held::named(&["hp", "name"], vec![Held::doubles(&[110.0]), Held::texts(&[None])]).class(&["data.frame"]);
    let factor = Held { levels: vec!["u".to_owned(), "v".to_owned()], ..Held::integers(&[2, NA_INTEGER, 1]).class(&["factor"]) };
    for (held, expected) in [
        (Held::doubles(&[0.64]), "0.64"),
        (Held::doubles(&[0.1 + 0.2, 1e22, -0.0, 5e-324]), "[0.30000000000000004,1e+22,-0,5e-324]"),
        (Held::doubles(&[NA_REAL, f64::NAN, f64::INFINITY, f64::NEG_INFINITY]), r#"[null,null,"Inf","-Inf"]"#),
        (Held::doubles(&[]), "[]"),
        (Held::integers(&[1, NA_INTEGER]), "[1,null]"),
        (Held::logicals(&[1]), "true"),
        (Held::texts(&[Some("a\"b"), None]), r#"["a\"b",null]"#),
        (Held::doubles(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]).dimensions(&[2, 3]), "[[1,3,5],[2,4,6]]"),
        (Held::doubles(&[1.0]).dimensions(&[1, 1]), "[[1]]"),
        (Held::doubles(&[]).dimensions(&[0, 2]), "[]"),
        (Held::doubles(&[]).dimensions(&[2, 0]), "[[],[]]"),
        (Held::integers(&[1, 2, 3, 4, 5, 6, 7, 8]).dimensions(&[2, 2, 2]), "[[[1,5],[3,7]],[[2,6],[4,8]]]"),
        (frame.clone(), r#"{"hp":[110],"name":[null]}"#),
        (frame.class(&["tbl_df", "tbl", "data.frame"]), r#"{"hp":[110],"name":[null]}"#),
        (Held::named(&["a"], vec![Held::logicals(&[])]).class(&["data.frame"]), r#"{"a":[]}"#),
        (Held::named(&[], vec![]).class(&["data.frame"]), "{}"),
        (factor, r#"["v",null,"u"]"#),
        (Held::doubles(&[17_125.0]).class(&["Date"]), r#""2016-11-20""#),
        (
            Held::doubles(&[1_479_665_709.0, 0.5, NA_REAL]).class(&["POSIXct", "POSIXt"]),
            r#"["2016-11-20T18:15:09Z","1970-01-01T00:00:00.5Z",null]"#,
        ),
        (Held::doubles(&[1.5]).class(&["difftime"]), "1.5"),
        (Held::integers(&[3, 4]).dimensions(&[2]).class(&["table"]), "[3,4]"),
        (
            Held::doubles(&[f64::from_bits(i64::MAX.cast_unsigned()), f64::from_bits(i64::MIN.cast_unsigned())]).class(&["integer64"]),
            "[9223372036854775807,null]",
        ),
        (Held { bytes: vec![0; 60], ..Held::new(Type::Raw) }, &format!("\"{}\"", "A".repeat(80))),
        (Held::new(Type::Null), "null"),
        (Held::list(vec![]), "[]"),
        (Held::list(vec![Held::doubles(&[1.0]), Held::texts(&[Some("a"), Some("b")])]), r#"[1,["a","b"]]"#),
        (Held::named(&["a", ""], vec![Held::new(Type::Null), Held::list(vec![])]), r#"{"a":null,"2":[]}"#),
        (Held::named(&["d"], vec![Held::named(&["a"], vec![Held::integers(&[1])]).class(&["data.frame"])]), r#"{"d":{"a":[1]}}"#),
    ] {
        assert_eq!(written(&held), expected);
    }
}

#[test]
fn what_has_no_plain_form_is_told() {
    let model = Held::named(&["a"], vec![]).class(&["lm"]);
    assert_eq!(written_as(&model, None).unwrap_err(), r#"is of class "lm": there is no JSON form for its class"#);
    assert_eq!(
        written_as(&Held::list(vec![Held::doubles(&[1.0]), Held::list(vec![model])]), None).unwrap_err(),
        r#"has an element of class "lm": there is no JSON form for its class"#
    );
    assert_eq!(written_as(&Held::new(Type::Closure), None).unwrap_err(), r#"is of class "function": there is no JSON form for its class"#);
    for made_of in [Type::Environment, Type::S4, Type::Language, Type::Symbol, Type::ExternalPointer] {
        assert!(written_as(&Held::new(made_of), None).is_err(), "{made_of:?}");
    }
    assert!(written_as(&Held::doubles(&[1.0]).dimensions(&[2, 2]), None).is_err());
}

#[test]
fn lists_are_nested_as_deep_in_both_directions() {
    let nested = |depth: usize| (0..depth).fold(Held::doubles(&[1.0]), |inner, _| Held::named(&["a"], vec![inner]));
    let json = written(&nested(32));
    same(&read(&json), &read(&json));
    assert_eq!(written(&Held::of(&read(&json))), json);
    assert_eq!(written_as(&nested(33), None).unwrap_err(), r#"has an element of class "list": it is nested too deeply"#);
    let deep = format!("{}1{}", "{\"a\":".repeat(33), "}".repeat(33));
    assert!(read_as(&deep, None).unwrap_err().ends_with(" cannot be taken: lists are nested deeper than 32 levels."));
}

#[test]
fn outputs_are_of_the_kind_that_is_declared() {
    let one = Held::doubles(&[1.0]);
    let text = Held::texts(&[Some("a")]);
    let frame = Held::named(&["a"], vec![one.clone()]).class(&["data.frame"]);
    for (held, kind, expected) in [
        (&one, Kind::Vector, "[1]"),
        (&one, Kind::Numeric, "1"),
        (&one, Kind::Integer, "1"),
        (&Held::integers(&[1]), Kind::Numeric, "1"),
        (&one.clone().dimensions(&[1, 1]), Kind::Numeric, "1"),
        (&one.clone().dimensions(&[1, 1]), Kind::Matrix, "[[1]]"),
        (&Held::logicals(&[NA_INTEGER]), Kind::Numeric, "null"),
        (&Held::logicals(&[0]), Kind::Logical, "false"),
        (&text, Kind::Character, "\"a\""),
        (&Held::doubles(&[0.0]).class(&["Date"]), Kind::Character, "\"1970-01-01\""),
        (&Held::new(Type::Null), Kind::Vector, "[]"),
        (&Held::named(&["a"], vec![one.clone()]), Kind::Vector, "[1]"),
        (&frame, Kind::DataFrame, r#"{"a":[1]}"#),
    ] {
        assert_eq!(written_as(held, Some(kind)).unwrap(), expected, "{kind:?}");
    }
    for (held, kind, expected) in [
        (&text, Kind::Numeric, "has to be numeric, and is a character vector"),
        (&one, Kind::Character, "has to be character, and is a numeric vector"),
        (&one, Kind::Matrix, "has to be a matrix, and is a numeric vector"),
        (&one, Kind::DataFrame, "has to be a data frame, and is a numeric vector"),
        (&Held::doubles(&[1.5]), Kind::Integer, "has to be integer, and is a numeric vector"),
        (&Held::logicals(&[1]), Kind::Numeric, "has to be numeric, and is a logical vector"),
        (&Held::integers(&[1]), Kind::Logical, "has to be logical, and is an integer vector"),
        (&Held::new(Type::Null), Kind::Numeric, "has to be numeric, and is NULL"),
        (&frame, Kind::Vector, "has to be a vector, and is a data frame"),
        (&frame, Kind::Numeric, "has to be numeric, and is a data frame"),
        (&Held::list(vec![]), Kind::Character, "has to be character, and is a list"),
    ] {
        assert_eq!(written_as(held, Some(kind)).unwrap_err(), expected);
    }
}

#[test]
fn values_are_read_as_what_they_are() {
    let list = |items: Vec<Input<'static>>| Input::List(items.into_iter().map(|item| (Sent::default(), item)).collect());
    let matrix = |rows, columns, elements| Input::Matrix { rows, columns, elements };
    for (json, expected) in [
        ("120", numbers(&[120.0])),
        ("true", logicals(&[1])),
        ("\"a\"", texts(&[Some("a")])),
        ("null", logicals(&[NA_INTEGER])),
        ("[]", logicals(&[])),
        ("[null,null]", logicals(&[NA_INTEGER; 2])),
        ("[1,null]", numbers(&[1.0, NA_REAL])),
        (r#"[1,"Inf",null,"-Inf"]"#, numbers(&[1.0, f64::INFINITY, NA_REAL, f64::NEG_INFINITY])),
        (r#"["a",null]"#, texts(&[Some("a"), None])),
        (r#"["Inf"]"#, texts(&[Some("Inf")])),
        (r#"[1,"a"]"#, list(vec![numbers(&[1.0]), texts(&[Some("a")])])),
        ("[[1,2],[3,4]]", matrix(2, 2, Column::Double(vec![1.0, 3.0, 2.0, 4.0]))),
        (r#"[[1],["Inf"],[null]]"#, matrix(3, 1, Column::Double(vec![1.0, f64::INFINITY, NA_REAL]))),
        ("[[],[]]", matrix(2, 0, Column::Logical(vec![]))),
        ("[[1,2],[3]]", list(vec![numbers(&[1.0, 2.0]), numbers(&[3.0])])),
        (r#"[[1],["a"]]"#, list(vec![numbers(&[1.0]), texts(&[Some("a")])])),
        (r#"{"a":[1],"b":["u"]}"#, Input::DataFrame(vec![("a".into(), numbers(&[1.0])), ("b".into(), texts(&[Some("u")]))])),
        (r#"{"a":[]}"#, Input::DataFrame(vec![("a".into(), logicals(&[]))])),
        (r#"{"a":[1],"b":[1,2]}"#, Input::List(vec![("a".into(), numbers(&[1.0])), ("b".into(), numbers(&[1.0, 2.0]))])),
        (r#"{"a":1}"#, Input::List(vec![("a".into(), numbers(&[1.0]))])),
        ("{}", Input::List(vec![])),
    ] {
        same(&read(json), &expected);
    }
}

#[test]
fn inputs_are_of_the_kind_that_is_declared() {
    let frame = |columns: Vec<(&'static str, Input<'static>)>| {
        Input::DataFrame(columns.into_iter().map(|(name, column)| (name.into(), column)).collect())
    };
    for (json, kind, expected) in [
        ("1.0", Kind::Integer, Input::Integers(vec![1])),
        ("[-2147483647,null,2147483647]", Kind::Integer, Input::Integers(vec![-i32::MAX, NA_INTEGER, i32::MAX])),
        ("[]", Kind::Integer, Input::Integers(vec![])),
        ("[]", Kind::Character, texts(&[])),
        ("null", Kind::Numeric, numbers(&[NA_REAL])),
        ("\"-Inf\"", Kind::Numeric, numbers(&[f64::NEG_INFINITY])),
        (r#"["Inf"]"#, Kind::Numeric, numbers(&[f64::INFINITY])),
        ("[true,null]", Kind::Logical, logicals(&[1, NA_INTEGER])),
        (r#""Inf""#, Kind::Character, texts(&[Some("Inf")])),
        ("1", Kind::Vector, numbers(&[1.0])),
        ("[[1]]", Kind::Matrix, Input::Matrix { rows: 1, columns: 1, elements: Column::Double(vec![1.0]) }),
        ("[]", Kind::Matrix, Input::Matrix { rows: 0, columns: 0, elements: Column::Logical(vec![]) }),
        (r#"{"a":1,"b":"u"}"#, Kind::DataFrame, frame(vec![("a", numbers(&[1.0])), ("b", texts(&[Some("u")]))])),
        (
            r#"[{"a":1,"b":"u"},{"b":null,"a":2}]"#,
            Kind::DataFrame,
            frame(vec![("a", numbers(&[1.0, 2.0])), ("b", texts(&[Some("u"), None]))]),
        ),
        ("{}", Kind::DataFrame, frame(vec![])),
        ("[]", Kind::DataFrame, frame(vec![])),
    ] {
        same(&read_as(json, Some(kind)).unwrap(), &expected);
    }
    for (json, kind, expected) in [
        (r#"["a"]"#, Kind::Numeric, "has to be numeric, and an array of strings came."),
        ("true", Kind::Numeric, "has to be numeric, and a logical value came."),
        ("1.5", Kind::Integer, "has to be integer, and 1.5 came."),
        ("[1,2147483648]", Kind::Integer, "has to be integer, and 2147483648, which is no integer of 32 bits, came."),
        ("-2147483648", Kind::Integer, "has to be integer, and -2147483648, which is no integer of 32 bits, came."),
        ("\"Inf\"", Kind::Integer, "has to be integer, and a number that is not finite came."),
        ("1", Kind::Logical, "has to be logical, and a number came."),
        ("1", Kind::Character, "has to be character, and a number came."),
        (r#"[1,"a"]"#, Kind::Vector, "has to be a vector, and an array of several types came."),
        ("[[1]]", Kind::Numeric, "has to be numeric, and an array of arrays came."),
        ("[1,2]", Kind::Matrix, "has to be a matrix, and an array of numbers came."),
        ("[[1],[2,3]]", Kind::Matrix, "has to be a matrix, and an array of arrays that are not of one length and one type came."),
        ("[1]", Kind::DataFrame, "has to be a data frame, and an array of numbers came."),
        (r#"{"a":[1,"b"]}"#, Kind::DataFrame, r#"has to be a data frame, and an array of several types as the column "a" came."#),
        (
            r#"[{"a":1},{"b":1}]"#,
            Kind::DataFrame,
            "has to be a data frame, and an array in which element 2 has other names than the first came.",
        ),
    ] {
        assert_eq!(read_as(json, Some(kind)).unwrap_err(), format!("The parameter \"x\" {expected}"));
    }
    assert_eq!(
        read_as(r#"{"a":[1,2],"b":[1]}"#, Some(Kind::DataFrame)).unwrap_err(),
        r#"The parameter "x.b" cannot be taken: this column is of length 1, and "a" of length 2; the columns of a data frame are of one length."#
    );
    // A name that is there twice, so that another is not.
    assert!(read_as(r#"[{"a":1,"b":1},{"a":1,"a":1},{"b":1,"b":1}]"#, Some(Kind::DataFrame)).is_err());
    assert!(read_as(r#"[{"a":1,"a":1}]"#, Some(Kind::DataFrame)).is_err());
}

fn refused(json: &str, declared: &[(&str, Kind)]) -> String {
    let declared: Vec<_> = declared.iter().map(|&(name, kind)| Parameter { name: name.to_owned(), kind }).collect();
    let declared = (!declared.is_empty()).then_some(declared.as_slice());
    input::read(json.as_bytes(), declared).unwrap_err().to_string()
}

#[test]
fn inputs_are_those_that_are_declared() {
    let declared = [("hp", Kind::Numeric), ("wt", Kind::Numeric)];
    assert_eq!(refused(r#"{"hp":1}"#, &declared), r#"The parameter "wt" is missing."#);
    assert_eq!(refused("", &declared), r#"The parameters "hp", "wt" are missing."#);
    assert_eq!(refused(r#"{"hp":1,"wt":2,"qsec":3}"#, &declared), r#"There is no parameter "qsec": there is "hp", "wt"."#);
    assert_eq!(
        refused(r#"{"a":1,"a":2}"#, &[]),
        r#"The inputs cannot be taken: the name "a" is there twice; give each value a name of its own."#
    );
    assert_eq!(refused(r#"{"":1}"#, &[]), "The inputs cannot be taken: a value has no name; every value needs one to be bound to.");
    assert_eq!(refused("[1]", &[]), r#"The inputs have to be an object, such as {"x":1}, and an array of numbers came."#);
    assert_eq!(refused(r#"[{"name":"a"}]"#, &[]), r#"The parameter "a" cannot be taken: element 1 has no value."#);
    assert_eq!(
        refused(r#"{"a":"b\u0000"}"#, &[]),
        r#"The parameter "a" cannot be taken: element 1 has a NUL character (\u0000), which R's strings cannot have."#
    );
    assert!(refused("{", &[]).starts_with("The inputs cannot be taken: this is not JSON (EOF while parsing"));
}

#[test]
fn pairs_are_the_same_as_members() {
    let members = input::read(br#"{"a":1,"inputs":{"b":"c"}}"#, None).unwrap();
    let pairs = br#"[{"name":"a","value":1,"type":"numeric"},{"value":{"b":"c"},"name":"inputs"}]"#;
    assert_eq!(members, input::read(pairs, None).unwrap());
    for none in ["", "{}", "[]", "null"] {
        assert!(input::read(none.as_bytes(), None).unwrap().members.is_empty());
        assert!(input::read(none.as_bytes(), Some(&[])).unwrap().members.is_empty());
    }
}

#[test]
fn integers_that_no_double_holds_are_refused() {
    for (json, is_held) in [
        ("9007199254740992", true),
        ("9007199254740993", false),
        ("-9007199254740993", false),
        ("1152921504606846976", true),
        // The same double, in the digits in which it is written.
        ("1152921504606847000", true),
        ("1152921504606846977", false),
        ("9223372036854775807", false),
        ("0.12345678901234567890", true),
        ("1e300", true),
    ] {
        let read = read_as(&format!("[1,{json}]"), None);
        assert_eq!(read.is_ok(), is_held, "{json}");
        if let Err(sentence) = read {
            let expected =
                format!("The parameter \"x\" cannot be taken: the integer {json} is too large to be held exactly; send it as a string.");
            assert_eq!(sentence, expected);
        }
    }
}

#[test]
fn kinds_have_their_names() {
    for name in ["logical", "numeric", "integer", "character", "vector", "matrix", "data.frame"] {
        let kind = Kind::parse(name).unwrap();
        assert_eq!(kind.name(), name);
        assert_eq!(serde_json::to_string(&kind).unwrap(), format!("\"{name}\""));
    }
    assert_eq!((Kind::parse("dataframe"), Kind::parse("list")), (Some(Kind::DataFrame), None));
}
