//! The type model, written from R's memory in JSON and in XML.

use roxmltree::Document;
use serde_json::{Value, json};

use crate::harness::{Client, Server, Session};

/// An R expression, its JSON form, and its XML element `v`.
struct Row(&'static str, &'static str, &'static str);

/// Every row of the type model, and every value that it cannot express.
const ROWS: &[Row] = &[
    // Primitives
    Row(
        "3",
        r#"{"type":"primitive","rclass":"numeric","value":3}"#,
        r#"<robject name="v" type="primitive"><numeric value="3"/></robject>"#,
    ),
    Row(
        "3L",
        r#"{"type":"primitive","rclass":"numeric","value":3}"#,
        r#"<robject name="v" type="primitive"><numeric value="3"/></robject>"#,
    ),
    Row(
        "-0.5",
        r#"{"type":"primitive","rclass":"numeric","value":-0.5}"#,
        r#"<robject name="v" type="primitive"><numeric value="-0.5"/></robject>"#,
    ),
    Row(
        "TRUE",
        r#"{"type":"primitive","rclass":"logical","value":true}"#,
        r#"<robject name="v" type="primitive"><logical value="true"/></robject>"#,
    ),
    Row(
        "'Here is my name'",
        r#"{"type":"primitive","rclass":"character","value":"Here is my name"}"#,
        r#"<robject name="v" type="primitive"><character value="Here is my name"/></robject>"#,
    ),
    Row(
        "'a, \"b\"\\n<c>&'",
        r#"{"type":"primitive","rclass":"character","value":"a, \"b\"\n<c>&"}"#,
        r#"<robject name="v" type="primitive"><character value="a, &quot;b&quot;&#10;&lt;c&gt;&amp;"/></robject>"#,
    ),
    Row(
        "''",
        r#"{"type":"primitive","rclass":"character","value":""}"#,
        r#"<robject name="v" type="primitive"><character value="&quot;&quot;"/></robject>"#,
    ),
    Row(
        "NA",
        r#"{"type":"primitive","rclass":"logical","value":null}"#,
        r#"<robject name="v" type="primitive"><logical value=""/></robject>"#,
    ),
    Row(
        "NA_integer_",
        r#"{"type":"primitive","rclass":"numeric","value":null}"#,
        r#"<robject name="v" type="primitive"><numeric value=""/></robject>"#,
    ),
    Row(
        "NA_real_",
        r#"{"type":"primitive","rclass":"numeric","value":null}"#,
        r#"<robject name="v" type="primitive"><numeric value=""/></robject>"#,
    ),
    Row(
        "NA_character_",
        r#"{"type":"primitive","rclass":"character","value":null}"#,
        r#"<robject name="v" type="primitive"><character value=""/></robject>"#,
    ),
    Row(
        "NaN",
        r#"{"type":"primitive","rclass":"numeric","value":null}"#,
        r#"<robject name="v" type="primitive"><numeric value=""/></robject>"#,
    ),
    Row("NULL", r#"{"type":"primitive","rclass":"NULL","value":null}"#, r#"<robject name="v" type="primitive"/>"#),
    // Vectors
    Row(
        "c(13, 14.5, NA, Inf, -Inf)",
        r#"{"type":"vector","rclass":"numeric","value":[13,14.5,null,"Inf","-Inf"]}"#,
        r#"<robject name="v" type="vector"><numeric value="13,14.5,,Inf,-Inf"/></robject>"#,
    ),
    Row(
        "1:3",
        r#"{"type":"vector","rclass":"numeric","value":[1,2,3]}"#,
        r#"<robject name="v" type="vector"><numeric value="1,2,3"/></robject>"#,
    ),
    Row(
        "c(5L, NA)",
        r#"{"type":"vector","rclass":"numeric","value":[5,null]}"#,
        r#"<robject name="v" type="vector"><numeric value="5,"/></robject>"#,
    ),
    Row(
        "c(TRUE, FALSE, NA)",
        r#"{"type":"vector","rclass":"logical","value":[true,false,null]}"#,
        r#"<robject name="v" type="vector"><logical value="true,false,"/></robject>"#,
    ),
    Row(
        "c('age', NA, '', 'a,b', ' x', 'say \"hi\"')",
        r#"{"type":"vector","rclass":"character","value":["age",null,"","a,b"," x","say \"hi\""]}"#,
        r#"<robject name="v" type="vector"><character value="age,,&quot;&quot;,&quot;a,b&quot;,&quot; x&quot;,&quot;say &quot;&quot;hi&quot;&quot;&quot;"/></robject>"#,
    ),
    Row("numeric()", r#"{"type":"vector","rclass":"numeric","value":[]}"#, r#"<robject name="v" type="vector"><numeric/></robject>"#),
    Row("character()", r#"{"type":"vector","rclass":"character","value":[]}"#, r#"<robject name="v" type="vector"><character/></robject>"#),
    Row(
        "c(a = 1, b = 2)",
        r#"{"type":"vector","rclass":"numeric","value":[1,2]}"#,
        r#"<robject name="v" type="vector"><numeric value="1,2"/></robject>"#,
    ),
    Row(
        "array(1:2, 2)",
        r#"{"type":"vector","rclass":"numeric","value":[1,2]}"#,
        r#"<robject name="v" type="vector"><numeric value="1,2"/></robject>"#,
    ),
    Row(
        "I(1:2)",
        r#"{"type":"vector","rclass":"numeric","value":[1,2]}"#,
        r#"<robject name="v" type="vector"><numeric value="1,2"/></robject>"#,
    ),
    Row(
        "data.frame(a = NA_real_)",
        r#"{"type":"dataframe","rclass":"data.frame","value":{"a":{"type":"vector","rclass":"numeric","value":[null]}}}"#,
        r#"<robject name="v" type="dataframe"><robject name="a" type="vector"><numeric value=""/></robject></robject>"#,
    ),
    // Dates and moments
    Row(
        "as.Date('2010-04-20')",
        r#"{"type":"date","rclass":"date","format":"%Y-%m-%d","value":"2010-04-20"}"#,
        r#"<robject name="v" type="date" format="%Y-%m-%d"><date value="2010-04-20"/></robject>"#,
    ),
    Row(
        "as.Date(c('2010-04-20', NA, '0099-12-31'))",
        r#"{"type":"vector","rclass":"date","format":"%Y-%m-%d","value":["2010-04-20",null,"0099-12-31"]}"#,
        r#"<robject name="v" type="vector" format="%Y-%m-%d"><date value="2010-04-20,,0099-12-31"/></robject>"#,
    ),
    Row(
        "structure(14719L, class = 'Date')",
        r#"{"type":"date","rclass":"date","format":"%Y-%m-%d","value":"2010-04-20"}"#,
        r#"<robject name="v" type="date" format="%Y-%m-%d"><date value="2010-04-20"/></robject>"#,
    ),
    Row(
        "as.POSIXct('2010-04-20 13:45:10', tz = 'UTC')",
        r#"{"type":"date","rclass":"POSIXct","format":"%Y-%m-%d %H:%M:%S %z","value":"2010-04-20 13:45:10 +0000"}"#,
        r#"<robject name="v" type="date" format="%Y-%m-%d %H:%M:%S %z"><date value="2010-04-20 13:45:10 +0000"/></robject>"#,
    ),
    Row(
        "as.POSIXct(c('2010-01-20 13:45:10', '2010-07-20 01:00:00', NA), tz = 'America/New_York')",
        r#"{"type":"vector","rclass":"POSIXct","format":"%Y-%m-%d %H:%M:%S %z","value":["2010-01-20 13:45:10 -0500","2010-07-20 01:00:00 -0400",null]}"#,
        r#"<robject name="v" type="vector" format="%Y-%m-%d %H:%M:%S %z"><date value="2010-01-20 13:45:10 -0500,2010-07-20 01:00:00 -0400,"/></robject>"#,
    ),
    Row(
        "as.POSIXlt('2010-04-20 13:45:10', tz = 'Asia/Tokyo')",
        r#"{"type":"date","rclass":"POSIXct","format":"%Y-%m-%d %H:%M:%S %z","value":"2010-04-20 13:45:10 +0900"}"#,
        r#"<robject name="v" type="date" format="%Y-%m-%d %H:%M:%S %z"><date value="2010-04-20 13:45:10 +0900"/></robject>"#,
    ),
    // Factors
    Row(
        "factor(c('male', 'female', NA))",
        r#"{"type":"factor","rclass":"factor","ordered":false,"levels":["female","male"],"value":["male","female",null]}"#,
        r#"<robject name="v" type="factor" ordered="false"><values value="male,female,"/><levels value="female,male"/></robject>"#,
    ),
    Row(
        "factor('low', c('low', 'high'), ordered = TRUE)",
        r#"{"type":"factor","rclass":"factor","ordered":true,"levels":["low","high"],"value":["low"]}"#,
        r#"<robject name="v" type="factor" ordered="true"><values value="low"/><levels value="low,high"/></robject>"#,
    ),
    // Matrices
    Row(
        "matrix(c(1, 11, 2, NA), 2)",
        r#"{"type":"matrix","rclass":"matrix","value":[[1,2],[11,null]]}"#,
        r#"<robject name="v" type="matrix"><numeric value="1,2"/><numeric value="11,"/></robject>"#,
    ),
    Row(
        "matrix(c('a', 'b'), 1)",
        r#"{"type":"matrix","rclass":"matrix","value":[["a","b"]]}"#,
        r#"<robject name="v" type="matrix"><character value="a,b"/></robject>"#,
    ),
    Row(
        "matrix(TRUE)",
        r#"{"type":"matrix","rclass":"matrix","value":[[true]]}"#,
        r#"<robject name="v" type="matrix"><logical value="true"/></robject>"#,
    ),
    Row("matrix(0, 0, 2)", r#"{"type":"matrix","rclass":"matrix","value":[]}"#, r#"<robject name="v" type="matrix"></robject>"#),
    // Lists
    Row(
        "list(a = 1, b = 'x')",
        r#"{"type":"list","rclass":"list","value":{"a":{"type":"primitive","rclass":"numeric","value":1},"b":{"type":"primitive","rclass":"character","value":"x"}}}"#,
        r#"<robject name="v" type="list"><robject name="a" type="primitive"><numeric value="1"/></robject><robject name="b" type="primitive"><character value="x"/></robject></robject>"#,
    ),
    Row(
        "list(1, list(2))",
        r#"{"type":"list","rclass":"list","value":{"1":{"type":"primitive","rclass":"numeric","value":1},"2":{"type":"list","rclass":"list","value":{"1":{"type":"primitive","rclass":"numeric","value":2}}}}}"#,
        r#"<robject name="v" type="list"><robject name="1" type="primitive"><numeric value="1"/></robject><robject name="2" type="list"><robject name="1" type="primitive"><numeric value="2"/></robject></robject></robject>"#,
    ),
    Row(
        "list(a = 1, 2, a = 3)",
        r#"{"type":"list","rclass":"list","value":{"a":{"type":"primitive","rclass":"numeric","value":1},"2":{"type":"primitive","rclass":"numeric","value":2},"a.1":{"type":"primitive","rclass":"numeric","value":3}}}"#,
        r#"<robject name="v" type="list"><robject name="a" type="primitive"><numeric value="1"/></robject><robject name="2" type="primitive"><numeric value="2"/></robject><robject name="a.1" type="primitive"><numeric value="3"/></robject></robject>"#,
    ),
    Row(
        "list(a = 1, a = 2, a.1 = 3)",
        r#"{"type":"list","rclass":"list","value":{"a":{"type":"primitive","rclass":"numeric","value":1},"a.2":{"type":"primitive","rclass":"numeric","value":2},"a.1":{"type":"primitive","rclass":"numeric","value":3}}}"#,
        r#"<robject name="v" type="list"><robject name="a" type="primitive"><numeric value="1"/></robject><robject name="a.2" type="primitive"><numeric value="2"/></robject><robject name="a.1" type="primitive"><numeric value="3"/></robject></robject>"#,
    ),
    Row("list()", r#"{"type":"list","rclass":"list","value":{}}"#, r#"<robject name="v" type="list"></robject>"#),
    Row(
        "list(f = sum, d = as.Date('2010-04-20'))",
        r#"{"type":"list","rclass":"list","value":{"f":{"type":"function","rclass":"function","value":null},"d":{"type":"date","rclass":"date","format":"%Y-%m-%d","value":"2010-04-20"}}}"#,
        r#"<robject name="v" type="list"><robject name="f" type="function"/><robject name="d" type="date" format="%Y-%m-%d"><date value="2010-04-20"/></robject></robject>"#,
    ),
    // Data frames
    Row(
        "data.frame(a = 1:2, b = c('x', NA))",
        r#"{"type":"dataframe","rclass":"data.frame","value":{"a":{"type":"vector","rclass":"numeric","value":[1,2]},"b":{"type":"vector","rclass":"character","value":["x",null]}}}"#,
        r#"<robject name="v" type="dataframe"><robject name="a" type="vector"><numeric value="1,2"/></robject><robject name="b" type="vector"><character value="x,"/></robject></robject>"#,
    ),
    Row(
        "data.frame(f = factor('u'), d = as.Date('2010-04-20'))",
        r#"{"type":"dataframe","rclass":"data.frame","value":{"f":{"type":"factor","rclass":"factor","ordered":false,"levels":["u"],"value":["u"]},"d":{"type":"vector","rclass":"date","format":"%Y-%m-%d","value":["2010-04-20"]}}}"#,
        r#"<robject name="v" type="dataframe"><robject name="f" type="factor" ordered="false"><values value="u"/><levels value="u"/></robject><robject name="d" type="vector" format="%Y-%m-%d"><date value="2010-04-20"/></robject></robject>"#,
    ),
    Row(
        "structure(data.frame(a = 1), class = c('tbl_df', 'tbl', 'data.frame'))",
        r#"{"type":"dataframe","rclass":"data.frame","value":{"a":{"type":"vector","rclass":"numeric","value":[1]}}}"#,
        r#"<robject name="v" type="dataframe"><robject name="a" type="vector"><numeric value="1"/></robject></robject>"#,
    ),
    Row(
        "data.frame(a = I(list(1, 2)))",
        r#"{"type":"dataframe","rclass":"data.frame","value":{"a":{"type":"AsIs","rclass":"AsIs","value":null}}}"#,
        r#"<robject name="v" type="dataframe"><robject name="a" type="AsIs"/></robject>"#,
    ),
    Row("data.frame()", r#"{"type":"dataframe","rclass":"data.frame","value":{}}"#, r#"<robject name="v" type="dataframe"></robject>"#),
    Row(
        "list(x = data.frame(x = c(0, 10), y = c('zero', 'ten')))",
        r#"{"type":"list","rclass":"list","value":{"x":{"type":"dataframe","rclass":"data.frame","value":{"x":{"type":"vector","rclass":"numeric","value":[0,10]},"y":{"type":"vector","rclass":"character","value":["zero","ten"]}}}}}"#,
        r#"<robject name="v" type="list"><robject name="x" type="dataframe"><robject name="x" type="vector"><numeric value="0,10"/></robject><robject name="y" type="vector"><character value="zero,ten"/></robject></robject></robject>"#,
    ),
    // Objects without a value in the model
    Row("sum", r#"{"type":"function","rclass":"function","value":null}"#, r#"<robject name="v" type="function"/>"#),
    Row("function(x) x", r#"{"type":"function","rclass":"function","value":null}"#, r#"<robject name="v" type="function"/>"#),
    Row("new.env()", r#"{"type":"environment","rclass":"environment","value":null}"#, r#"<robject name="v" type="environment"/>"#),
    Row("1i", r#"{"type":"complex","rclass":"complex","value":null}"#, r#"<robject name="v" type="complex"/>"#),
    Row("as.raw(1)", r#"{"type":"raw","rclass":"raw","value":null}"#, r#"<robject name="v" type="raw"/>"#),
    Row("quote(a + b)", r#"{"type":"call","rclass":"call","value":null}"#, r#"<robject name="v" type="call"/>"#),
    Row("quote(a)", r#"{"type":"name","rclass":"name","value":null}"#, r#"<robject name="v" type="name"/>"#),
    Row("y ~ x", r#"{"type":"formula","rclass":"formula","value":null}"#, r#"<robject name="v" type="formula"/>"#),
    Row("expression(a)", r#"{"type":"expression","rclass":"expression","value":null}"#, r#"<robject name="v" type="expression"/>"#),
    Row("lm(dist ~ speed, cars)", r#"{"type":"lm","rclass":"lm","value":null}"#, r#"<robject name="v" type="lm"/>"#),
    Row("array(1:8, c(2, 2, 2))", r#"{"type":"array","rclass":"array","value":null}"#, r#"<robject name="v" type="array"/>"#),
    Row("ts(1:3)", r#"{"type":"ts","rclass":"ts","value":null}"#, r#"<robject name="v" type="ts"/>"#),
    Row("table(c(1, 1))", r#"{"type":"table","rclass":"table","value":null}"#, r#"<robject name="v" type="table"/>"#),
    Row(
        "as.difftime(1, units = 'secs')",
        r#"{"type":"difftime","rclass":"difftime","value":null}"#,
        r#"<robject name="v" type="difftime"/>"#,
    ),
    Row("structure(1, class = 'mine')", r#"{"type":"mine","rclass":"mine","value":null}"#, r#"<robject name="v" type="mine"/>"#),
    Row(
        "getClass('numeric')",
        r#"{"type":"classRepresentation","rclass":"classRepresentation","value":null}"#,
        r#"<robject name="v" type="classRepresentation"/>"#,
    ),
];

async fn raw(session: &Session, name: &str, format: &str, slice: &[(&str, &str)]) -> String {
    let reply = session.get("object/get", &[&[("name", name), ("format", format)], slice].concat()).await;
    assert_eq!(reply.status, 200, "{}", reply.text());
    reply.text().to_owned()
}

/// The text between two others.
fn between<'t>(text: &'t str, before: &str, after: &str) -> &'t str {
    let rest = text.split_once(before).unwrap_or_else(|| panic!("{before} is not in {text}")).1;
    rest.rsplit_once(after).unwrap_or_else(|| panic!("{after} is not in {text}")).0
}

#[tokio::test]
async fn every_row_of_the_type_model() {
    let session = Client::admin(Server::shared()).await.session().await;
    for Row(expression, json, xml) in ROWS {
        session.run(&format!("v <- {expression}")).await;
        let text = raw(&session, "v", "json", &[]).await;
        serde_json::from_str::<Value>(&text).unwrap();
        assert_eq!(between(&text, "\"robjects\":{\"v\":", "}}}}"), *json, "{expression}");
        let text = raw(&session, "v", "xml", &[]).await;
        Document::parse(&text).unwrap();
        assert_eq!(between(&text, "<robjects>", "</robjects>"), *xml, "{expression}");
    }
}

#[tokio::test]
async fn doubles_are_what_r_holds() {
    let session = Client::admin(Server::shared()).await.session().await;
    // Random bit patterns include denormals and extremes.
    let code = "set.seed(20100420); bits <- as.raw(sample(0:255, 8 * 12000, TRUE)); \
                x <- readBin(bits, 'double', 12000, endian = 'little'); x[1:4] <- c(4.9406564584124654e-324, .Machine$double.xmax, -0, 1e22); \
                hex <- sprintf('%a', x)";
    let response = session.execute(code, &[("robjects", "x,hex")]).await.success();
    let numbers = response["robjects"]["x"]["value"].as_array().unwrap();
    let hex = response["robjects"]["hex"]["value"].as_array().unwrap();
    assert_eq!(numbers.len(), 12_000);
    let mut compared = 0;
    for (number, hex) in numbers.iter().zip(hex) {
        let hex = hex.as_str().unwrap();
        match number {
            Value::Number(number) => {
                assert_eq!(number.as_f64().unwrap().to_bits(), parse_hex(hex).to_bits(), "{number} {hex}");
                compared += 1;
            }
            Value::Null => assert!(hex.contains("nan") || hex == "NA" || hex == "NaN", "{hex}"),
            other => panic!("{other} {hex}"),
        }
    }
    assert!(compared > 10_000, "{compared}");
    let xml = session.get("object/get", &[("name", "x"), ("format", "xml")]).await;
    let document = Document::parse(xml.text()).unwrap();
    let values = document.descendants().find(|node| node.has_tag_name("numeric")).unwrap().attribute("value").unwrap();
    for (text, number) in values.split(',').zip(numbers) {
        match number {
            Value::Number(number) => assert_eq!(text.parse::<f64>().unwrap().to_bits(), number.as_f64().unwrap().to_bits()),
            _ => assert_eq!(text, ""),
        }
    }
}

/// C's `%a`: `-0x1.8p+1`.
fn parse_hex(text: &str) -> f64 {
    let (sign, rest) = text.strip_prefix('-').map_or((1.0, text), |rest| (-1.0, rest));
    let (mantissa, exponent) = rest.strip_prefix("0x").unwrap().split_once('p').unwrap();
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = u64::from_str_radix(&format!("{whole}{fraction}"), 16).unwrap();
    let exponent = exponent.parse::<i32>().unwrap() - 4 * i32::try_from(fraction.len()).unwrap();
    // In two steps, because 2^-1074 is the smallest number that a double can be.
    #[expect(clippy::cast_precision_loss, reason = "at most 53 bits")]
    let value = digits as f64 * 2f64.powi(exponent / 2) * 2f64.powi(exponent - exponent / 2);
    sign * value
}

#[tokio::test]
async fn start_and_length_take_a_part() {
    let session = Client::admin(Server::shared()).await.session().await;
    session
        .run("v <- 1:10; s <- letters; m <- matrix(1:6, 3); d <- data.frame(a = 1:3, b = letters[1:3]); l <- list(x = 1, y = 2, 3); f <- factor(c('a', 'b')); p <- 7")
        .await;
    for (name, start, length, expected) in [
        ("v", "2", "3", json!([3, 4, 5])),
        ("v", "8", "", json!([9, 10])),
        ("v", "", "1", json!([1])),
        ("v", "10", "1", json!([])),
        ("v", "99999999999", "5", json!([])),
        ("s", "25", "9", json!(["z"])),
        ("m", "1", "1", json!([[2, 5]])),
        ("f", "1", "1", json!(["b"])),
        ("p", "3", "1", json!(7)),
    ] {
        let response = session.get("object/get", &[("name", name), ("start", start), ("length", length)]).await.success();
        assert_eq!(response["robjects"][name]["value"], expected, "{name} {start} {length}");
    }
    let rows = session.get("object/get", &[("name", "d"), ("start", "1"), ("length", "1")]).await.success();
    assert_eq!(rows["robjects"]["d"]["value"]["a"]["value"], json!([2]));
    assert_eq!(rows["robjects"]["d"]["value"]["b"]["value"], json!(["b"]));
    let items = session.get("object/get", &[("name", "l"), ("start", "1"), ("length", "5")]).await.success();
    let items = items["robjects"]["l"]["value"].as_object().unwrap();
    assert_eq!(items.keys().collect::<Vec<_>>(), ["3", "y"]);
    let levels = session.get("object/get", &[("name", "f"), ("start", "2")]).await.success();
    assert_eq!(levels["robjects"]["f"]["levels"], json!(["a", "b"]));
    let xml = raw(&session, "m", "xml", &[("start", "2"), ("length", "1")]).await;
    assert_eq!(between(&xml, "<robjects>", "</robjects>"), r#"<robject name="m" type="matrix"><numeric value="3,6"/></robject>"#);
}

#[tokio::test]
async fn strings_of_every_encoding() {
    let session = Client::admin(Server::shared()).await.session().await;
    session.run("v <- c('plain', 'gr\\u00fc\\u00dfe \\U0001F642', 'caf\\xe9', 'bad\\xff'); Encoding(v[3]) <- 'latin1'; Encoding(v[4]) <- 'bytes'").await;
    let response = session.get("object/get", &[("name", "v")]).await.success();
    assert_eq!(response["robjects"]["v"]["value"], json!(["plain", "grüße 🙂", "café", "bad\\xff"]));
    session.run("v <- list(1); names(v) <- 'caf\\xe9'; Encoding(names(v)) <- 'latin1'").await;
    session.run("n <- 'caf\\xe9'; Encoding(n) <- 'latin1'; v <- setNames(list(1), n)").await;
    let response = session.get("object/get", &[("name", "v")]).await.success();
    assert_eq!(response["robjects"]["v"]["value"]["café"]["value"], 1);
    session.run("v <- c('tab\\t', 'bell\\a', '\\001'); ").await;
    let xml = raw(&session, "v", "xml", &[]).await;
    Document::parse(&xml).unwrap();
}

#[tokio::test]
async fn compact_sequences_are_not_expanded() {
    let server = Server::start("[sessions]\npool = 0\nmemory_mib = 100");
    let session = Client::admin(&server).await.session().await;
    // Two billion integers would be 8 GB.
    session.run("v <- 1:2000000000; d <- 0 + 0; i <- structure(list(v = v), class = 'data.frame')").await;
    let response = session.get("object/get", &[("name", "v"), ("start", "1999999997")]).await.success();
    assert_eq!(response["robjects"]["v"]["value"], json!([1_999_999_998, 1_999_999_999, 2_000_000_000]));
    let response = session.get("object/list", &[]).await.success();
    assert_eq!(response["robjects"]["v"]["type"], "vector");
    session.run("v <- 1:100000").await;
    let before = session.value("sum(gc()[, 2])").await["value"].as_f64().unwrap();
    let response = session.get("object/get", &[("name", "v")]).await.success();
    assert_eq!(response["robjects"]["v"]["value"].as_array().unwrap().len(), 100_000);
    let after = session.value("sum(gc()[, 2])").await["value"].as_f64().unwrap();
    assert!(after - before < 0.3, "{before} {after}");
}

#[tokio::test]
async fn large_vectors_come_whole() {
    let session = Client::admin(Server::shared()).await.session().await;
    session.run("x <- seq(0.5, by = 1, length.out = 1e6); s <- sprintf('string %d', 1:1e5); attr(x, 'y') <- 1").await;
    let response = session.get("object/get", &[("name", "x")]).await.success();
    let numbers = response["robjects"]["x"]["value"].as_array().unwrap();
    assert_eq!(numbers.len(), 1_000_000);
    assert!(numbers.iter().enumerate().all(|(at, number)| number.as_f64() == Some(at as f64 + 0.5)));
    let response = session.get("object/get", &[("name", "s")]).await.success();
    let strings = response["robjects"]["s"]["value"].as_array().unwrap();
    assert!(strings.iter().enumerate().all(|(at, text)| text.as_str() == Some(&format!("string {}", at + 1))));
}

#[tokio::test]
async fn lists_name_what_they_cannot_show() {
    let session = Client::admin(Server::shared()).await.session().await;
    session.run("x <- 1; f <- function() 1; .hidden <- 1; delayedAssign('p', stop('never forced')); makeActiveBinding('a', function() stop('never run'), globalenv())").await;
    let all = session.get("object/list", &[]).await.success();
    let names: Vec<_> = all["robjects"].as_object().unwrap().keys().cloned().collect();
    assert_eq!(names, ["a", "f", "x"]);
    assert_eq!(all["robjects"]["a"], json!({"type": "activeBinding", "rclass": "activeBinding"}));
    let filtered = session.get("object/list", &[("filter", "TRUE")]).await.success();
    assert_eq!(filtered["robjects"].as_object().unwrap().keys().cloned().collect::<Vec<_>>(), ["x"]);
    let unreadable = session.get("object/get", &[("name", "p")]).await.json();
    assert_eq!((&unreadable["success"], &unreadable["error"]), (&json!(false), &json!("never forced")));
    assert_eq!(session.value("x").await["value"], 1);
}

#[tokio::test]
async fn a_list_describes_factors_and_dates_alike_in_json_and_in_xml() {
    let session = Client::admin(Server::shared()).await.session().await;
    session.run("o <- factor('a', ordered = TRUE); f <- factor('b'); d <- as.Date('2010-04-20'); t <- Sys.time() + 0:1").await;
    let listed = session.get("object/list", &[]).await.success()["robjects"].clone();
    assert_eq!(listed["o"], json!({"type": "factor", "rclass": "factor", "ordered": true}));
    assert_eq!(listed["f"]["ordered"], false);
    let xml = session.get("object/list", &[("format", "xml")]).await;
    assert!(xml.text().contains(r#"<robject name="o" type="factor" ordered="true" rclass="factor"/>"#), "{}", xml.text());
    for (name, value) in [("d", "d"), ("t", "t")] {
        let got = session.get("object/get", &[("name", value)]).await.success()["robjects"][name].clone();
        let format = got["format"].as_str().unwrap();
        assert_eq!(listed[name]["format"], format);
        assert!(xml.text().contains(&format!(r#"<robject name="{name}" type="{}" format="{format}""#, got["type"].as_str().unwrap())));
    }
}
