//! Commands: their order, waiting for them, their results, and their removal.

use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{PATIENCE, Reply, Rock, RockSession, Server, UNTIL_GO, read, until};

async fn command(session: &RockSession, id: &str) -> Value {
    session.get(&format!("/command/{id}")).await.document()
}

async fn finished(session: &RockSession, id: &str) -> Value {
    session.get(&format!("/command/{id}?wait=TRUE")).await.document()
}

/// Lets the code [`UNTIL_GO`] continue.
async fn go(session: &RockSession) {
    assert_eq!(session.upload("?path=go", "go", b"", &[]).await.status, 200);
}

async fn result(session: &RockSession, id: &str, query: &str) -> Reply {
    session.get(&format!("/command/{id}/result{query}")).await
}

#[tokio::test]
async fn a_command_is_pending_then_running_then_done() {
    let session = Rock::by("user").open().await;
    let first = session.occupy(UNTIL_GO).await;
    let second = session.submit("x <- 2; x * 21").await;
    assert_eq!((&second["id"], &second["status"], &second["finished"]), (&json!("2"), &json!("PENDING"), &json!(false)));
    assert!(second.get("startDate").is_none() && second.get("endDate").is_none() && second.get("error").is_none());
    // The command has not ended: the result is empty, and the command is kept.
    let early = result(&session, "2", "").await;
    assert_eq!((early.status.as_u16(), early.body.len()), (204, 0));
    assert!(!early.headers.contains_key("content-type"));
    go(&session).await;
    assert_eq!(finished(&session, &first).await["status"], "COMPLETED");
    let done = finished(&session, "2").await;
    assert_eq!((&done["status"], &done["withResult"], &done["withError"]), (&json!("COMPLETED"), &json!(true), &json!(false)));
    assert!(done["startDate"].as_str().unwrap() >= done["createdDate"].as_str().unwrap());
    assert!(done["endDate"].as_str().unwrap() >= done["startDate"].as_str().unwrap());
    let ids: Vec<_> = session.get("/commands").await.document().as_array().unwrap().iter().map(|command| command["id"].clone()).collect();
    assert_eq!(ids, ["1", "2"]);
    assert_eq!(result(&session, "2", "?rm=false").await.document(), 42);
    assert_eq!(result(&session, "2", "").await.document(), 42);
    assert_eq!(result(&session, "2", "").await.status, 404);
}

#[tokio::test]
async fn the_form_is_that_which_the_submitter_takes() {
    let session = Rock::by("user").open().await;
    let request = session.client.request(reqwest::Method::POST, &format!("{}/_eval?async=TRUE", session.path));
    let submitted = crate::harness::read(
        request.header("accept", "application/octet-stream").header("content-type", "application/x-rscript").body("1L"),
    )
    .await;
    assert_eq!((submitted.status.as_u16(), submitted.headers["content-type"].to_str().unwrap()), (201, "application/json"));
    assert!(submitted.headers["location"].to_str().unwrap().ends_with(&format!("{}/command/1", session.path)));
    let value = result(&session, "1", "?wait=yes").await;
    assert_eq!(value.headers["content-type"], "application/octet-stream");
    assert_eq!(&value.body[..2], b"X\n");
}

#[tokio::test]
async fn errors_of_failed_commands_are_kept() {
    let session = Rock::by("user").open().await;
    session.submit("stop('first')").await;
    let failed = finished(&session, "1").await;
    assert_eq!((&failed["status"], &failed["withError"], &failed["withResult"]), (&json!("FAILED"), &json!(true), &json!(false)));
    assert_eq!(failed["error"], "first\n");
    // Fetching the result keeps a failed command and its error, even with `rm`.
    assert_eq!(result(&session, "1", "?rm=true").await.status, 204);
    let waited = result(&session, "1", "?rm=true&wait=true").await;
    assert_eq!((waited.status.as_u16(), &waited.document()["message"]), (400, &json!("first\n")));
    assert_eq!(command(&session, "1").await["error"], "first\n");
    assert_eq!(session.delete("/command/1").await.status, 204);
    assert_eq!(session.delete("/command/1").await.status, 404);
    // An assignment has no result.
    let reply = session.client.script(&format!("{}/_assign?s=y&async=on", session.path), "1:3").await;
    assert_eq!(reply.document()["script"], "base::assign('y', 1:3)");
    assert_eq!(finished(&session, "2").await["withResult"], false);
    assert_eq!(result(&session, "2", "").await.status, 204);
    assert_eq!(session.get("/command/2").await.status, 404);
    assert_eq!(session.value("y").await, json!([1, 2, 3]));
}

#[tokio::test]
async fn a_removed_command_does_not_run_and_a_running_one_goes_on() {
    let session = Rock::by("user").open().await;
    let running = session.occupy(&format!("{UNTIL_GO}; first <- 1")).await;
    session.submit("second <- 2").await;
    session.submit("third <- 3").await;
    let waiting = {
        let session = session.clone();
        tokio::spawn(async move { session.get("/command/2?wait=true").await })
    };
    assert_eq!(session.delete("/command/2").await.status, 204);
    // A client that waits for the command gets an answer.
    assert_eq!(waiting.await.unwrap().status, 404);
    assert_eq!(session.delete(&format!("/command/{running}")).await.status, 204);
    go(&session).await;
    assert_eq!(finished(&session, "3").await["status"], "COMPLETED");
    assert_eq!(session.value("ls()").await, json!(["first", "third"]));
}

