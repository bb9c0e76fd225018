//! The pipe: its handshake, its ends, and what a client may send.

use bytes::Bytes;
use offshoot::api::rtvs::message::{Message, NOTIFICATION, REQUEST};
use reqwest::Method;
use serde_json::json;
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::TcpStream,
};
use tokio_tungstenite::tungstenite::{Error, Message as Frame};

use super::client::{Broker, Client, evaluated, server_with, shared, until_dead};
use crate::harness::{PASSWORD, until};

/// The status with which a handshake was refused.
fn refused(outcome: Result<Client, Error>) -> (u16, Vec<u8>) {
    match outcome {
        Err(Error::Http(response)) => (response.status().as_u16(), response.into_body().unwrap_or_default()),
        Err(error) => panic!("{error}"),
        Ok(_) => panic!("the handshake was accepted"),
    }
}

/// The head of the answer to a request that is written as it is.
async fn head_of_answer(stream: &mut BufReader<TcpStream>, request: &str) -> String {
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        assert!(stream.read_line(&mut head).await.unwrap() > 0, "{head}");
    }
    head
}

#[tokio::test]
async fn the_first_message_is_the_greeting_and_then_comes_a_prompt() {
    let mut client = Client::connect(shared(), "greeting").await;
    let greeting = client.next().await.unwrap();
    assert_eq!((greeting.id, greeting.request, greeting.name.as_str()), (1, NOTIFICATION, "!Microsoft.R.Host"));
    assert!(greeting.json.starts_with("[1,\""), "{}", greeting.json);
    let prompt = client.prompt().await;
    assert_eq!((prompt.request, prompt.json.as_str()), (REQUEST, r#"[[0],4096,true,null,"> "]"#));
    // Evaluations are served while the prompt waits.
    assert_eq!(client.value("1 + 1").await, 2);
    let (_, output, errors) = client.interact(prompt.id, "1+1\n").await;
    assert_eq!((output.as_str(), errors.as_str()), ("[1] 2\n", ""));
}

#[tokio::test]
async fn headers_of_the_handshake_may_be_doubled() {
    let server = shared();
    let admin = Broker::admin(server);
    assert_eq!(admin.begin("doubled", json!({ "IsInteractive": true })).await.status, 200);
    let address = admin.base.trim_start_matches("http://");
    let token = base64_simd::STANDARD.encode_to_string(format!("admin:{PASSWORD}"));
    let mut stream = BufReader::new(TcpStream::connect(address).await.unwrap());
    let head = head_of_answer(
        &mut stream,
        &format!(
            "GET /sessions/doubled/pipe HTTP/1.1\r\nHost: {address}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Authorization: Basic {token}\r\nSec-WebSocket-Version: 13, 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
             Sec-WebSocket-Protocol: Microsoft.R.Host, Microsoft.R.Host\r\n\r\n"
        ),
    )
    .await;
    let head = head.to_lowercase();
    assert!(head.starts_with("http/1.1 101 "), "{head}");
    assert!(head.contains("sec-websocket-accept: s3pplmbitxaq9kygzzhzrbk+xoo=\r\n"), "{head}");
    assert!(head.contains("sec-websocket-protocol: microsoft.r.host\r\n"), "{head}");
    // A binary frame, and in it the first message.
    let mut frame = [0; 10];
    stream.read_exact(&mut frame).await.unwrap();
    assert_eq!((frame[0], &frame[2..]), (0x82, &1_u64.to_le_bytes()[..]));
}

#[tokio::test]
async fn what_is_no_handshake_or_not_for_this_client_is_refused() {
    let server = shared();
    let admin = Broker::admin(server);
    let address = admin.base.trim_start_matches("http://");
    let mut stream = BufReader::new(TcpStream::connect(address).await.unwrap());
    let head = head_of_answer(&mut stream, &format!("GET /sessions/x/pipe HTTP/1.1\r\nHost: {address}\r\n\r\n")).await;
    assert!(head.starts_with("HTTP/1.1 401 Websocket connection expected\r\n"), "{head}");
    assert!(!head.to_lowercase().contains("www-authenticate"), "{head}");
    assert_eq!(refused(admin.pipe("never-begun").await).0, 404);
    assert_eq!(refused(admin.clone().with_password("wrong").pipe("never-begun").await).0, 401);
    assert_eq!(admin.begin("taken", json!({ "IsInteractive": true })).await.status, 200);
    // Credentials of another, and none.
    assert_eq!(refused(Broker::named(server, "#unix\\admin").pipe("taken").await).0, 404);
    assert_eq!(refused(Broker::nobody(server).pipe("taken").await).0, 401);
    let mut other = admin.handshake("taken");
    other.headers_mut().insert("sec-websocket-protocol", "chat".parse().unwrap());
    assert_eq!(refused(admin.pipe_with(other).await).0, 400);
    // A page of another site.
    let mut page = admin.handshake("taken");
    page.headers_mut().insert("origin", "https://evil.example.org".parse().unwrap());
    assert_eq!(refused(admin.pipe_with(page).await).0, 400);
    let mut first = admin.pipe("taken").await.unwrap();
    let second = refused(admin.pipe("taken").await);
    assert_eq!(second, (400, b"5".to_vec()));
    first.prompt().await;
}

#[tokio::test]
async fn a_client_without_credentials_needs_an_identity_that_nobody_can_guess() {
    let server = shared();
    let (admin, nobody) = (Broker::admin(server), Broker::nobody(server));
    let id = format!("REPL_byPTAU__{}", uuid::Uuid::new_v4());
    assert_eq!(refused(nobody.pipe(&id).await).0, 404);
    assert_eq!(admin.begin(&id, json!({ "IsInteractive": true })).await.status, 200);
    let mut client = nobody.pipe(&id).await.unwrap();
    client.prompt().await;
    assert_eq!(refused(nobody.pipe(&id).await), (400, b"5".to_vec()));
    // The identity is a secret, which no log has.
    assert!(!server.log().contains(&id));
    let strict = server_with("connect_by_id = false");
    assert_eq!(Broker::admin(&strict).begin(&id, json!({})).await.status, 200);
    assert_eq!(refused(Broker::nobody(&strict).pipe(&id).await).0, 401);
}

#[tokio::test]
async fn when_the_client_leaves_r_ends_and_when_r_ends_the_client_is_told() {
    let server = shared();
    let admin = Broker::admin(server);
    for polite in [true, false] {
        let (mut client, _) = Client::at_prompt(server, "leaving").await;
        let pid = client.pid().await;
        if polite {
            client.socket.close(None).await.unwrap();
        }
        drop(client);
        until_dead(pid).await;
        until("the session is gone", async || !admin.sessions().await.contains(&"leaving".to_owned())).await;
    }
    // R ends by itself, by a signal, and by the broker.
    let (mut client, _) = Client::at_prompt(server, "quitting").await;
    client.send("?=0", json!(["q()"]), b"").await;
    assert_eq!(client.closed().await, Some(1000));
    let (mut client, _) = Client::at_prompt(server, "killed").await;
    let pid = client.pid().await;
    rustix::process::kill_process(rustix::process::Pid::from_raw(pid).unwrap(), rustix::process::Signal::KILL).unwrap();
    assert_eq!(client.closed().await, Some(1000));
    let (mut client, _) = Client::at_prompt(server, "removed").await;
    client.send("?=", json!(["while (TRUE) {}"]), b"").await;
    assert_eq!(admin.call(Method::DELETE, "/sessions/removed").await.status, 200);
    assert_eq!(client.closed().await, Some(1000));
    until("all are gone", async || {
        let sessions = admin.sessions().await;
        !["quitting", "killed", "removed"].iter().any(|id| sessions.contains(&(*id).to_owned()))
    })
    .await;
}

#[tokio::test]
async fn a_client_is_told_that_the_server_stops() {
    let mut server = server_with("");
    let (client, _) = Client::at_prompt(&server, "x").await;
    server.signal(rustix::process::Signal::TERM);
    assert_eq!(client.closed().await, Some(1001));
    assert!(server.wait().success());
}

#[tokio::test]
async fn hostile_messages_end_their_own_session_and_the_log_says_why() {
    let server = server_with("message_mib = 1");
    let (mut good, _) = Client::at_prompt(&server, "good").await;
    let message = |id, request, name: &str, json: &str| {
        Message { id, request, name: name.to_owned(), json: json.to_owned(), blob: Bytes::new() }.to_bytes()
    };
    for (frame, status, why) in [
        (Frame::Binary(Bytes::from_static(b"junk")), 1002, "it ends within its head"),
        (Frame::Binary(message(2, REQUEST, "?Nothing", "[]")), 1002, "no such message"),
        (Frame::Binary(message(2, REQUEST, "?=q", "[\"1\"]")), 1002, "there is no flag 'q'"),
        (Frame::Binary(message(2, REQUEST, "?=", "[\"1\"")), 1002, "no array in JSON"),
        (Frame::Binary(message(2, 999, ":>", "[\"1\"]")), 1002, "there is no question 999"),
        (Frame::Binary(message(2, REQUEST, "?ReadBlob", "[4242, 0, -1]")), 1002, "a blob cannot be used"),
        (Frame::Text("hello".into()), 1003, "is text, and not bytes"),
        (Frame::Binary(vec![0; 2 << 20].into()), 1009, "larger than allowed"),
    ] {
        let (mut client, _) = Client::at_prompt(&server, "bad").await;
        use futures_util::SinkExt;
        // The server may close the connection before it has read all of it.
        let _ = client.socket.send(frame).await;
        let closed = client.closed().await;
        assert!(closed == Some(status) || (status == 1009 && closed.is_none()), "{why}: {closed:?}");
        until(why, async || server.log().contains(why)).await;
    }
    // The same id twice, while the first is not answered.
    let (mut client, _) = Client::at_prompt(&server, "bad").await;
    for _ in 0..2 {
        client.send_bytes(message(2, REQUEST, "?=@", "[\"readline()\"]")).await;
    }
    assert_eq!(client.closed().await, Some(1002));
    until("the log says why", async || server.log().contains("another request with its id, 2, is not answered yet")).await;
    assert_eq!(good.value("6 * 7").await, 42);
    // Arguments may be anybody's secrets.
    assert!(!server.log().contains("readline"));
}

#[tokio::test]
async fn blobs_are_written_and_read() {
    let (mut client, _) = Client::at_prompt(shared(), "blobs").await;
    let created = client.ask("?CreateBlob", json!([]), b"").await;
    let id = serde_json::from_str::<Vec<u64>>(&created.json).unwrap()[0];
    let bytes: Vec<u8> = (0..300_000_u32).map(|at| (at % 251) as u8).collect();
    for (at, piece) in bytes.chunks(80 << 10).enumerate() {
        let size = client.ask("?WriteBlob", json!([id, at * (80 << 10)]), piece).await;
        assert_eq!(size.json, format!("[{}]", at * (80 << 10) + piece.len()));
    }
    assert_eq!(client.ask("?GetBlobSize", json!([id]), b"").await.json, "[300000]");
    let read = client.ask("?ReadBlob", json!([id, 0, -1]), b"").await;
    assert_eq!((read.json.as_str(), &read.blob[..]), ("[]", &bytes[..]));
    assert_eq!(client.ask("?ReadBlob", json!([id, 300_000, 10]), b"").await.blob, "");
    let raw = client.eval("as.raw(0:4)", "r").await;
    assert_eq!((raw.value, &raw.blob[..]), (json!(null), &[0, 1, 2, 3, 4][..]));
    client.send("!DestroyBlob", json!([id, 4242]), b"").await;
    assert_eq!(client.value("1").await, 1);
}

#[tokio::test]
async fn everything_can_be_stopped_while_r_computes_and_evaluations_wait() {
    let (mut client, prompt) = Client::at_prompt(shared(), "stop").await;
    client.answer(prompt, "while (TRUE) {}\n").await;
    client.named("!+").await;
    let mut cancelled = vec![client.send("?=/", json!(["cat('begun'); repeat {}"]), b"").await];
    client.wait_for(|message| message.name == "!" && message.json.contains("begun")).await;
    for _ in 0..3 {
        cancelled.push(client.send("?=/", json!(["1"]), b"").await);
    }
    client.stop_all().await;
    for id in cancelled {
        let reply = client.wait_for(|message| message.request == id).await;
        assert_eq!(evaluated(&reply).status, None);
    }
    assert_eq!(client.value("2 + 2").await, 4);
}

#[tokio::test]
async fn a_silent_client_may_have_wanted_r_to_end() {
    let admin = Broker::admin(shared());
    let wish = json!({ "IsInteractive": true, "CommandLineArguments": "--rhost-idle-timeout 1 --vanilla" });
    assert_eq!(admin.begin("idle", wish).await.status, 200);
    let mut client = admin.pipe("idle").await.unwrap();
    client.prompt().await;
    assert_eq!(client.closed().await, Some(1000));
}
