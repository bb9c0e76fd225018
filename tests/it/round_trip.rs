//! Any value of the type model is the same after it was pushed into a session and read back: in JSON, in XML, and from one to the other.

use proptest::{
    collection::{btree_map, btree_set, vec},
    prelude::*,
    sample::select,
    test_runner::{Config, TestError, TestRunner},
};
use roxmltree::Document;
use serde_json::{Map, Value, json};

use crate::harness::{Client, Server, Session};

/// Strings with all characters that JSON, XML and CSV treat specially. XML 1.0 allows no other control characters.
fn text() -> impl Strategy<Value = String> + Clone {
    prop_oneof![
        "[\\PC\\t\\n\\r]{0,8}",
        "[ab,\"'&<>\\\\ \\n\u{a0}]{0,6}",
        select(vec!["", "NA", "NaN", "Inf", "-Inf", "null", "TRUE", "1,2", "\""]).prop_map(str::to_owned)
    ]
}

fn number() -> impl Strategy<Value = Value> + Clone {
    let finite = prop_oneof![any::<f64>(), (-1000..1000).prop_map(f64::from), select(vec![0.0, -0.0, 5e-324, f64::MAX, 1e22, 0.1 + 0.2])];
    finite.prop_filter("finite", |number| number.is_finite()).prop_map(|number| json!(number))
}

/// A number, an infinity or a missing value.
fn numeric() -> impl Strategy<Value = Value> + Clone {
    prop_oneof![8 => number(), 1 => select(vec![json!("Inf"), json!("-Inf")]), 1 => Just(Value::Null)]
}

fn character() -> impl Strategy<Value = Value> + Clone {
    prop_oneof![8 => text().prop_map(Value::String), 1 => Just(Value::Null)]
}

fn logical() -> impl Strategy<Value = Value> + Clone {
    prop_oneof![4 => any::<bool>().prop_map(Value::Bool), 1 => Just(Value::Null)]
}

fn day() -> impl Strategy<Value = Value> + Clone {
    let day = (0..=9999, 1..=12, 1..=28).prop_map(|(year, month, day)| json!(format!("{year:04}-{month:02}-{day:02}")));
    prop_oneof![8 => day, 1 => Just(Value::Null)]
}

fn moment() -> impl Strategy<Value = Value> + Clone {
    let clock = (0..24, 0..60, 0..60).prop_map(|(hour, minute, second)| format!(" {hour:02}:{minute:02}:{second:02} +0000"));
    let moment = (day(), clock).prop_map(|(day, clock)| day.as_str().map_or(Value::Null, |day| json!(format!("{day}{clock}"))));
    // The first and the last day are outside of the range of jiff's moments.
    moment.prop_filter("in range", |moment| moment.as_str().is_none_or(|text| ("0001".."9999").contains(&text)))
}

/// Elements of one class, and that class.
fn elements(count: impl Into<proptest::collection::SizeRange> + Clone) -> BoxedStrategy<(&'static str, Vec<Value>)> {
    let of = |class: &'static str, element: BoxedStrategy<Value>| vec(element, count.clone()).prop_map(move |all| (class, all)).boxed();
    prop_oneof![
        of("numeric", numeric().boxed()),
        of("character", character().boxed()),
        of("logical", logical().boxed()),
        of("date", day().boxed()),
        of("POSIXct", moment().boxed()),
    ]
    .boxed()
}

fn vector((class, elements): (&str, Vec<Value>)) -> Value {
    match format_of(class) {
        None => json!({"type": "vector", "rclass": class, "value": elements}),
        Some(format) => json!({"type": "vector", "rclass": class, "format": format, "value": elements}),
    }
}

fn single((class, mut elements): (&str, Vec<Value>)) -> Value {
    let value = elements.remove(0);
    match format_of(class) {
        None => json!({"type": "primitive", "rclass": class, "value": value}),
        Some(format) => json!({"type": "date", "rclass": class, "format": format, "value": value}),
    }
}

fn format_of(class: &str) -> Option<&'static str> {
    match class {
        "date" => Some("%Y-%m-%d"),
        "POSIXct" => Some("%Y-%m-%d %H:%M:%S %z"),
        _ => None,
    }
}

