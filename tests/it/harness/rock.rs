//! A client of OBiBa Rock's API.

use std::sync::OnceLock;

use reqwest::{Method, header};
use serde_json::Value;

use super::{
    client::{Reply, http, read},
    events::Point,
    server::Server,
};

/// Settings of a server with the accounts that Rock comes with.
const SETTINGS: &str = "
[rock]
id = 'test'
tags = ['a', 'b']
[[rock.users]]
id = 'administrator'
secret = 'password'
roles = ['administrator']
[[rock.users]]
id = 'manager'
secret = '{noop}password'
roles = 'manager'
[[rock.users]]
id = 'user'
secret = 'password'
[[rock.users]]
id = 'other'
secret = 'password'
";

/// A client with a name and a password, or without either.
#[derive(Clone)]
pub struct Rock {
    http: reqwest::Client,
    base: String,
    name: Option<String>,
    password: String,
}

impl Rock {
    /// The settings of a server with the accounts that Rock comes with.
    pub fn settings(further: &str) -> String {
        format!("{further}\n{SETTINGS}")
    }

    /// The server for all tests of this API that need no settings of their own and do not count what is on the server.
    pub fn server() -> &'static Server {
        static SHARED: OnceLock<Server> = OnceLock::new();
        SHARED.get_or_init(|| Server::keep(SETTINGS))
    }

    /// A client with this name.
    pub fn on(server: &Server, name: &str) -> Self {
        let http = http().build().unwrap();
        Self { http, base: server.address.clone(), name: Some(name.to_owned()), password: "password".to_owned() }
    }

    /// A client with this name, on the shared server.
    pub fn by(name: &str) -> Self {
        Self::on(Self::server(), name)
    }

    /// The same client with another password.
    pub fn with_password(self, password: &str) -> Self {
        Self { password: password.to_owned(), ..self }
    }

    /// A client without credentials.
    pub fn nobody(server: &Server) -> Self {
        Self { name: None, ..Self::on(server, "") }
    }

    pub fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        let request = self.http.request(method, format!("{}{path}", self.base));
        match &self.name {
            Some(name) => request.basic_auth(name, Some(&self.password)),
            None => request,
        }
    }

    pub async fn get(&self, path: &str) -> Reply {
        read(self.request(Method::GET, path)).await
    }

    pub async fn delete(&self, path: &str) -> Reply {
        read(self.request(Method::DELETE, path)).await
    }

    /// Posts R code.
    pub async fn script(&self, path: &str, code: impl Into<reqwest::Body>) -> Reply {
        read(self.request(Method::POST, path).header(header::CONTENT_TYPE, "application/x-rscript").body(code)).await
    }

    /// Opens a session.
    pub async fn open(&self) -> RockSession {
        let reply = read(self.request(Method::POST, "/r/sessions")).await;
        assert_eq!(reply.status, 201, "{}", reply.text());
        RockSession { path: format!("/r/session/{}", reply.document()["id"].as_str().unwrap()), client: self.clone() }
    }
}

/// A session of a client.
#[derive(Clone)]
pub struct RockSession {
    pub client: Rock,
    /// Its path.
    pub path: String,
}

impl RockSession {
    /// Its id.
    pub fn id(&self) -> &str {
        self.path.rsplit('/').next().unwrap()
    }

    /// The same session, used by another client.
    pub fn by(&self, client: &Rock) -> Self {
        Self { client: client.clone(), path: self.path.clone() }
    }

    pub async fn get(&self, below: &str) -> Reply {
        self.client.get(&format!("{}{below}", self.path)).await
    }

    pub async fn delete(&self, below: &str) -> Reply {
        self.client.delete(&format!("{}{below}", self.path)).await
    }

    /// Evaluates a script, which may fail.
    pub async fn eval(&self, code: &str) -> Reply {
        self.client.script(&format!("{}/_eval", self.path), code.to_owned()).await
    }

    /// The value of a script, which has to succeed.
    pub async fn value(&self, code: &str) -> Value {
        let reply = self.eval(code).await;
        assert_eq!(reply.status, 200, "{code}: {}", reply.text());
        reply.document()
    }

    /// The error of a script, which has to fail.
    pub async fn fails(&self, code: &str) -> String {
        let reply = self.eval(code).await;
        assert_eq!(reply.status, 400, "{code}: {}", reply.text());
        reply.document()["message"].as_str().unwrap().to_owned()
    }

    /// Submits a script; returns the command.
    pub async fn submit(&self, code: &str) -> Value {
        let reply = self.client.script(&format!("{}/_eval?async=true", self.path), code.to_owned()).await;
        assert_eq!(reply.status, 201, "{}", reply.text());
        reply.document()
    }

    /// Submits a script that takes long; returns when R has begun to run it.
    pub async fn occupy(&self, code: &str) -> String {
        let point = Point::new();
        let command = self.submit(&format!("{}\n{code}", point.code())).await;
        point.reached().await;
        command["id"].as_str().unwrap().to_owned()
    }

    /// Uploads a file by a form that has these further parts.
    pub async fn upload(&self, query: &str, name: &str, content: &[u8], parts: &[(&str, &str)]) -> Reply {
        let mut body = format!("--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"{name}\"\r\n\r\n").into_bytes();
        body.extend_from_slice(content);
        for (part, value) in parts {
            body.extend(format!("\r\n--b\r\nContent-Disposition: form-data; name=\"{part}\"\r\n\r\n{value}").into_bytes());
        }
        body.extend(b"\r\n--b--\r\n");
        let request = self.client.request(Method::POST, &format!("{}/_upload{query}", self.path));
        read(request.header(header::CONTENT_TYPE, "multipart/form-data; boundary=b").body(body)).await
    }
}
