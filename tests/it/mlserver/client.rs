//! A client of R Server's API.

use std::sync::OnceLock;

use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{PASSWORD, Point, Reply, Server, http, read, until};

/// A client with an access token, or without one.
#[derive(Clone)]
pub struct Ml {
    http: reqwest::Client,
    base: String,
    token: Option<String>,
}

impl Ml {
    /// The server for all tests of this API that need no settings of their own.
    pub fn server() -> &'static Server {
        static SHARED: OnceLock<Server> = OnceLock::new();
        SHARED.get_or_init(|| Server::keep(""))
    }

    /// A client without credentials.
    pub fn nobody(server: &Server) -> Self {
        Self { http: http().build().unwrap(), base: server.address.clone(), token: None }
    }

    /// A client of an account that is there.
    pub async fn login(server: &Server, name: &str) -> Self {
        let nobody = Self::nobody(server);
        let reply = nobody.call("POST", "/login", json!({ "username": name, "password": PASSWORD })).await;
        assert_eq!(reply.status, 200, "{}", reply.text());
        Self { token: Some(reply.document()["access_token"].as_str().unwrap().to_owned()), ..nobody }
    }

    /// A client of a new account that may run code.
    pub async fn new(server: &Server, name: &str) -> Self {
        server.account(name, &["POWER_USER"]).await;
        Self::login(server, name).await
    }

    pub fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        let request = self.http.request(method, format!("{}{path}", self.base));
        match &self.token {
            Some(token) => request.bearer_auth(token),
            None => request,
        }
    }

    /// Sends a request with a body of JSON, or without one for `null`.
    pub async fn call(&self, method: &str, path: &str, body: Value) -> Reply {
        let request = self.request(method.parse().unwrap(), path);
        read(if body.is_null() { request } else { request.json(&body) }).await
    }

    pub async fn get(&self, path: &str) -> Reply {
        self.call("GET", path, Value::Null).await
    }

    pub async fn delete(&self, path: &str) -> Reply {
        self.call("DELETE", path, Value::Null).await
    }

    /// Opens a session.
    pub async fn open(&self) -> MlSession {
        let reply = self.call("POST", "/sessions", Value::Null).await;
        assert_eq!(reply.status, 201, "{}", reply.text());
        MlSession { path: format!("/sessions/{}", reply.document()["sessionId"].as_str().unwrap()), client: self.clone() }
    }

    /// Publishes a service.
    pub async fn publish(&self, name: &str, version: &str, definition: Value) -> String {
        let reply = self.call("POST", &format!("/services/{name}/{version}"), definition).await;
        assert_eq!(reply.status, 201, "{}", reply.text());
        reply.document().as_str().unwrap().to_owned()
    }

    /// Begins a batch of calls of the service with this path, and returns its own.
    pub async fn batch(&self, service: &str, inputs: Value) -> String {
        let reply = self.call("POST", &format!("{service}/batch"), inputs).await;
        assert_eq!(reply.status, 202, "{}", reply.text());
        format!("{service}/batch/{}", reply.document()["batchExecutionId"].as_str().unwrap())
    }

    /// Waits for the end of a batch, and returns what is told of it.
    pub async fn batch_ends(&self, batch: &str) -> Value {
        let mut told = Value::Null;
        until("the batch ends", async || {
            told = self.get(batch).await.document();
            !["pending", "inProgress"].contains(&told["state"].as_str().unwrap())
        })
        .await;
        told
    }
}

/// A session of a client.
#[derive(Clone)]
pub struct MlSession {
    pub client: Ml,
    /// Its path.
    pub path: String,
}

impl MlSession {
    pub fn at(&self, below: &str) -> String {
        format!("{}{below}", self.path)
    }

    pub async fn get(&self, below: &str) -> Reply {
        self.client.get(&self.at(below)).await
    }

    pub async fn delete(&self, below: &str) -> Reply {
        self.client.delete(&self.at(below)).await
    }

    pub async fn post(&self, below: &str, body: Value) -> Reply {
        self.client.call("POST", &self.at(below), body).await
    }

    /// Runs code, and returns all that is told of it.
    pub async fn run(&self, request: Value) -> Value {
        let reply = self.post("/execute", request).await;
        assert_eq!(reply.status, 200, "{}", reply.text());
        reply.document()
    }

    /// What code that succeeds prints.
    pub async fn prints(&self, code: &str) -> String {
        let result = self.run(json!({ "code": code })).await;
        assert_eq!((&result["success"], &result["errorMessage"]), (&json!(true), &json!("")), "{code}");
        result["consoleOutput"].as_str().unwrap().to_owned()
    }

    /// The value of an expression.
    pub async fn value(&self, expression: &str) -> Value {
        let result = self.run(json!({ "code": format!(".value <- {expression}"), "outputParameters": [".value"] })).await;
        assert_eq!(result["errorMessage"], "", "{expression}");
        result["outputParameters"][0]["value"].clone()
    }

    /// Begins code that runs, and returns when it does.
    pub async fn occupy(&self, code: &str) -> tokio::task::JoinHandle<Value> {
        let point = Point::new();
        let (session, code) = (self.clone(), format!("{}; {code}", point.code()));
        let running = tokio::spawn(async move { session.run(json!({ "code": code })).await });
        point.reached().await;
        running
    }

    /// Sends a file to the working folder.
    pub async fn upload(&self, name: &str, content: &[u8]) -> Reply {
        let part = reqwest::multipart::Part::bytes(content.to_vec()).file_name(name.to_owned());
        let form = reqwest::multipart::Form::new().part("file", part);
        read(self.client.request(Method::POST, &self.at("/files")).multipart(form)).await
    }
}
