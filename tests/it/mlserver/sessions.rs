//! Sessions and what is in them.

use reqwest::{Method, header};
use serde_json::{Value, json};

use super::client::Ml;
use crate::harness::{Server, UNTIL_GO, read, until};

#[tokio::test]
async fn code_prints_what_r_prints_at_its_prompt() {
    let session = Ml::new(Ml::server(), "prompt").await.open().await;
    assert_eq!(session.prints("x <- 1:3; x\ninvisible(2)\n'größe'").await, "[1] 1 2 3\n[1] \"größe\"\n");
    assert_eq!(session.prints("warning('careful'); 1").await, "Warning message:\ncareful \n[1] 1\n");
    let failed = session.run(json!({ "code": "cat('before\\n'); f <- function() stop('no'); f(); cat('after')" })).await;
    assert_eq!(failed["success"], false);
    assert_eq!(failed["errorMessage"], "Error in f() : no");
    assert_eq!(failed["consoleOutput"], "before\nError in f() : no\n");
    let wrong = session.run(json!({ "code": "1 +" })).await;
    assert_eq!(wrong["success"], false);
    assert!(wrong["errorMessage"].as_str().unwrap().contains("unexpected end of input"), "{wrong}");
    // The session lives on, with what was done before the error.
    assert_eq!(session.prints("x").await, "[1] 1 2 3\n");
}

#[tokio::test]
async fn inputs_come_in_and_outputs_go_out() {
    let session = Ml::new(Ml::server(), "values").await.open().await;
    let result = session
        .run(json!({
            "code": "y <- x * 2; frame$c <- frame$a + 1; s <- paste(text, 'there')",
            "inputParameters": [
                { "name": "x", "value": [1, 2.5, null] },
                { "name": "frame", "value": { "a": [1, 2], "b": ["u", "v"] } },
                { "name": "text", "value": "hello" },
            ],
            "outputParameters": ["y", "frame", "s"],
        }))
        .await;
    let outputs = json!([
        { "name": "y", "value": [2, 5, null] },
        { "name": "frame", "value": { "a": [1, 2], "b": ["u", "v"], "c": [2, 3] } },
        { "name": "s", "value": "hello there" },
    ]);
    assert_eq!((&result["success"], &result["outputParameters"]), (&json!(true), &outputs), "{result}");
    let missing = session.run(json!({ "code": "f <- function() 1", "outputParameters": ["nothing", "f", "s"] })).await;
    assert_eq!((&missing["success"], &missing["errorMessage"]), (&json!(false), &json!("object 'nothing' not found")));
    assert_eq!(missing["outputParameters"], json!([{ "name": "s", "value": "hello there" }]));
    for wrong in ["[{\"name\":\"x\"}]", "1", "[1]", "{\"x\":{\"a\":1"] {
        let body = format!("{{\"code\":\"1\",\"inputParameters\":{wrong}}}");
        let request = session.client.request(Method::POST, &session.at("/execute")).header(header::CONTENT_TYPE, "application/json");
        let reply = read(request.body(body)).await;
        assert_eq!(reply.status, 400, "{wrong}: {}", reply.text());
    }
}

#[tokio::test]
async fn values_of_every_kind_are_written_as_the_contract_says() {
    let session = Ml::new(Ml::server(), "kinds").await.open().await;
    for (expression, expected) in [
        ("0.1 + 0.2", json!(0.1 + 0.2)),
        ("5L", json!(5)),
        ("c(TRUE, NA)", json!([true, null])),
        ("'a'", json!("a")),
        ("matrix(1:6, 2)", json!([[1, 3, 5], [2, 4, 6]])),
        ("data.frame(x = 1.5, y = 'z')", json!({ "x": [1.5], "y": ["z"] })),
        ("data.frame(x = numeric())", json!({ "x": [] })),
        ("factor(c('b', 'a', NA))", json!(["b", "a", null])),
        ("as.Date('2016-11-20')", json!("2016-11-20")),
        (".POSIXct(0, 'UTC')", json!("1970-01-01T00:00:00Z")),
        ("numeric()", json!([])),
        ("character()", json!([])),
        ("NULL", json!(null)),
        ("NA", json!(null)),
        ("NaN", json!(null)),
        ("list(a = 1, b = 'x')", json!({ "a": 1, "b": "x" })),
        ("list(1, 'x')", json!([1, "x"])),
        ("2^60", json!(1_152_921_504_606_846_976_f64)),
    ] {
        assert_eq!(session.value(expression).await, expected, "{expression}");
    }
}

