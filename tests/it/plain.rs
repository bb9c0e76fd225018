//! Plain JSON, into R's memory and out of it.

use std::sync::Arc;

use offshoot::{
    link::command::{Ending, Execute, Executed, InputForm, ObjectNames},
    session::{Admission, OperationError, Session},
    wire::{
        Encoding,
        plain::{Kind, Parameter},
    },
};

use crate::core::{Core, someone};

/// Runs code after its inputs, and returns the object `v` as plain JSON, or why there is none.
async fn value(session: &Arc<Session>, inputs: &str, code: &str, declared: &[(&str, Kind)], kind: Option<Kind>) -> Result<String, String> {
    let execute = Execute { objects: vec!["v".to_owned()], kinds: kind.into_iter().collect(), ..command(inputs, declared) };
    let answer = session.operate(execute, [inputs, code].concat().into(), Admission::Immediate).await.map_err(|error| error.to_string())?;
    let Executed { ending, missing, .. } = answer.reply;
    assert_eq!(ending, Ending::Completed, "{code}");
    let json = String::from_utf8(answer.payload.as_ref().to_vec()).unwrap();
    match missing.into_iter().next() {
        None => Ok(json.strip_prefix("{\"v\":").unwrap().strip_suffix('}').unwrap().to_owned()),
        Some(missing) => {
            assert_eq!(json, "{}");
            Err(missing.error.unwrap())
        }
    }
}

fn command(inputs: &str, declared: &[(&str, Kind)]) -> Execute {
    let declared: Vec<_> = declared.iter().map(|&(name, kind)| Parameter { name: name.to_owned(), kind }).collect();
    let declared = Some(declared).filter(|declared| !declared.is_empty());
    Execute { encoding: Encoding::PlainMembers, inputs: inputs.len(), form: InputForm::Plain(declared), ..Execute::default() }
}