fn factor(count: impl Into<proptest::collection::SizeRange> + Clone + 'static) -> impl Strategy<Value = Value> {
    (btree_set(text(), 1..4), any::<bool>()).prop_flat_map(move |(levels, ordered)| {
        let levels: Vec<_> = levels.into_iter().rev().collect();
        let label = prop_oneof![4 => select(levels.clone()).prop_map(Value::String), 1 => Just(Value::Null)];
        vec(label, count.clone())
            .prop_map(move |values| json!({"type": "factor", "rclass": "factor", "ordered": ordered, "levels": levels, "value": values}))
    })
}

/// A matrix. Its form does not name its type, so the elements have to tell it.
fn matrix() -> impl Strategy<Value = Value> {
    let rows = |first: BoxedStrategy<Value>, element: BoxedStrategy<Value>| {
        (1_usize..4, 1_usize..4).prop_flat_map(move |(rows, columns)| (first.clone(), vec(vec(element.clone(), columns), rows)))
    };
    let of = prop_oneof![
        rows(number().boxed(), numeric().boxed()),
        rows(text().prop_map(Value::String).boxed(), character().boxed()),
        rows(logical().boxed(), logical().boxed()),
    ];
    of.prop_map(|(first, mut rows)| {
        rows[0][0] = first;
        json!({"type": "matrix", "rclass": "matrix", "value": rows})
    })
}

fn data_frame() -> impl Strategy<Value = Value> {
    (0_usize..4).prop_flat_map(|rows| {
        let column = prop_oneof![4 => elements(rows).prop_map(vector), 1 => factor(rows)];
        btree_map(name(), column, 0..4).prop_map(|columns| json!({"type": "dataframe", "rclass": "data.frame", "value": columns}))
    })
}

/// Names that are not empty.
fn name() -> impl Strategy<Value = String> {
    text().prop_filter("not empty", |name| !name.is_empty())
}

/// Values in the form in which R's values are written.
fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(json!({"type": "primitive", "rclass": "NULL", "value": null})),
        elements(1).prop_map(single),
        elements(0).prop_map(vector),
        elements(2..6).prop_map(vector),
        factor(0..6),
        matrix(),
        data_frame(),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        btree_map(name(), inner, 0..4).prop_map(|members| json!({"type": "list", "rclass": "list", "value": members}))
    })
}

/// Makes 13 and 13.0 the same number.
fn normalized(value: &Value) -> Value {
    match value {
        Value::Number(number) => json!(number.as_f64()),
        Value::Array(all) => all.iter().map(normalized).collect(),
        Value::Object(members) => members.iter().map(|(name, value)| (name.clone(), normalized(value))).collect::<Map<_, _>>().into(),
        other => other.clone(),
    }
}

async fn push(session: &Session, inputs: &str) -> Result<(), TestCaseError> {
    let reply = session.post("object/push", &[("inputs", inputs)]).await;
    prop_assert!(reply.status == 200 && reply.json()["success"] == true, "{}\n{}", inputs, reply.text());
    Ok(())
}

/// The value of `x`, in both forms.
async fn held(session: &Session) -> (Value, String) {
    let json = session.get("object/get", &[("name", "x")]).await.success();
    let xml = session.get("object/get", &[("name", "x"), ("format", "xml")]).await;
    let document = Document::parse(xml.text()).unwrap();
    let object = document.descendants().find(|node| node.has_tag_name("robject")).unwrap();
    (normalized(&json["robjects"]["x"]), xml.text()[object.range()].to_owned())
}

#[test]
fn values_come_back_as_they_were() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let session = runtime.block_on(async {
        let session = Client::admin(Server::shared()).await.session().await;
        session.run("Sys.setenv(TZ = 'UTC')").await;
        session
    });
    let config = Config { cases: 300, max_shrink_iters: 2000, failure_persistence: None, ..Config::default() };
    let outcome = TestRunner::new(config).run(&value(), |sent| {
        runtime.block_on(async {
            push(&session, &json!({ "x": sent }).to_string()).await?;
            let (json, xml) = held(&session).await;
            prop_assert_eq!(&json, &normalized(&sent));
            session.run("before <- x; rm(x)").await;
            push(&session, &format!("<inputs>{xml}</inputs>")).await?;
            let again = held(&session).await;
            prop_assert_eq!(&again, &(json, xml));
            // The two values are also identical in R, not only in their written forms.
            prop_assert_eq!(session.value("identical(before, x)").await["value"].clone(), Value::Bool(true), "{}", again.1);
            Ok(())
        })
    });
    match outcome {
        Ok(()) => {}
        Err(TestError::Fail(reason, value)) => panic!("{reason}\n{value}"),
        Err(abort) => panic!("{abort}"),
    }
}
