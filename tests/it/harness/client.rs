//! A client of the RevoDeployR API.

use std::sync::Arc;

use reqwest::{Method, StatusCode, header};
use serde_json::Value;
use tokio_rustls::rustls;

use super::{
    events::Point,
    server::{PASSWORD, Server},
};

/// A client, which may have logged in.
#[derive(Clone)]
pub struct Client {
    http: reqwest::Client,
    base: String,
    cookie: Option<String>,
}

/// An answer that was read completely.
#[derive(Debug)]
pub struct Reply {
    pub status: StatusCode,
    pub headers: header::HeaderMap,
    pub body: Vec<u8>,
}

impl Reply {
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("an answer is UTF-8")
    }

    /// The whole answer as JSON.
    #[track_caller]
    pub fn document(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {} {}", self.status, self.text()))
    }

    /// The member `response` of an answer in JSON.
    #[track_caller]
    pub fn json(&self) -> Value {
        self.document()["deployr"]["response"].take()
    }

    /// The member `response` of an answer that has to be a success.
    #[track_caller]
    pub fn success(&self) -> Value {
        let response = self.json();
        assert!(self.status == 200 && response["success"] == true, "{} {}", self.status, self.text());
        response
    }
}

impl Client {
    /// A client that has not logged in.
    pub fn new(server: &Server) -> Self {
        Self::at(&server.address)
    }

    /// The same, for a server at this address: `http://host:port`.
    fn at(address: &str) -> Self {
        let http = http().build().unwrap();
        Self { http, base: format!("{address}/deployr"), cookie: None }
    }

    /// A client that has logged in as admin.
    pub async fn admin(server: &Server) -> Self {
        Self::login(server, "admin", PASSWORD).await
    }

    /// A client that has logged in.
    pub async fn login(server: &Server, user: &str, password: &str) -> Self {
        Self::login_at(&server.address, user, password).await
    }

    /// The same, for a server at this address.
    pub async fn login_at(address: &str, user: &str, password: &str) -> Self {
        let mut client = Self::at(address);
        let reply = client.post("/r/user/login", &[("username", user), ("password", password)]).await;
        client.cookie = Some(reply.success()["cookie"].as_str().unwrap().to_owned());
        client
    }

    /// The same client with another cookie.
    pub fn with_cookie(&self, cookie: &str) -> Self {
        Self { cookie: Some(cookie.to_owned()), ..self.clone() }
    }

    pub fn cookie(&self) -> &str {
        self.cookie.as_deref().unwrap()
    }

    /// A request for a path below the context.
    pub fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        self.raw(method, &format!("{}{path}", self.base))
    }

    /// A request for any address.
    pub fn raw(&self, method: Method, url: &str) -> reqwest::RequestBuilder {
        let request = self.http.request(method, url);
        match &self.cookie {
            Some(cookie) => request.header(header::COOKIE, format!("JSESSIONID={cookie}")),
            None => request,
        }
    }

    pub async fn post(&self, path: &str, form: &[(&str, &str)]) -> Reply {
        read(self.request(Method::POST, path).form(form)).await
    }

    pub async fn get(&self, path: &str, query: &[(&str, &str)]) -> Reply {
        read(self.request(Method::GET, path).query(query)).await
    }

    /// Gets an address from an answer.
    pub async fn fetch(&self, url: &str) -> Reply {
        read(self.http.get(url)).await
    }

    /// Opens an R session.
    pub async fn session(&self) -> Session {
        let reply = self.post("/r/session/create", &[]).await;
        Session { client: self.clone(), id: reply.success()["session"].as_str().unwrap().to_owned() }
    }
}

/// A client of HTTP. The library would look for certificates of the system, and for somebody who checks them, where none are needed.
pub fn http() -> reqwest::ClientBuilder {
    let tls = rustls::ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(rustls::RootCertStore::empty())
        .with_no_client_auth();
    reqwest::Client::builder().no_proxy().tls_backend_preconfigured(tls)
}

/// Sends a request and reads the answer completely.
pub async fn read(request: reqwest::RequestBuilder) -> Reply {
    let response = request.send().await.expect("the server answers");
    let (status, headers) = (response.status(), response.headers().clone());
    Reply { status, headers, body: response.bytes().await.expect("the answer is whole").to_vec() }
}

/// An R session of a client.
#[derive(Clone)]
pub struct Session {
    pub client: Client,
    pub id: String,
}

impl Session {
    /// Runs code, which may fail.
    pub async fn execute(&self, code: &str, further: &[(&str, &str)]) -> Reply {
        let form = [&[("session", self.id.as_str()), ("code", code)], further].concat();
        self.client.post("/r/session/execute/code", &form).await
    }

    /// Sends code to be run. The task returns the answer, unless the connection broke.
    pub fn begin(&self, code: &str) -> tokio::task::JoinHandle<Option<Reply>> {
        let request = self.client.request(Method::POST, "/r/session/execute/code").form(&[("session", self.id.as_str()), ("code", code)]);
        tokio::spawn(async move {
            let response = request.send().await.ok()?;
            let (status, headers) = (response.status(), response.headers().clone());
            Some(Reply { status, headers, body: response.bytes().await.ok()?.to_vec() })
        })
    }

    /// Sends code that takes long; returns when R has begun to run it.
    pub async fn occupy(&self, code: &str) -> tokio::task::JoinHandle<Option<Reply>> {
        let point = Point::new();
        let running = self.begin(&format!("{}\n{code}", point.code()));
        point.reached().await;
        running
    }

    /// Runs code, which has to succeed; returns the member `response`.
    pub async fn run(&self, code: &str) -> Value {
        self.execute(code, &[]).await.success()
    }

    /// Runs code, which has to succeed; returns the text that it printed.
    pub async fn prints(&self, code: &str) -> String {
        self.run(code).await["console"]["value"].as_str().unwrap_or_default().to_owned()
    }

    /// Runs code, which has to fail; returns the error.
    pub async fn fails(&self, code: &str) -> String {
        let reply = self.execute(code, &[]).await;
        let response = reply.json();
        assert!(reply.status == 200 && response["success"] == false, "{}", reply.text());
        response["error"].as_str().unwrap().to_owned()
    }

    /// The value of an expression, in the type model.
    pub async fn value(&self, expression: &str) -> Value {
        let code = format!(".value <- {{ {expression} }}");
        self.execute(&code, &[("robjects", ".value")]).await.success()["robjects"][".value"].take()
    }

    /// Makes a call with this session as a parameter.
    pub async fn get(&self, call: &str, query: &[(&str, &str)]) -> Reply {
        self.client.get(&format!("/r/session/{call}"), &[&[("session", self.id.as_str())], query].concat()).await
    }

    pub async fn post(&self, call: &str, form: &[(&str, &str)]) -> Reply {
        self.client.post(&format!("/r/session/{call}"), &[&[("session", self.id.as_str())], form].concat()).await
    }

    pub async fn close(&self) {
        self.post("close", &[]).await.success();
    }
}
