//! Golden exchanges: each call of the broker with its results, as sent over the wire.

use reqwest::{Method, header};
use serde_json::{Value, json};

use super::client::{Broker, Client, server_with};
use crate::harness::{Reply, read};

/// Exchanges under one name.
struct Golden {
    broker: Broker,
    text: String,
}

impl Golden {
    /// Sends a request with a body of JSON, or without one for `null`, and records the exchange.
    async fn call(&mut self, method: &str, path: &str, body: Value) -> Reply {
        let request = self.broker.request(method.parse::<Method>().unwrap(), path);
        if body.is_null() {
            self.record(method, path, "", request).await
        } else {
            self.record(method, path, &format!("\n{body:#}\n"), request.json(&body)).await
        }
    }

    async fn record(&mut self, method: &str, path: &str, told: &str, request: reqwest::RequestBuilder) -> Reply {
        let reply = read(request).await;
        self.text.push_str(&format!("{method} {path}\n{told}\n{}\n", reply.status));
        for name in ["content-type", "www-authenticate", "rtvs-broker-api-error", "rtvs-broker-exception"] {
            if let Some(value) = reply.headers.get(name) {
                self.text.push_str(&format!("{name}: {}\n", value.to_str().unwrap()));
            }
        }
        let text = if reply.body.is_empty() { String::new() } else { format!("\n{}\n", reply.text()) };
        self.text.push_str(&format!("{text}--------\n"));
        reply
    }

    fn check(self, name: &str) {
        let filters = vec![
            (r#""(processorCount|workingSet|[a-z]+(Virtual|Physical)Memory)":[0-9]+"#, r#""$1":[number]"#),
            (r#""(cpuLoad|memoryLoad|networkLoad)":[0-9.e-]+"#, r#""$1":[part]"#),
            (r#""osDescription":"[^"]*""#, r#""osDescription":"[system]""#),
            (r"R [0-9]\.[0-9.]+", "R [version]"),
            (r#""version":"[0-9]\.[0-9]\.[0-9]""#, r#""version":"[of R]""#),
            (r#""path":"[^"]*","binPath":"[^"]*""#, r#""path":"[home]","binPath":"[home]/lib""#),
            ("127.0.0.1:[0-9]+", "[server]"),
        ];
        insta::with_settings!({ omit_expression => true, prepend_module_to_snapshot => false, filters => filters }, {
            insta::assert_snapshot!(name, self.text);
        });
    }
}

#[tokio::test]
async fn the_machine_and_the_sessions() {
    let server = server_with("");
    let mut golden = Golden { broker: Broker::admin(&server), text: String::new() };
    for path in ["/info/about", "/info/load", "/interpreters", "/sessions"] {
        golden.call("GET", path, Value::Null).await;
    }
    let wish = |interpreter: &str, arguments: Value| json!({ "InterpreterId": interpreter, "CommandLineArguments": arguments, "IsInteractive": true });
    golden.call("PUT", "/sessions/abc", wish("zz", Value::Null)).await;
    golden.call("PUT", "/sessions/abc", wish("", json!("--vanilla \"a"))).await;
    golden.call("PUT", "/sessions/abc", wish("0", json!("--vanilla"))).await;
    golden.call("GET", "/sessions", Value::Null).await;
    golden.call("GET", "/sessions/abc/pipe", Value::Null).await;
    golden.call("GET", "/sessions/never/pipe", Value::Null).await;
    let handshake = |request: reqwest::RequestBuilder| {
        request
            .header(header::CONNECTION, "Upgrade")
            .header(header::UPGRADE, "websocket")
            .header(header::SEC_WEBSOCKET_VERSION, "13")
            .header(header::SEC_WEBSOCKET_KEY, "dGhlIHNhbXBsZSBub25jZQ==")
            .header(header::SEC_WEBSOCKET_PROTOCOL, "Microsoft.R.Host")
    };
    let told = "connection: Upgrade\nupgrade: websocket\nsec-websocket-protocol: Microsoft.R.Host\n";
    for path in ["/sessions/never/pipe", "/sessions/abc/pipe"] {
        let request = handshake(golden.broker.request(Method::GET, path));
        if path.contains("abc") {
            // What follows is no content.
            let answer = request.send().await.unwrap();
            golden.text.push_str(&format!("GET {path}\n{told}\n{}\n", answer.status()));
            golden
                .text
                .push_str(&format!("sec-websocket-protocol: {}\n--------\n", answer.headers()["sec-websocket-protocol"].to_str().unwrap()));
            let second = handshake(golden.broker.request(Method::GET, path));
            golden.record("GET", path, told, second).await;
        } else {
            golden.record("GET", path, told, request).await;
        }
    }
    for path in ["/sessions/abc", "/sessions/never"] {
        golden.call("DELETE", path, Value::Null).await;
    }
    golden.call("POST", "/ping", Value::Null).await;
    golden.call("DELETE", "/profile", Value::Null).await;
    golden.check("sessions");
}

#[tokio::test]
async fn pages_by_every_method() {
    const METHODS: [&str; 7] = ["GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"];
    let server = server_with("");
    let (mut client, _) = Client::at_prompt(&server, "pages").await;
    let port = super::pages::listen(&mut client).await;
    let code = "for (i in 1:7) { s <- socketAccept(own, blocking = TRUE, open = 'r+b'); line <- readLines(s, 1L)
        repeat if (readLines(s, 1L) == '') break
        body <- if (startsWith(line, 'HEAD')) '' else paste('R was asked:', line)
        writeLines(c('HTTP/1.1 200 OK', 'Content-Type: text/plain', paste0('Content-Length: ', nchar(body)), ''), s, sep = '\\r\\n')
        cat(body, file = s); close(s) }";
    client.send("?=0", json!([code]), b"").await;
    let mut golden = Golden { broker: Broker::admin(&server), text: String::new() };
    for method in METHODS {
        let request = golden.broker.request(method.parse().unwrap(), "/remoteuri");
        let request = request.header("rtvs-requested-url", format!("http://127.0.0.1:{port}/a?b=c"));
        golden.record(method, "/remoteuri", "rtvs-requested-url: http://127.0.0.1:1/a?b=c\n", request).await;
    }
    golden.call("GET", "/remoteuri", Value::Null).await;
    golden.check("pages");
}
