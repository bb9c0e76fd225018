//! `_eval` and `_assign`: values in both directions, errors, and forms of requests.

use reqwest::{Method, header};
use serde_json::json;

use crate::harness::{Reply, Rock, RockSession, Server, descendants, eventually, read};

/// Posts a body with this type.
async fn post(session: &RockSession, path: &str, content_type: &str, body: impl Into<reqwest::Body>) -> Reply {
    let request = session.client.request(Method::POST, &format!("{}{path}", session.path));
    read(request.header(header::CONTENT_TYPE, content_type).body(body)).await
}

#[tokio::test]
async fn the_value_is_that_of_the_last_statement() {
    let session = Rock::by("user").open().await;
    for (code, expected) in [
        ("1; 2; 'three'", json!("three")),
        ("x <- 5", json!(5)),
        ("x * 2 # a comment at the end", json!(10)),
        ("invisible(7)\n# another\n", json!(7)),
        ("list(a = 1, b = NULL)", json!({"a": 1, "b": null})),
        ("list(a = 1)[0]", json!(null)),
        ("NULL", json!(null)),
        ("# nothing at all", json!(null)),
        ("data.frame(a = 1:2, b = c('x', NA))", json!([{"a": 1, "b": "x"}, {"a": 2, "b": null}])),
        ("as.list(unlist(R.version))$language", json!("R")),
        ("I(1)", json!([1])),
    ] {
        assert_eq!(session.value(code).await, expected, "{code}");
    }
}

#[tokio::test]
async fn values_go_out_serialized_and_come_in() {
    let session = Rock::by("user").open().await;
    let request = session.client.request(Method::POST, &format!("{}/_eval", session.path));
    let request = request.header(header::ACCEPT, "application/octet-stream, application/json");
    let code = "x <- list(a = 1:3, f = factor('u'), n = NULL, m = lm(dist ~ speed, cars)$coefficients); x";
    let value = read(request.header(header::CONTENT_TYPE, "application/x-rscript").body(code)).await;
    assert_eq!(value.headers[header::CONTENT_TYPE], "application/octet-stream");
    let encoded =
        session.value("jsonlite_free <- function(x) { y <- serialize(x, NULL); paste(y, collapse = '') }; jsonlite_free(x)").await;
    let hexadecimal: String = value.body.iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(encoded, hexadecimal, "the bytes are those of serialize(x, NULL)");
    // Sent back as rockr does it: in base64, with or without line ends.
    let encoded = base64(&value.body);
    let lines: Vec<_> = encoded.as_bytes().chunks(72).map(|line| std::str::from_utf8(line).unwrap()).collect();
    for body in [encoded.clone(), lines.join("\r\n") + "\r\n"] {
        let reply = post(&session, "/_assign?s=y&async=FALSE", "application/x-rdata", body).await;
        assert_eq!((reply.status.as_u16(), reply.body.len()), (200, 0), "{}", reply.text());
        assert!(!reply.headers.contains_key(header::CONTENT_TYPE));
        assert_eq!(session.value("identical(x, y)").await, true);
        session.value("rm(y)").await;
    }
    let reply = post(&session, "/_assign?s=z&async=TRUE", "application/x-rdata", encoded).await;
    assert_eq!(reply.document()["script"], format!("z <- byte[{}]", value.body.len()));
    assert_eq!(session.value("identical(x, z)").await, true);
}

fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let group = |chunk: &[u8]| {
        let number = chunk.iter().fold(0_u32, |number, byte| number << 8 | u32::from(*byte)) << (8 * (3 - chunk.len()));
        let letter = |at: usize| if at > chunk.len() { '=' } else { char::from(LETTERS[(number >> (18 - 6 * at)) as usize & 63]) };
        (0..4).map(letter).collect::<String>()
    };
    bytes.chunks(3).map(group).collect()
}

#[tokio::test]
async fn broken_data_is_refused_and_changes_nothing() {
    let session = Rock::by("user").open().await;
    for (body, message) in [
        ("not base64!", "The body of the request is not base64"),
        ("aGVsbG8=", "unknown input format"),
        ("WAoAAAACAAQCAAACAwAAAAAQAAAAAQ==", "the serialized value ends too early"),
    ] {
        let reply = post(&session, "/_assign?s=x", "application/x-rdata", body).await;
        assert_eq!(reply.status, 400, "{body}");
        assert!(reply.document()["message"].as_str().unwrap().contains(message), "{}", reply.text());
    }
    assert_eq!(session.value("ls()").await, json!([]));
}

#[tokio::test]
async fn names_are_data_and_not_code() {
    let session = Rock::by("user").open().await;
    for name in ["a'b", "a\"b", "a`b", "a b", "x', q()); ('", "größe", "日本", "a\\b", "%s"] {
        let encoded: String = percent_encoding::utf8_percent_encode(name, percent_encoding::NON_ALPHANUMERIC).collect();
        let reply = post(&session, &format!("/_assign?s={encoded}"), "application/x-rscript", "42").await;
        assert_eq!(reply.status, 200, "{name}: {}", reply.text());
        assert_eq!(session.value("x <- ls(); v <- get(x); rm(list = x); list(x, v)").await, json!([name, 42]));
        session.value("rm(list = ls())").await;
    }
    assert_eq!(post(&session, "/_assign", "application/x-rscript", "42").await.status, 400);
    assert_eq!(post(&session, "/_assign?s=", "application/x-rscript", "42").await.status, 400);
    assert_eq!(post(&session, "/_assign?s=a%00b", "application/x-rscript", "42").await.status, 400);
}

