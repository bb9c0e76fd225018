//! Pages of web servers that R has started.

use reqwest::Method;
use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

use super::client::{Broker, Client, server_with};
use crate::harness::{Reply, Server, read};

async fn fetch(broker: &Broker, url: &str) -> Reply {
    read(broker.request(Method::GET, "/remoteuri").header("rtvs-requested-url", url)).await
}

/// Has R start its help, and returns the address of a page of it.
async fn help(client: &mut Client) -> String {
    let port = client.value("suppressMessages(tools::startDynamicHelp(TRUE))").await;
    format!("http://127.0.0.1:{port}/doc/html/index.html")
}

/// Has R show a page.
async fn show(client: &mut Client, url: &str) {
    client.eval(&format!("rtvs:::open_url('{url}')"), "0").await;
    let told = client.named("!WebBrowser").await;
    assert_eq!(told.json, json!([url]).to_string());
}

#[tokio::test]
async fn pages_of_ones_own_r_are_fetched_and_no_others() {
    let server = server_with("");
    let (admin, nobody) = (Broker::admin(&server), Broker::nobody(&server));
    let (mut client, _) = Client::at_prompt(&server, "help").await;
    let url = help(&mut client).await;
    // With credentials, at once; without, when R has shown it.
    let page = fetch(&admin, &url).await;
    assert_eq!(page.status, 200);
    assert!(page.text().contains("html"), "{}", page.text());
    assert_eq!(fetch(&nobody, &url).await.status, 404);
    show(&mut client, &url).await;
    assert_eq!(fetch(&nobody, &url).await.body, page.body);
    // The same by another name of the account, as its sessions are others.
    assert_eq!(fetch(&Broker::named(&server, "#unix\\admin"), &url).await.status, 404);
    // A server that is none of R's, though R shows it.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let other = format!("http://{}/", listener.local_addr().unwrap());
    show(&mut client, &other).await;
    for broker in [&admin, &nobody] {
        assert_eq!(fetch(broker, &other).await.status, 404);
    }
    for (wrong, status) in [("http://example.org/", 400), ("https://127.0.0.1:1/", 400), ("file:///etc/passwd", 400), ("", 400)] {
        assert_eq!(fetch(&admin, wrong).await.status, status, "{wrong}");
    }
    assert_eq!(admin.call(Method::GET, "/remoteuri").await.status, 400);
    assert_eq!(fetch(&admin.clone().with_password("wrong"), &url).await.status, 401);
    // When the client has gone, so has the page.
    drop(client);
    crate::harness::until("the page is gone", async || fetch(&nobody, &url).await.status == 404).await;
}

#[tokio::test]
async fn the_settings_can_ask_for_credentials() {
    let server = server_with("pages_by_address = false");
    let (mut client, _) = Client::at_prompt(&server, "help").await;
    let url = help(&mut client).await;
    show(&mut client, &url).await;
    assert_eq!(fetch(&Broker::nobody(&server), &url).await.status, 401);
    assert_eq!(fetch(&Broker::admin(&server), &url).await.status, 200);
}

/// Has R listen at a port that is free, which is returned, by the object `own`.
pub(super) async fn listen(client: &mut Client) -> u16 {
    let code = "repeat {
        port <- sample(20000:60000, 1)
        own <- try(serverSocket(port), silent = TRUE)
        if (!inherits(own, 'try-error')) break
    }; port";
    u16::try_from(client.value(code).await.as_u64().unwrap()).unwrap()
}

#[tokio::test]
async fn nothing_that_says_who_calls_is_passed_on_and_connections_become_tunnels() {
    let server = server_with("");
    let (mut client, _) = Client::at_prompt(&server, "echo").await;
    let port = listen(&mut client).await;
    // R answers with the head that it was sent, as text.
    let answer = "local({ s <- socketAccept(own, blocking = TRUE, open = 'r+b'); head <- character();
        repeat { line <- readLines(s, 1L); if (!length(line) || line == '') break; head <- c(head, line) };
        body <- paste(head, collapse = '\\n');
        writeLines(c('HTTP/1.1 200 OK', 'Connection: close, X-Own', 'X-Own: 1', 'X-Kept: 2', paste0('Content-Length: ', nchar(body)), ''), s, sep = '\\r\\n');
        cat(body, file = s); close(s) })";
    client.send("?=0", json!([answer]), b"").await;
    let admin = Broker::admin(&server);
    let request = admin.request(Method::GET, "/remoteuri").header("rtvs-requested-url", format!("http://127.0.0.1:{port}/a?b=c"));
    let reply = read(
        request.header("origin", "http://127.0.0.1:5").header("x-mine", "m").header("connection", "close, x-gone").header("x-gone", "g"),
    )
    .await;
    assert_eq!(reply.status, 200, "{}", reply.text());
    let told = reply.text().to_lowercase();
    assert!(told.starts_with("get /a?b=c http/1.1\n"), "{told}");
    assert!(told.contains(&format!("\nhost: 127.0.0.1:{port}")) && told.contains("\nx-mine: m"), "{told}");
    for hidden in ["authorization", "rtvs-", "x-gone", "x-forwarded"] {
        assert!(!told.contains(hidden), "{hidden}: {told}");
    }
    assert_eq!((reply.headers.contains_key("x-own"), &reply.headers["x-kept"]), (false, &"2".parse().unwrap()));
    // A WebSocket.
    let tunnel = "local({ s <- socketAccept(own, blocking = TRUE, open = 'r+b');
        repeat { line <- readLines(s, 1L); if (line == '') break };
        writeLines(c('HTTP/1.1 101 Switching Protocols', 'Connection: Upgrade', 'Upgrade: websocket', 'Sec-WebSocket-Accept: x', ''), s, sep = '\\r\\n');
        cat(toupper(readLines(s, 1L)), '\\n', sep = '', file = s); close(s) })";
    client.send("?=0", json!([tunnel]), b"").await;
    tunnelled(&server, port).await;
}

async fn tunnelled(server: &Server, port: u16) {
    let admin = Broker::admin(server);
    let address = admin.base.trim_start_matches("http://");
    let authorization = admin.handshake("x").headers()["authorization"].to_str().unwrap().to_owned();
    let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
    let request = format!(
        "GET /remoteuri HTTP/1.1\r\nHost: {address}\r\nAuthorization: {authorization}\r\nRTVS-Requested-URL: ws://127.0.0.1:{port}/ws\r\n\
         Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13, 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    stream.write_all(b"hello\n").await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 101 ") && answer.ends_with("\r\n\r\nHELLO\n"), "{answer}");
}
