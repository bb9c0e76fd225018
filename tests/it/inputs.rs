//! Values that clients push, as R sees them.

use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{Client, Reply, Server, Session, read};

async fn session() -> Session {
    Client::admin(Server::shared()).await.session().await
}

async fn push(session: &Session, inputs: &str) -> Reply {
    session.post("object/push", &[("inputs", inputs)]).await
}

#[track_caller]
fn refused(reply: &Reply, error: &str) {
    assert_eq!(reply.status, 400, "{}", reply.text());
    assert_eq!((&reply.json()["error"], &reply.json()["success"]), (&json!(error), &json!(false)));
}

/// The input, and an R expression that has to be identical to its value `x`.
const ROWS: &[(&str, &str)] = &[
    (r#"{"type":"primitive","value":3}"#, "3"),
    (r#"{"type":"Primitive","value":3}"#, "3"),
    (r#"{"type":"DATAFRAME","value":{"a":{"type":"Vector","rclass":"Numeric","value":["NA"]}}}"#, "data.frame(a = NA_real_)"),
    (r#"{"type":"primitive","value":"3.0"}"#, "'3.0'"),
    (r#"{"type":"primitive","value":true}"#, "TRUE"),
    (r#"{"type":"primitive","value":null}"#, "NA"),
    (r#"{"type":"primitive","rclass":"numeric","value":null}"#, "NA_real_"),
    (r#"{"type":"primitive","rclass":"character","value":null}"#, "NA_character_"),
    (r#"{"type":"primitive","rclass":"NULL","value":null}"#, "NULL"),
    (r#"{"type":"character","value":"grüße \ud83d\ude42"}"#, "'gr\\u00fc\\u00dfe \\U0001F642'"),
    (r#"{"type":"vector","value":[1,null,"Inf",-0.5]}"#, "c(1, NA, Inf, -0.5)"),
    (r#"{"type":"vector","value":["NaN",1]}"#, "c(NaN, 1)"),
    (r#"{"type":"vector","rclass":"numeric","value":[]}"#, "numeric()"),
    (r#"{"type":"vector","value":["a",null,""]}"#, "c('a', NA, '')"),
    (r#"{"type":"vector","value":[true,false,null]}"#, "c(TRUE, FALSE, NA)"),
    (r#"{"type":"date","format":"%Y-%m-%d","value":"2010-04-20"}"#, "as.Date('2010-04-20')"),
    (r#"{"type":"vector","rclass":"date","value":["2010-04-20",null]}"#, "as.Date(c('2010-04-20', NA))"),
    (
        r#"{"type":"date","format":"yyyy-MM-dd HH:mm:ss Z","value":"2010-04-20 13:45:10 +0200"}"#,
        "structure(1271763910, class = c('POSIXct', 'POSIXt'))",
    ),
    (r#"{"type":"factor","value":["male","female",null,"male"]}"#, "factor(c('male', 'female', NA, 'male'))"),
    (r#"{"type":"factor","value":[10,9,10]}"#, "factor(c(10, 9, 10))"),
    (r#"{"type":"factor","value":["b","B","a","A","ä"]}"#, "factor(c('b', 'B', 'a', 'A', '\\u00e4'))"),
    (
        r#"{"type":"factor","ordered":true,"levels":["low","high"],"labels":["L","H"],"value":["high","none"]}"#,
        "factor(c('high', 'none'), c('low', 'high'), c('L', 'H'), ordered = TRUE)",
    ),
    (r#"{"type":"factor","labels":"l","value":["a","b"]}"#, "factor(c('a', 'b'), labels = 'l')"),
    (r#"{"type":"factor","levels":["a",null],"value":["a",null]}"#, "addNA(factor(c('a', NA)))"),
    (r#"{"type":"factor","value":[]}"#, "factor(logical())"),
    (r#"{"type":"matrix","value":[[1,2,3],[11,12,null]]}"#, "rbind(c(1, 2, 3), c(11, 12, NA))"),
    (r#"{"type":"matrix","value":[["a"],["b"]]}"#, "matrix(c('a', 'b'))"),
    (r#"{"type":"matrix","value":[]}"#, "matrix(NA, 0, 0)"),
    (r#"{"type":"list","value":{"a":{"value":1},"b":{"type":"list","value":{"c":"d"}}}}"#, "list(a = 1, b = list(c = 'd'))"),
    (r#"{"type":"list","value":[1,{"name":"a","value":true}]}"#, "list(1, a = TRUE)"),
    (r#"{"type":"list","value":[1,"a"]}"#, "list(1, 'a')"),
    (r#"{"type":"list","value":{}}"#, "list()"),
    (r#"{"type":"list","value":{"n":{"type":"primitive","rclass":"NULL","value":null}}}"#, "list(n = NULL)"),
    (r#"{"type":"dataframe","value":{"a":[1,2],"b":["x",null]}}"#, "data.frame(a = c(1, 2), b = c('x', NA))"),
    (
        r#"{"type":"dataframe","value":{"my column":{"type":"factor","value":["u"]},"d":{"type":"date","value":"2010-04-20"}}}"#,
        "data.frame('my column' = factor('u'), d = as.Date('2010-04-20'), check.names = FALSE)",
    ),
    (r#"{"type":"dataframe","value":{"a":{"type":"vector","rclass":"character","value":[]}}}"#, "data.frame(a = character())"),
    (r#"{"type":"dataframe","value":{}}"#, "data.frame()"),
    (r#"{"value":"df$b"}"#, "'df$b'"),
    ("[[1,2],[3,4]]", "rbind(c(1, 2), c(3, 4))"),
];

#[tokio::test]
async fn a_type_without_a_value_is_no_value() {
    let session = session().await;
    let reply = push(&session, r#"{"x":{"type":"vector"}}"#).await;
    refused(&reply, r#"inputs.x: this object has a "type" and no "value"; a missing value is null."#);
    assert_eq!(session.value("exists('x')").await["value"], false);
}

#[tokio::test]
async fn a_response_beside_the_inputs_is_passed_over() {
    let session = session().await;
    let inputs = r#"<phoenix><inputs><robject name="x" type="vector"><numeric value="1,2"/></robject></inputs><response success="true" call="/r/x"><error value="0">none</error></response></phoenix>"#;
    push(&session, inputs).await.success();
    assert_eq!(session.value("x").await["value"], json!([1, 2]));
}

#[tokio::test]
async fn r_has_what_was_sent() {
    let session = session().await;
    for (sent, expression) in ROWS {
        push(&session, &format!("{{\"x\":{sent}}}")).await.success();
        let compared = session.prints(&format!("y <- {expression}; if (!identical(x, y)) {{ str(x); str(y) }}")).await;
        assert_eq!(compared, "", "{sent}");
    }
}

#[tokio::test]
async fn xml_is_read_whatever_the_format_of_the_answer() {
    let session = session().await;
    let inputs = r#"<deployr><inputs><robject name="x" type="list"><robject name="a" type="vector"><character value="p,,&quot;&quot;"/></robject><robject name="f" type="factor" ordered="true"><values value="lo,hi"/><levels value="lo,hi"/></robject></robject></inputs></deployr>"#;
    for format in ["xml", "json"] {
        let reply = session.post("object/push", &[("inputs", inputs), ("format", format)]).await;
        assert_eq!(reply.status, 200, "{}", reply.text());
        let expected = "list(a = c('p', NA, ''), f = factor(c('lo', 'hi'), c('lo', 'hi'), ordered = TRUE))";
        assert_eq!(session.value(&format!("identical(x, {expected})")).await["value"], true);
        session.run("rm(x)").await;
    }
    let reply = session.post("object/push", &[("inputs", r#"{"x":1}"#), ("format", "xml")]).await;
    assert_eq!(reply.status, 200, "{}", reply.text());
    assert_eq!(session.value("x").await["value"], 1);
}

#[tokio::test]
async fn names_are_bound_as_they_are() {
    let session = session().await;
    let names = ["a", "my name", "été", ".hidden", "a`b", "if", "T", "x$y", "...", "🙂"];
    let inputs: serde_json::Map<String, Value> = names.iter().map(|&name| (name.to_owned(), json!(name))).collect();
    push(&session, &Value::from(inputs).to_string()).await.success();
    let bound = session.value("sort(ls(all.names = TRUE), method = 'radix')").await["value"].clone();
    let mut expected = names.map(Value::from).to_vec();
    expected.push(json!(".Last.value"));
    for name in bound.as_array().unwrap() {
        assert!(expected.contains(name) || name == ".value", "{name}");
    }
    for name in names {
        assert_eq!(session.value(&format!("get('{}')", name.replace('\'', "\\'"))).await["value"], name);
    }
}

#[tokio::test]
async fn wrapped_inputs_are_there_in_both_ways() {
    let session = session().await;
    push(&session, r#"{"inputs":{"type":"list","value":{"a":{"value":1},"b":{"type":"vector","value":["x","y"]}}}}"#).await.success();
    assert_eq!(session.value("identical(inputs, list(a = a, b = b)) && a == 1 && identical(b, c('x', 'y'))").await["value"], true);
    // Shared values are copied before they are changed.
    session.run("b[1] <- 'changed'").await;
    assert_eq!(session.value("inputs$b").await["value"], json!(["x", "y"]));
    push(&session, "{}").await.success();
}

#[tokio::test]
async fn nothing_is_bound_when_something_is_wrong() {
    let session = session().await;
    session.run("a <- 'before'; locked <- 1; lockBinding('locked', globalenv()); seen <- NULL").await;
    session.run("makeActiveBinding('active', function(value) { if (!missing(value)) seen <<- value; 'active' }, globalenv())").await;
    refused(
        &push(&session, r#"{"a":1,"b":{"type":"dataframe","value":{"c":[1],"d":[1,2]}}}"#).await,
        "inputs.b.d: this column is of length 2, and \"c\" of length 1; the columns of a data frame are of one length.",
    );
    for inputs in [r#"{"a":1,"locked":2,"active":3}"#, r#"{"active":3,"a":1,"locked":2}"#] {
        let reply = push(&session, inputs).await;
        assert_eq!(reply.status, 200);
        let response = reply.json();
        assert_eq!(
            (&response["success"], &response["error"]),
            (&json!(false), &json!("cannot change value of locked binding for 'locked'"))
        );
        assert_eq!(response["errorCode"], 900);
        assert_eq!(session.value("c(a, locked, is.null(seen))").await["value"], json!(["before", "1", "TRUE"]));
    }
    push(&session, r#"{"a":1,"active":3}"#).await.success();
    assert_eq!(session.value("c(a, seen)").await["value"], json!([1, 3]));
    session.run("makeActiveBinding('fails', function(value) stop('not like this'), globalenv())").await;
    assert_eq!(push(&session, r#"{"a":2,"fails":3}"#).await.json()["error"], "not like this");
    assert_eq!(session.value("a").await["value"], 1);
    session.run("lockEnvironment(globalenv())").await;
    let reply = push(&session, r#"{"a":2,"new":3}"#).await.json();
    assert!(reply["error"].as_str().unwrap().starts_with("cannot add binding"), "{reply}");
    assert_eq!(session.value("a").await["value"], 1);
}

#[tokio::test]
async fn large_vectors_arrive_whole() {
    let session = session().await;
    let numbers: Vec<f64> = (0..1_000_000).map(|at| f64::from(at) + 0.5).collect();
    let texts: Vec<String> = (0..100_000).map(|at| format!("string {at}")).collect();
    push(&session, &json!({"n": {"type": "vector", "value": numbers}, "s": {"type": "vector", "value": texts}}).to_string())
        .await
        .success();
    let sums = "c(length(n), sum(n), length(s), sum(nchar(s)), all(s == paste('string', 0:99999)), sum(range(n)))";
    let characters: usize = texts.iter().map(String::len).sum();
    assert_eq!(session.value(sums).await["value"], json!([1_000_000, 500_000_000_000_u64, 100_000, characters, 1, 1_000_000]));
    let rows: String = numbers.iter().take(100_000).map(|number| format!("{number},")).collect();
    let xml = format!(
        "<inputs><robject name=\"n\" type=\"vector\"><numeric value=\"{}\"/></robject><robject name=\"s\" type=\"vector\"><character value=\"{}\"/></robject></inputs>",
        rows.trim_end_matches(','),
        texts.join(",")
    );
    push(&session, &xml).await.success();
    assert_eq!(session.value(sums).await["value"], json!([100_000, 5_000_000_000_u64, 100_000, characters, 1, 100_000]));
}

#[tokio::test]
async fn more_than_a_session_can_hold_is_refused_and_the_session_lives_on() {
    let server = Server::start("[sessions]\npool = 0\nmemory_mib = 100");
    let session = Client::admin(&server).await.session().await;
    session.run("x <- 1").await;
    // The decoded doubles do not fit. The strings do, but R's copies of them do not.
    let strings: String = (0..2_000_000).map(|at| format!("\"{at}\",")).collect();
    for (elements, code) in [("0,".repeat(20_000_000), 400), (strings, 900)] {
        let body = format!("session={}&inputs={{\"x\":[{}]}}", session.id, elements.trim_end_matches(','));
        let reply = read(session.client.request(Method::POST, "/r/session/object/push").body(body)).await;
        assert_eq!((&reply.json()["success"], &reply.json()["errorCode"]), (&json!(false), &json!(code)), "{}", reply.text());
        assert_eq!(session.value("x").await["value"], 1);
    }
}
