//! Who is asking: tokens, and where accounts come from.

mod certificates;
mod credentials;
mod ldap;
mod oidc;
mod routes;
mod system;
mod tokens;

use offshoot::auth::tokens::keys::KeyFiles;
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

use crate::harness::{Client, PASSWORD, Reply, Rock, Server, read};

/// An access token and the refresh token that came with it.
#[derive(Debug, Clone)]
pub struct Pair {
    pub access: String,
    pub refresh: String,
}

impl Pair {
    /// Reads an answer that gives tokens.
    pub fn of(reply: &Reply) -> Self {
        assert_eq!(reply.status, 200, "{}", reply.text());
        let answer = reply.document();
        let text = |name: &str| answer[name].as_str().unwrap().to_owned();
        assert_eq!(answer["token_type"], "Bearer");
        Self { access: text("access_token"), refresh: text("refresh_token") }
    }

    /// What its access token says.
    pub fn claims(&self) -> Value {
        jsonwebtoken::dangerous::insecure_decode_claims(&self.access).unwrap()
    }
}

/// Sends JSON to the server.
pub async fn post(server: &Server, path: &str, body: Value) -> Reply {
    read(Rock::nobody(server).request(Method::POST, path).json(&body)).await
}

/// Logs in, for tokens.
pub async fn login(server: &Server, name: &str, password: &str) -> Reply {
    post(server, "/login", json!({ "username": name, "password": password })).await
}

pub async fn refresh(server: &Server, pair: &Pair) -> Reply {
    post(server, "/login/refreshToken", json!({ "refreshToken": pair.refresh })).await
}

pub async fn revoke(server: &Server, pair: &Pair) -> Reply {
    read(Rock::nobody(server).request(Method::DELETE, &format!("/login/refreshToken?refreshToken={}", pair.refresh))).await
}

/// The tokens of a new login of admin.
pub async fn admin(server: &Server) -> Pair {
    Pair::of(&login(server, "admin", PASSWORD).await)
}

/// The status of a request to each dialect with this token.
pub async fn statuses(server: &Server, token: &str) -> [u16; 3] {
    let client = Client::new(server);
    let get = |request: RequestBuilder| async { read(request.bearer_auth(token)).await.status.as_u16() };
    [
        get(client.request(Method::GET, "/r/user/whoami")).await,
        get(Rock::nobody(server).request(Method::GET, "/r/sessions")).await,
        get(Rock::nobody(server).request(Method::GET, "/metrics")).await,
    ]
}

/// Where the keys of a server are that has its own.
pub fn keys(server: &Server) -> KeyFiles {
    KeyFiles::of(&offshoot::config::Auth::default(), &server.data())
}