/// An R expression, and its JSON.
const OUT: &[(&str, &str)] = &[
    ("0.1 + 0.2", "0.30000000000000004"),
    ("1:3", "[1,2,3]"),
    ("c(a = 1, b = NA, c = Inf)", r#"[1,null,"Inf"]"#),
    ("NULL", "null"),
    ("character()", "[]"),
    ("matrix(1:6, 2, dimnames = list(NULL, c('a', 'b', 'c')))", "[[1,3,5],[2,4,6]]"),
    ("matrix(c('a', NA), 1)", r#"[["a",null]]"#),
    ("matrix(list(1, 'a'), 1)", r#"[[1,"a"]]"#),
    ("array(1:8, c(2, 2, 2))", "[[[1,5],[3,7]],[[2,6],[4,8]]]"),
    ("matrix(numeric(), 2, 0)", "[[],[]]"),
    ("head(mtcars[c('mpg', 'cyl')], 1)", r#"{"mpg":[21],"cyl":[6]}"#),
    ("mtcars[0, 'mpg', drop = FALSE]", r#"{"mpg":[]}"#),
    ("data.frame(f = factor(c('u', NA)), d = as.Date(c('2016-11-20', NA)))", r#"{"f":["u",null],"d":["2016-11-20",null]}"#),
    ("data.frame(r = as.raw(1:2))", r#"{"r":["01","02"]}"#),
    (
        "local({ d <- data.frame(a = 1:2); d$l <- list(1, 2:3); d$m <- matrix(1:4, 2); d })",
        r#"{"a":[1,2],"l":[1,[2,3]],"m":[[1,3],[2,4]]}"#,
    ),
    ("factor('b', c('a', 'b'))", "\"b\""),
    ("factor()", "[]"),
    ("as.Date('2016-11-20')", "\"2016-11-20\""),
    ("as.Date('2016-11-20') + 0.5", "\"2016-11-20\""),
    ("as.POSIXct('2016-11-20 19:15:09.5', tz = 'Europe/Paris')", "\"2016-11-20T18:15:09.5Z\""),
    ("as.POSIXlt('2016-11-20 18:15:09', tz = 'UTC')", "\"2016-11-20T18:15:09Z\""),
    ("as.difftime(c(1.5, 2), units = 'mins')", "[1.5,2]"),
    ("structure(4.9406564584124654e-324, class = 'integer64')", "1"),
    ("table(c('a', 'b', 'b'))", "[1,2]"),
    ("ts(c(1, 2), start = 2000)", "[1,2]"),
    ("quantile(1:5)", "[1,2,3,4,5]"),
    ("complex(real = 1, imaginary = -2)", "\"1-2i\""),
    ("as.raw(c(1, 255))", "\"Af8=\""),
    ("list(1, 'a', NULL)", r#"[1,"a",null]"#),
    ("list(a = 1, b = list(c = 'd'))", r#"{"a":1,"b":{"c":"d"}}"#),
    ("I(5)", "5"),
    ("predict(lm(mpg ~ wt, mtcars), data.frame(wt = c(3, 3))) > 0", "[true,true]"),
    ("'\\u00fc \"\\n'", r#""ü \"\n""#),
];

#[tokio::test]
async fn values_of_r_come_out_as_plain_json() {
    let core = Core::start(|_| ()).await;
    let session = core.sessions.open(someone()).await.unwrap();
    let mut wrong = Vec::new();
    for (code, expected) in OUT {
        let written = value(&session, "", &format!("v <- {code}"), &[], None).await;
        if written.as_deref() != Ok(*expected) {
            wrong.push(format!("{code}: {written:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    for (code, kind, expected) in [
        ("lm(mpg ~ wt, mtcars)", None, r#"the output "v" is of class "lm": there is no JSON form for its class"#),
        ("function() 1", None, r#"the output "v" is of class "function": there is no JSON form for its class"#),
        ("list(globalenv())", None, r#"the output "v" has an element of class "environment": there is no JSON form for its class"#),
        ("quote(x + y)", None, r#"the output "v" is of class "call": there is no JSON form for its class"#),
        (
            "setClass('K', representation(a = 'numeric'))(a = 1)",
            None,
            r#"the output "v" is of class "K": there is no JSON form for its class"#,
        ),
        ("'a'", Some(Kind::Numeric), r#"the output "v" has to be numeric, and is a character vector"#),
        ("factor('a')", Some(Kind::Integer), r#"the output "v" has to be integer, and is a factor"#),
    ] {
        assert_eq!(value(&session, "", &format!("v <- {code}"), &[], kind).await.unwrap_err(), expected);
    }
    for (code, kind, expected) in [
        ("t(1:2) %*% 1:2", Kind::Numeric, "5"),
        ("5", Kind::Vector, "[5]"),
        ("factor('a')", Kind::Character, "\"a\""),
        ("Sys.Date() > 0", Kind::Logical, "true"),
    ] {
        assert_eq!(value(&session, "", &format!("v <- {code}"), &[], Some(kind)).await.unwrap(), expected, "{code}");
    }
}

#[tokio::test]
async fn plain_json_becomes_values_of_r() {
    let core = Core::start(|_| ()).await;
    let session = core.sessions.open(someone()).await.unwrap();
    for (json, kind, expected) in [
        ("120", None, "120"),
        ("[1,null]", None, "c(1, NA)"),
        ("[[1,2],[3,4]]", None, "rbind(c(1, 2), c(3, 4))"),
        (r#"{"a":[1,2],"b":["u",null]}"#, None, "data.frame(a = c(1, 2), b = c('u', NA))"),
        (r#"{"a":[]}"#, None, "data.frame(a = logical())"),
        (r#"{"a":{"b":"\u00fc"},"c":[1,"d"]}"#, None, r"list(a = list(b = '\u00fc'), c = list(1, 'd'))"),
        ("[1,null,3]", Some(Kind::Integer), "c(1L, NA, 3L)"),
        ("[]", Some(Kind::Integer), "integer()"),
        ("[]", Some(Kind::Numeric), "numeric()"),
        (r#"["Inf",1]"#, Some(Kind::Numeric), "c(Inf, 1)"),
        (r#"[{"a":1,"b":"u"},{"a":2,"b":"v"}]"#, Some(Kind::DataFrame), "data.frame(a = c(1, 2), b = c('u', 'v'))"),
    ] {
        let inputs = format!("{{\"x\":{json}}}");
        let declared: Vec<_> = kind.map(|kind| ("x", kind)).into_iter().collect();
        let code = format!("v <- identical(x, {expected})");
        assert_eq!(value(&session, &inputs, &code, &declared, None).await.unwrap(), "true", "{json}");
    }
}

#[tokio::test]
async fn inputs_that_are_not_as_declared_bind_nothing() {
    let core = Core::start(|_| ()).await;
    let session = core.sessions.open(someone()).await.unwrap();
    let declared = [("hp", Kind::Numeric), ("wt", Kind::Numeric)];
    for (inputs, sentence) in [
        (r#"{"hp":1,"wt":["a"]}"#, r#"The parameter "wt" has to be numeric, and an array of strings came."#),
        ("", r#"The parameters "hp", "wt" are missing."#),
    ] {
        match session.operate(command(inputs, &declared), inputs.to_owned().into(), Admission::Immediate).await {
            Err(OperationError::InvalidInput(told)) => assert_eq!(told, sentence),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(value(&session, "", "v <- exists('hp')", &[], None).await.unwrap(), "false");
}

#[tokio::test]
async fn outputs_are_pairs_where_these_are_wanted() {
    let core = Core::start(|_| ()).await;
    let session = core.sessions.open(someone()).await.unwrap();
    let inputs = r#"[{"name":"hp","value":120}]"#;
    let objects = ["hp", "none", "f", "answer"].map(str::to_owned).to_vec();
    let execute = Execute { objects, encoding: Encoding::PlainPairs, ..command(inputs, &[]) };
    let code = "f <- function() 1; answer <- c(0.64, 1); .hidden <- 1";
    let answer = session.operate(execute, [inputs, code].concat().into(), Admission::Immediate).await.unwrap();
    assert_eq!(answer.payload.as_ref(), br#"[{"name":"hp","value":120},{"name":"answer","value":[0.64,1]}]"#);
    let missing: Vec<_> = answer.reply.missing.iter().map(|missing| (missing.name.as_str(), missing.error.is_some())).collect();
    assert_eq!(missing, [("none", false), ("f", true)]);
    let names = session.operate(ObjectNames, bytes::Bytes::new(), Admission::Queued).await.unwrap();
    assert_eq!(names.payload.as_ref(), br#"["answer","f","hp"]"#);
}