#[tokio::test]
async fn plots_without_a_device_are_files_of_400_by_400_pixels() {
    let session = Ml::new(Ml::server(), "plots").await.open().await;
    let result = session.run(json!({ "code": "plot(1:3); hist(rnorm(10)); png('own.png', 300, 200); plot(1); dev.off()" })).await;
    assert_eq!(result["changedFiles"], json!(["own.png", "unnamedplot001.png", "unnamedplot002.png"]), "{result}");
    for (name, width, height) in [("unnamedplot001.png", 400, 400), ("own.png", 300, 200)] {
        let file = session.get(&format!("/files/{name}")).await;
        assert_eq!(file.headers[header::CONTENT_TYPE], "image/png");
        // The head of a PNG has its width and height (PNG specification, section 11.2.2).
        let number = |at: usize| u32::from_be_bytes(file.body[at..at + 4].try_into().unwrap());
        assert_eq!((number(16), number(20)), (width, height), "{name}");
    }
    // A ggplot2 object is drawn when it is printed, as at the prompt.
    let result = session.run(json!({ "code": "library(ggplot2)\nggplot(mtcars, aes(wt, mpg)) + geom_point()" })).await;
    assert_eq!((&result["success"], &result["changedFiles"]), (&json!(true), &json!(["unnamedplot001.png"])), "{result}");
}

#[tokio::test]
async fn a_cancel_stops_the_code_and_keeps_the_session() {
    let session = Ml::new(Ml::server(), "cancels").await.open().await;
    let running = session.occupy("kept <- 1; cat('so far\\n'); repeat {}").await;
    until("the output is there", async || session.get("/console-output").await.document() == json!({ "consoleOutput": "so far\n" })).await;
    assert_eq!(session.post("/cancel", Value::Null).await.status, 200);
    let result = running.await.unwrap();
    assert_eq!((&result["success"], &result["errorMessage"]), (&json!(false), &json!("The code was cancelled.")));
    assert_eq!(session.prints("kept").await, "[1] 1\n");
    // If nothing runs, nothing is stopped.
    assert_eq!(session.post("/cancel", Value::Null).await.status, 200);
    assert_eq!(session.prints("kept").await, "[1] 1\n");
    let history = session.get("/history").await.document();
    assert_eq!(history.as_array().unwrap()[1..], [json!("kept"), json!("kept")]);
}

#[tokio::test]
async fn console_output_can_be_had_while_it_is_printed() {
    let session = Ml::new(Ml::server(), "watches").await.open().await;
    let running = session.occupy(&format!("cat('one\\n'); {UNTIL_GO}; cat('two\\n')")).await;
    let request = session.client.request(Method::GET, &session.at("/console-output")).header(header::ACCEPT, "text/event-stream");
    let mut stream = request.send().await.unwrap();
    assert_eq!(stream.headers()[header::CONTENT_TYPE], "text/event-stream");
    let mut text = String::new();
    while !text.contains("one") {
        text.push_str(std::str::from_utf8(&stream.chunk().await.unwrap().unwrap()).unwrap());
    }
    // Files can be sent while the code runs.
    assert_eq!(session.upload("go", b"").await.status, 201);
    while let Some(piece) = stream.chunk().await.unwrap() {
        text.push_str(std::str::from_utf8(&piece).unwrap());
    }
    assert_eq!(text, "event: console\ndata: \"one\\n\"\n\nevent: console\ndata: \"two\\n\"\n\nevent: end\ndata: null\n\n");
    assert_eq!(running.await.unwrap()["consoleOutput"], "one\ntwo\n");
}

