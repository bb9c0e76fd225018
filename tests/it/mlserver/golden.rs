//! Golden exchanges: each call with its results, as sent over the wire.

use reqwest::{Method, header};
use serde_json::{Value, json};

use super::client::Ml;
use crate::harness::{PASSWORD, Reply, Server, read};

/// Exchanges of a client, under one name.
pub(super) struct Golden {
    client: Ml,
    text: String,
}

impl Golden {
    pub(super) fn of(client: &Ml) -> Self {
        Self { client: client.clone(), text: String::new() }
    }

    /// Goes on as another client.
    pub(super) fn as_client(&mut self, client: &Ml) -> &mut Self {
        self.client = client.clone();
        self
    }

    /// Sends a request with a body of JSON, or without one for `null`, and records the exchange.
    pub(super) async fn call(&mut self, method: &str, path: &str, body: Value) -> Reply {
        let request = self.client.request(method.parse::<Method>().unwrap(), path);
        if body.is_null() {
            self.record(method, path, "", request).await
        } else {
            self.record(method, path, &format!("\n{body:#}\n"), request.json(&body)).await
        }
    }

    /// Sends a request with another body.
    pub(super) async fn bytes(&mut self, method: &str, path: &str, content_type: &str, body: Vec<u8>) -> Reply {
        let told = format!("content-type: {content_type}\n\n{}\n", String::from_utf8_lossy(&body).replace('\r', ""));
        let request = self.client.request(method.parse::<Method>().unwrap(), path).header(header::CONTENT_TYPE, content_type).body(body);
        self.record(method, path, &told, request).await
    }

    async fn record(&mut self, method: &str, path: &str, told: &str, request: reqwest::RequestBuilder) -> Reply {
        let reply = read(request).await;
        self.text.push_str(&format!("{method} {path}\n{told}\n{}\n", reply.status));
        let told = [
            header::CONTENT_TYPE,
            header::CONTENT_DISPOSITION,
            header::CACHE_CONTROL,
            header::WWW_AUTHENTICATE,
            header::ALLOW,
            header::RETRY_AFTER,
        ];
        for name in told {
            if let Some(value) = reply.headers.get(&name) {
                self.text.push_str(&format!("{name}: {}\n", value.to_str().unwrap()));
            }
        }
        let text = match reply.body.as_slice() {
            [] => String::new(),
            [b'R', b'D', b'X', ..] => "\n[a file of save()]\n".to_owned(),
            [b'P', b'K', ..] => "\n[a ZIP]\n".to_owned(),
            [0x89, b'P', b'N', b'G', ..] => "\n[a PNG]\n".to_owned(),
            _ => format!("\n{}\n", reply.text()),
        };
        self.text.push_str(&format!("{text}--------\n"));
        reply
    }