#[tokio::test]
async fn the_queue_has_an_end_and_removal_makes_room() {
    let server = Server::start(&Rock::settings("[sessions]\npool = 0\nqueue = 2"));
    let session = Rock::on(&server, "user").open().await;
    session.occupy(UNTIL_GO).await;
    session.submit("1").await;
    session.submit("2").await;
    for path in ["/_eval?async=true", "/_eval", "/_assign?s=x"] {
        let refused = session.client.script(&format!("{}{path}", session.path), "3").await;
        assert_eq!((refused.status.as_u16(), &refused.document()["key"]), (429, &json!("RejectedExecutionException")), "{path}");
    }
    assert_eq!(session.delete("/command/3").await.status, 204);
    session.submit("3").await;
    session.delete("").await;
}

#[tokio::test]
async fn waiters_are_never_left_behind() {
    let session = Rock::by("user").open().await;
    for round in 1..=200 {
        session.submit("NULL").await;
        let waited = tokio::time::timeout(PATIENCE, result(&session, &round.to_string(), "?wait=true")).await;
        assert_eq!(waited.expect("the waiter is woken").text(), "null");
    }
}

#[tokio::test]
async fn a_wait_ends_when_the_client_leaves() {
    // On a server of its own, no other clients come and go.
    let server = Server::start(&Rock::settings("[sessions]\npool = 0"));
    let session = Rock::on(&server, "user").open().await;
    let running = session.occupy(UNTIL_GO).await;
    if !server.is_transparent() {
        return;
    }
    let server_connections = || server.descriptors().iter().filter(|name| name.to_string_lossy().starts_with("socket:")).count();
    let before = server_connections();
    let address = server.address.trim_start_matches("http://").to_owned();
    let mut connections = Vec::new();
    for _ in 0..50 {
        use std::io::Write;
        let mut stream = std::net::TcpStream::connect(&address).unwrap();
        let authorization = "dXNlcjpwYXNzd29yZA==";
        write!(
            stream,
            "GET {}/command/{running}?wait=true HTTP/1.1\r\nHost: localhost\r\nAuthorization: Basic {authorization}\r\n\r\n",
            session.path
        )
        .unwrap();
        connections.push(stream);
    }
    crate::harness::eventually("the requests are there", || server_connections() >= before + 50);
    drop(connections);
    crate::harness::eventually("the requests have ended", || server_connections() < before + 25);
    session.delete("").await;
}

#[tokio::test]
async fn an_operation_that_nobody_waits_for_any_more_does_not_begin() {
    let server = Server::start(&Rock::settings("[sessions]\npool = 0\nqueue = 1"));
    let session = Rock::on(&server, "user").open().await;
    let running = session.occupy(UNTIL_GO).await;
    let abandoned = tokio::spawn({
        let session = session.clone();
        // The attempts below may take the place first.
        async move { while session.eval("left <- 1").await.status == 429 {} }
    });
    // The operation is in the queue when nothing else finds room there, and gone when something else does.
    let submit = async || session.client.script(&format!("{}/_eval?async=true", session.path), "NULL").await;
    while let reply = submit().await
        && reply.status == 201
    {
        session.delete(&format!("/command/{}", reply.document()["id"].as_str().unwrap())).await;
    }
    abandoned.abort();
    until("there is room", async || submit().await.status == 201).await;
    crate::harness::read(session.client.request(reqwest::Method::POST, &format!("{}/_interrupt", session.path))).await;
    assert_eq!(finished(&session, &running).await["error"], "The operation was interrupted");
    assert_eq!(session.value("exists('left')").await, false);
}

#[tokio::test]
async fn calls_that_are_waited_for_and_others_keep_their_order() {
    let session = Rock::by("user").open().await;
    session.value("seen <- integer()").await;
    let clients: Vec<_> = (0..20)
        .map(|client| {
            let session = session.clone();
            tokio::spawn(async move {
                for step in 0..10 {
                    let code = format!("seen <- c(seen, {})", client * 100 + step);
                    if step % 2 == 0 {
                        session.submit(&code).await;
                    } else {
                        session.value(&code).await;
                    }
                }
            })
        })
        .collect();
    for client in clients {
        client.await.unwrap();
    }
    let seen = session.value("seen").await;
    let seen: Vec<i64> = seen.as_array().unwrap().iter().map(|value| value.as_i64().unwrap()).collect();
    assert_eq!(seen.len(), 200);
    for client in 0..20 {
        let own: Vec<_> = seen.iter().filter(|value| *value / 100 == client).map(|value| value % 100).collect();
        assert_eq!(own, (0..10).collect::<Vec<_>>(), "client {client}");
    }
    let commands = session.get("/commands").await.document();
    let numbers: Vec<i64> = commands.as_array().unwrap().iter().map(|command| command["id"].as_str().unwrap().parse().unwrap()).collect();
    assert_eq!(numbers, (1..=100).collect::<Vec<_>>());
}

#[tokio::test]
async fn unknown_commands_are_told() {
    let session = Rock::by("user").open().await;
    session.submit("1").await;
    for id in ["2", "0", "01", "-1", "x", "1.0", "18446744073709551616"] {
        for path in [format!("/command/{id}"), format!("/command/{id}/result"), format!("/command/{id}?wait=true")] {
            let reply = session.get(&path).await.document();
            assert_eq!((&reply["key"], &reply["args"]), (&json!("NoSuchRCommandException"), &json!([id])), "{path}");
        }
    }
    assert_eq!(session.get("/command/1?wait=maybe").await.status, 400);
}

#[tokio::test]
async fn a_look_at_the_head_of_a_result_leaves_it_there() {
    let session = Rock::by("user").open().await;
    session.submit("42").await;
    session.get("/command/1?wait=true").await;
    let head = read(session.client.request(Method::HEAD, &format!("{}/command/1/result", session.path))).await;
    assert_eq!((head.status.as_u16(), head.body.len()), (200, 0));
    assert_eq!(session.get("/command/1/result").await.text(), "42");
    assert_eq!(session.get("/command/1").await.status, 404);
}