#[tokio::test]
async fn objects_go_as_r_writes_them() {
    let session = Ml::new(Ml::server(), "objects").await.open().await;
    session.prints("model <- lm(mpg ~ wt, mtcars); x <- 1:3; .hidden <- 1").await;
    assert_eq!(session.get("/workspace").await.document(), json!(["model", "x"]));
    let file = session.get("/workspace/model").await;
    assert_eq!((file.status.as_u16(), &file.body[..5]), (200, b"RDX3\n".as_slice()));
    assert_eq!(file.headers[header::CONTENT_TYPE], "application/octet-stream");
    // As serialize() writes it, as saveRDS() does, and a file of save(), which has names of its own.
    session.prints("con <- file('a.bin', 'wb'); writeBin(serialize(c(a = 1), NULL), con); close(con); saveRDS(letters, 'b.rds')").await;
    for (name, content) in [("a", session.get("/files/a.bin").await.body), ("with blank", session.get("/files/b.rds").await.body)] {
        let path = session.at(&format!("/workspace/{}", name.replace(' ', "%20")));
        let reply =
            read(session.client.request(Method::POST, &path).header(header::CONTENT_TYPE, "application/octet-stream").body(content)).await;
        assert_eq!((reply.status.as_u16(), reply.text()), (200, ""));
    }
    let reply = read(session.client.request(Method::POST, &session.at("/workspace/other")).body(file.body)).await;
    assert_eq!(reply.status, 200, "{}", reply.text());
    assert_eq!(
        session.prints("a; `with blank`[1:2]; class(model); exists('other')").await,
        "a \n1 \n[1] \"a\" \"b\"\n[1] \"lm\"\n[1] FALSE\n"
    );
    assert_eq!(session.delete("/workspace/a").await.status, 200);
    for (method, name) in [("GET", "a"), ("DELETE", "a"), ("GET", "no%00thing")] {
        let reply = session.client.call(method, &session.at(&format!("/workspace/{name}")), Value::Null).await;
        assert_eq!(reply.status, 404, "{method} {name}: {}", reply.text());
    }
    for wrong in ["no R data", "", "X\n"] {
        let reply = read(session.client.request(Method::POST, &session.at("/workspace/b")).body(wrong)).await;
        assert_eq!(reply.status, 400, "{wrong:?}: {}", reply.text());
    }
    assert_eq!(session.prints("exists('b')").await, "[1] FALSE\n");
}

#[tokio::test]
async fn files_come_and_go_and_none_is_outside() {
    let session = Ml::new(Ml::server(), "files").await.open().await;
    for name in ["größe.csv", "a b.txt"] {
        assert_eq!(session.upload(name, b"1,2\n").await.status, 201);
    }
    assert_eq!(session.upload("a b.txt", b"again").await.status, 201);
    session.prints("dir.create('sub'); writeLines('x', 'sub/y.txt')").await;
    assert_eq!(session.get("/files").await.document(), json!(["a b.txt", "größe.csv", "sub/y.txt"]));
    assert_eq!(session.get("/files/a%20b.txt").await.text(), "again");
    assert_eq!(session.get("/files/sub%2Fy.txt").await.text(), "x\n");
    for path in ["..%2Fsecret", "%2Fetc%2Fpasswd", "nothing", "sub%2F..%2F..%2Fx"] {
        assert_eq!(session.get(&format!("/files/{path}")).await.status, 404, "{path}");
        assert!([400, 404].contains(&session.delete(&format!("/files/{path}")).await.status.as_u16()), "{path}");
    }
    assert_eq!(session.get("/files/sub").await.status, 400);
    assert_eq!(session.delete("/files/sub%2Fy.txt").await.status, 200);
    assert_eq!(session.delete("/files/sub%2Fy.txt").await.status, 404);
    assert_eq!(session.post("/files", json!({})).await.status, 400);
}