    pub(super) fn check(self, name: &str) {
        let filters = vec![
            ("eyJ[-_.A-Za-z0-9]{100,}", "[access token]"),
            ("[-_A-Za-z0-9]{43}", "[refresh token]"),
            (r#""expires_on":[0-9]+"#, r#""expires_on":[seconds since 1970]"#),
            ("[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", "[uuid]"),
            ("127.0.0.1:[0-9]+", "[server]"),
            (r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{6}", "[time]"),
            (r#""contentSize":[0-9]+"#, r#""contentSize":[bytes]"#),
            (r#""maxPoolSize":1000,"version":"[0-9.]+""#, r#""maxPoolSize":1000,"version":"[of R]""#),
        ];
        insta::with_settings!({ filters => filters, omit_expression => true, prepend_module_to_snapshot => false }, {
            insta::assert_snapshot!(name, self.text);
        });
    }
}

#[tokio::test]
async fn login() {
    let server = Server::shared();
    let mut golden = Golden::of(&Ml::nobody(server));
    for prefix in ["", "/user"] {
        let credentials = json!({ "username": "admin", "password": PASSWORD });
        let reply = golden.call("POST", &format!("{prefix}/login"), credentials).await.document();
        let renewal = json!({ "refreshToken": reply["refresh_token"] });
        let reply = golden.call("POST", &format!("{prefix}/login/refreshToken"), renewal.clone()).await.document();
        let token = reply["refresh_token"].as_str().unwrap();
        golden.call("DELETE", &format!("{prefix}/login/refreshToken?refreshToken={token}"), Value::Null).await;
    }
    golden.call("POST", "/login", json!({ "username": "admin", "password": "wrong" })).await;
    golden.call("POST", "/login", json!({ "username": "admin" })).await;
    golden.call("GET", "/login", Value::Null).await;
    golden.call("POST", "/login/refreshToken", json!({ "refreshToken": "x" })).await;
    golden.call("DELETE", "/login/refreshToken", Value::Null).await;
    golden.check("mlserver_login");
}

#[tokio::test]
async fn sessions() {
    let server = Server::start("[sessions]\npool = 0");
    let ada = Ml::new(&server, "ada").await;
    let mut golden = Golden::of(&ada);
    let created = golden.call("POST", "/sessions", json!({ "name": "analysis" })).await.document();
    let session = format!("/sessions/{}", created["sessionId"].as_str().unwrap());
    let at = |below: &str| format!("{session}{below}");
    golden.call("GET", "/sessions", Value::Null).await;
    let code = "x + 1\ny <- data.frame(a = c(x, x + 1), b = c('u', NA))\nwriteLines('hello', 'note.txt')\nplot(y$a)";
    let request = json!({ "code": code, "inputParameters": [{ "name": "x", "value": 4 }], "outputParameters": ["x", "y"] });
    golden.call("POST", &at("/execute"), request).await;
    golden.call("POST", &at("/execute"), json!({ "code": "warning('careful'); stop('no')" })).await;
    golden.call("POST", &at("/execute"), json!({ "inputParameters": [] })).await;
    golden.call("POST", &at("/cancel"), Value::Null).await;
    golden.call("GET", &at("/console-output"), Value::Null).await;
    golden.call("GET", &at("/history"), Value::Null).await;
    golden.call("GET", &at("/workspace"), Value::Null).await;
    golden.call("GET", &at("/workspace/x"), Value::Null).await;
    golden.bytes("POST", &at("/workspace/z"), "application/octet-stream", b"A\n3\n262656\n197888\n5\nUTF-8\n14\n1\n42\n".to_vec()).await;
    golden.call("DELETE", &at("/workspace/z"), Value::Null).await;
    golden.call("GET", &at("/workspace/z"), Value::Null).await;
    let form = b"--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"data.csv\"\r\n\r\na,b\r\n--b--\r\n".to_vec();
    golden.bytes("POST", &at("/files"), "multipart/form-data; boundary=b", form).await;
    golden.call("GET", &at("/files"), Value::Null).await;
    golden.call("GET", &at("/files/data.csv"), Value::Null).await;
    golden.call("GET", &at("/files/unnamedplot001.png"), Value::Null).await;
    golden.call("DELETE", &at("/files/data.csv"), Value::Null).await;
    golden.call("GET", &at("/files/data.csv"), Value::Null).await;
    golden.call("PUT", &at("/files"), Value::Null).await;
    let snapshot = golden.call("POST", &at("/snapshot"), json!({ "name": "before" })).await.document();
    let snapshot = snapshot["snapshotId"].as_str().unwrap();
    golden.call("POST", &at(&format!("/loadsnapshot/{snapshot}")), Value::Null).await;
    golden.call("POST", "/sessions", json!({ "snapshotId": snapshot })).await;
    golden.call("GET", "/snapshots", Value::Null).await;
    golden.call("GET", &format!("/snapshots/{snapshot}"), Value::Null).await;
    golden.call("DELETE", &format!("/snapshots/{snapshot}"), Value::Null).await;
    golden.call("GET", &format!("/snapshots/{snapshot}"), Value::Null).await;
    golden.call("DELETE", &session, Value::Null).await;
    golden.call("GET", &at("/files"), Value::Null).await;
    let created = ada.call("POST", "/sessions", Value::Null).await.document();
    golden.call("DELETE", &format!("/sessions/{}/force", created["sessionId"].as_str().unwrap()), Value::Null).await;
    golden.call("DELETE", "/sessions/00000000-0000-4000-8000-000000000001", Value::Null).await;
    golden.check("mlserver_sessions");
}

#[tokio::test]
async fn services() {
    let server = Server::start("[sessions]\npool = 0");
    let (ada, bob) = (Ml::new(&server, "ada").await, Ml::new(&server, "bob").await);
    let mut golden = Golden::of(&ada);
    let definition = json!({
        "code": "answer <- x * factor; writeLines('done', 'log.txt'); cat('called\\n')",
        "initCode": "factor <- 2",
        "description": "Twice as much",
        "operationId": "double",
        "inputParameterDefinitions": [{ "name": "x", "type": "numeric" }],
        "outputParameterDefinitions": [{ "name": "answer", "type": "numeric" }],
        "outputFileNames": ["log.txt"],
    });
    golden.call("POST", "/services/double/1.0", definition.clone()).await;
    golden.call("POST", "/services/double/1.0", definition.clone()).await;
    golden.call("POST", "/services/double", json!({ "code": "1" })).await;
    golden.call("GET", "/services", Value::Null).await;
    golden.call("GET", "/services/double", Value::Null).await;
    golden.call("GET", "/services/double/1.0", Value::Null).await;
    golden.call("POST", "/api/double/1.0", json!({ "x": 21 })).await;
    golden.call("POST", "/api/double/1.0", json!({ "x": "many" })).await;
    golden.call("GET", "/api/double/1.0/swagger.json", Value::Null).await;
    golden.call("PATCH", "/services/double/1.0", json!({ "description": "Twice" })).await;
    golden.as_client(&bob).call("PATCH", "/services/double/1.0", json!({ "description": "Mine" })).await;
    golden.as_client(&ada).call("DELETE", "/services/double/1.0", Value::Null).await;
    golden.call("DELETE", "/services/double/1.0", Value::Null).await;
    golden.call("POST", "/services/double/2.0", json!({})).await;
    golden.call("GET", "/status", Value::Null).await;
    golden.check("mlserver_services");
}

#[tokio::test]
async fn batches() {
    let server = Server::start("[sessions]\npool = 0\n[services]\nbatch_items = 2");
    let ada = Ml::new(&server, "ada").await;
    ada.publish(
        "double",
        "1.0",
        json!({
            "code": "answer <- 2 * x; writeLines('done', 'log.txt'); cat('called\\n')",
            "inputParameterDefinitions": [{ "name": "x", "type": "numeric" }],
            "outputParameterDefinitions": [{ "name": "answer", "type": "numeric" }],
        }),
    )
    .await;
    let mut golden = Golden::of(&ada);
    golden.call("GET", "/api/double/1.0/batch", Value::Null).await;
    let started = golden.call("POST", "/api/double/1.0/batch?parallelCount=2", json!([{ "x": 21 }, { "x": "many" }])).await;
    let batch = format!("/api/double/1.0/batch/{}", started.document()["batchExecutionId"].as_str().unwrap());
    ada.batch_ends(&batch).await;
    golden.call("GET", "/api/double/1.0/batch", Value::Null).await;
    golden.call("GET", &batch, Value::Null).await;
    golden.call("GET", &format!("{batch}/0/files"), Value::Null).await;
    golden.call("GET", &format!("{batch}/1/files"), Value::Null).await;
    golden.call("GET", &format!("{batch}/2/files"), Value::Null).await;
    golden.call("GET", &format!("{batch}/0/files/log.txt"), Value::Null).await;
    golden.call("GET", &format!("{batch}/0/files/not.there"), Value::Null).await;
    golden.call("DELETE", &batch, Value::Null).await;
    golden.call("GET", &batch, Value::Null).await;
    golden.call("POST", "/api/double/1.0/batch", json!({ "x": 21 })).await;
    golden.call("POST", "/api/double/1.0/batch", json!([{}, {}, {}])).await;
    golden.call("POST", "/api/double/1.0/batch?parallelCount=many", json!([])).await;
    golden.call("POST", "/api/double/2.0/batch", json!([])).await;
    golden.check("mlserver_batches");
}