#[tokio::test]
async fn a_failing_script_runs_once() {
    let session = Rock::by("user").open().await;
    session.value("runs <- 0").await;
    assert_eq!(session.fails("runs <- runs + 1; stop('no')").await, "no\n");
    assert_eq!(session.fails("f <- function() stop('inner'); f()").await, "Error in f() : inner\n");
    assert!(session.fails("1 +").await.contains("unexpected end of input"));
    assert_eq!(session.value("runs").await, 1);
    let reply = post(&session, "/_assign?s=x", "application/x-rscript", "runs <- runs + 1; stop('boom')").await;
    assert_eq!((reply.status.as_u16(), &reply.document()["message"]), (400, &json!("boom\n")));
    assert_eq!(session.value("list(runs, exists('x'))").await, json!([2, false]));
}

#[tokio::test]
async fn scripts_are_text_in_utf8_or_latin1() {
    let session = Rock::by("user").open().await;
    let utf8 = "x <- 'größe'; nchar(x)".as_bytes().to_vec();
    let latin1: Vec<u8> = "x <- 'größe'; nchar(x)".chars().map(|letter| u8::try_from(u32::from(letter)).unwrap()).collect();
    for (content_type, body) in [
        ("application/x-rscript", &utf8),
        ("application/x-rscript; charset=UTF-8", &utf8),
        ("application/x-rscript", &latin1),
        ("application/x-rscript;charset=ISO-8859-1", &latin1),
    ] {
        let reply = post(&session, "/_eval", content_type, body.clone()).await;
        assert_eq!(reply.text(), "5", "{content_type}");
        assert_eq!(session.value("x").await, "größe");
    }
}

#[tokio::test]
async fn other_types_and_empty_bodies_are_refused() {
    let session = Rock::by("user").open().await;
    for (path, content_type, body, status) in [
        ("/_eval", "text/plain", "1", 415),
        ("/_eval", "application/json", "1", 415),
        ("/_eval", "application/x-rscript", "", 400),
        ("/_assign?s=x", "text/plain", "1", 415),
        ("/_assign?s=x", "application/x-rscript", "", 400),
        ("/_assign?s=x", "application/x-rdata", "", 400),
        ("/_eval?async=perhaps", "application/x-rscript", "1", 400),
    ] {
        let reply = post(&session, path, content_type, body).await;
        assert_eq!(reply.status, status, "{path} {content_type}");
        assert_eq!(reply.document()["status"], status.to_string());
    }
    // A script need not declare its type.
    let request = session.client.request(Method::POST, &format!("{}/_eval", session.path));
    assert_eq!(read(request.body("1 + 1")).await.text(), "2");
    let request = session.client.request(Method::POST, &format!("{}/_eval", session.path)).header(header::ACCEPT, "text/html");
    let reply = read(request.header(header::CONTENT_TYPE, "application/x-rscript").body("1")).await;
    assert_eq!(reply.status, 406);
}

#[tokio::test]
async fn bodies_beyond_the_limit_are_refused() {
    let server = Server::start(&Rock::settings("[sessions]\npool = 0").replace("[rock]", "[rock]\nbody_mib = 1"));
    let session = Rock::on(&server, "user").open().await;
    let code = format!("nchar('{}')", "a".repeat(1_000_000));
    assert_eq!(session.value(&code).await, 1_000_000);
    let reply = session.eval(&format!("nchar('{}')", "a".repeat(1_100_000))).await;
    assert_eq!((reply.status.as_u16(), &reply.document()["key"]), (413, &json!("MaxUploadSizeExceededException")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stateless_evaluation_leaves_nothing() {
    let server = Server::start(&Rock::settings("[sessions]\npool = 0"));
    let user = Rock::on(&server, "user");
    assert_eq!(user.script("/r/_eval", "x <- 1; cat('a', file = 'a'); list(ls(), list.files())").await.text(), "[\"x\",\"a\"]");
    assert_eq!(user.script("/r/_eval", "list(ls(), list.files())").await.text(), "[[],[]]");
    let failed = user.script("/r/_eval", "stop('no')").await;
    assert_eq!((failed.status.as_u16(), &failed.document()["message"]), (400, &json!("no\n")));
    let request = user.request(Method::POST, "/r/_eval").header(header::ACCEPT, "application/octet-stream").body("1");
    assert_eq!(&read(request).await.body[..2], b"X\n");
    // The session ends when the client goes away.
    let leaving = tokio::spawn({
        let user = user.clone();
        async move { user.script("/r/_eval", "repeat {}").await }
    });
    eventually("it runs", || descendants(server.zygote()).len() == 1);
    leaving.abort();
    eventually("it ends", || descendants(server.zygote()).is_empty());
}

#[tokio::test]
async fn a_byte_order_mark_before_a_script_is_not_part_of_it() {
    let session = Rock::by("user").open().await;
    assert_eq!(session.value("\u{feff}1 + 1").await, 2);
}