#[tokio::test]
async fn a_session_that_is_gone_is_410_and_one_of_somebody_else_is_404() {
    let server = Ml::server();
    let (ada, bob) = (Ml::new(server, "ada").await, Ml::new(server, "bob").await);
    let session = ada.open().await;
    let other = super::client::MlSession { client: bob.clone(), path: session.path.clone() };
    for (method, below) in [("GET", "/files"), ("POST", "/execute"), ("DELETE", ""), ("DELETE", "/force"), ("GET", "/history")] {
        assert_eq!(bob.call(method, &other.at(below), json!({ "code": "1" })).await.status, 404, "{method} {below}");
    }
    assert_eq!(bob.get("/sessions").await.document(), json!([]));
    assert_eq!(session.delete("").await.status, 200);
    let gone = session.get("/workspace").await;
    assert_eq!((gone.status.as_u16(), gone.document()["link"].as_str()), (410, Some("")));
    assert_eq!(other.get("/workspace").await.status, 404);
    // One that has ended by itself says why.
    let session = ada.open().await;
    session.post("/execute", json!({ "code": "q(status = 3)" })).await;
    let reply = session.get("/workspace").await;
    assert_eq!(reply.status, 410);
    assert!(reply.document()["message"].as_str().unwrap().contains('3'), "{}", reply.text());
    assert_eq!(ada.get("/sessions/nothing/files").await.status, 404);
}

#[tokio::test]
async fn a_busy_session_ends_at_once_by_force() {
    let session = Ml::new(Ml::server(), "forces").await.open().await;
    // Neither an interrupt nor a handler of R's keeps it from ending.
    let running = session.client.clone();
    let path = session.at("/execute");
    let point = crate::harness::Point::new();
    let code = format!("{}; repeat tryCatch(repeat {{}}, interrupt = identity)", point.code());
    let running = tokio::spawn(async move { running.call("POST", &path, json!({ "code": code })).await });
    point.reached().await;
    assert_eq!(session.delete("/force").await.status, 200);
    assert_eq!(running.await.unwrap().status, 410);
    assert_eq!(session.get("/files").await.status, 410);
}

#[tokio::test]
async fn who_may_not_run_code_has_no_session() {
    let server = Ml::server();
    server.account("basic", &["BASIC_USER"]).await;
    let basic = Ml::login(server, "basic").await;
    let refused = basic.call("POST", "/sessions", Value::Null).await;
    assert_eq!(refused.status, 403);
    assert!(refused.document()["message"].as_str().unwrap().contains("POWER_USER"));
    assert_eq!(basic.get("/services").await.status, 200);
}

#[tokio::test]
async fn sessions_that_there_may_not_be_are_503() {
    let server = Server::start("[sessions]\npool = 0\nmax_per_user = 1");
    let ada = Ml::new(&server, "ada").await;
    let session = ada.open().await;
    let refused = ada.call("POST", "/sessions", Value::Null).await;
    assert_eq!((refused.status.as_u16(), refused.headers.contains_key("retry-after")), (503, true), "{}", refused.text());
    session.delete("").await;
    ada.open().await;
}

#[tokio::test]
async fn names_of_sessions_are_kept_and_made_up() {
    let ada = Ml::new(Ml::server(), "names").await;
    ada.call("POST", "/sessions", json!({ "name": "mine", "runtimeType": "R", "unknown": [1] })).await;
    ada.call("POST", "/sessions", json!({ "name": null })).await;
    let sessions = ada.get("/sessions").await.document();
    let names: Vec<_> = sessions.as_array().unwrap().iter().map(|session| session["name"].as_str().unwrap()).collect();
    assert_eq!((names[0], names[1].len()), ("mine", 15));
    for wrong in [json!({ "name": "x".repeat(300) }), json!({ "name": "a\nb" }), json!([]), json!({ "name": 1 })] {
        assert_eq!(ada.call("POST", "/sessions", wrong.clone()).await.status, 400, "{wrong}");
    }
    assert_eq!(ada.call("POST", "/sessions", json!({ "snapshotId": "nothing" })).await.status, 404);
}
