//! What an issuer may say at the end of a login by a browser, and what not.

use std::collections::HashMap;

use axum::http::StatusCode;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use reqwest::{Method, Url, header};
use serde_json::{Value, json};

use super::{
    issuer::{DOCUMENT, Issuer, Says, SigningKey, TOKENS},
    location,
    provider::Browser,
};
use crate::harness::{Reply, Server};

/// Begins a login. Returns what the issuer is told.
async fn begin(browser: &mut Browser) -> HashMap<String, String> {
    let server = browser.at.join("/oidc/x/login").unwrap();
    let reply = browser.send(Method::GET, server.as_str(), &[]).await;
    let address: Url = location(&reply).parse().unwrap();
    address.query_pairs().into_owned().collect()
}

/// Logs in, with an issuer that says this for the code. The claim `nonce` is that of the login if it is not among those of the token.
async fn log_in(server: &Server, issuer: &Issuer, tokens: impl Fn(&str) -> Says) -> (Browser, Reply) {
    let mut browser = Browser::new(server);
    let told = begin(&mut browser).await;
    issuer.says(TOKENS, tokens(&told["nonce"]));
    let back = format!("/oidc/x/callback?code=c&state={}", told["state"]);
    let reply = browser.send(Method::GET, &back, &[]).await;
    (browser, reply)
}

/// The answer with an ID token.
fn with(token: &str) -> Says {
    Says::Json(json!({ "access_token": "a", "token_type": "Bearer", "id_token": token }))
}

#[tokio::test]
async fn a_browser_is_logged_in_by_a_token_for_this_login_and_this_server_only() {
    let issuer = Issuer::start().await;
    issuer.says(DOCUMENT, Says::Json(issuer.document_with_login()));
    let settings = issuer.settings("x").replace("timeout_seconds = 1", "timeout_seconds = 10");
    let server = Server::start(&format!("sessions.pool = 0\n{settings}client_id = 'us'\n"));
    let (first, now) = (SigningKey::first(), jiff::Timestamp::now().as_second());
    let header = |algorithm| Header { kid: Some(first.id.to_owned()), ..Header::new(algorithm) };
    let claims = |nonce: &str, over: Value| {
        let mut all = json!({ "aud": "us", "nonce": nonce });
        all.as_object_mut().unwrap().extend(over.as_object().unwrap().clone());
        issuer.claims(all)
    };
    for good in [json!({}), json!({ "azp": "us" }), json!({ "aud": ["us"] }), json!({ "aud": ["us", "other"], "azp": "us" })] {
        let (mut browser, reply) = log_in(&server, &issuer, |nonce| with(&first.sign(&claims(nonce, good.clone())))).await;
        assert_eq!(reply.status, 303, "{good}: {}", reply.text());
        let told = browser.send(Method::GET, "/deployr/r/user/whoami", &[]).await.success();
        assert_eq!(told["identity"]["username"], "ada", "{good}");
    }
    let of_another = begin(&mut Browser::new(&server)).await["nonce"].clone();
    for bad in [
        json!({ "nonce": of_another }),
        json!({ "nonce": "" }),
        json!({ "nonce": null }),
        json!({ "nonce": ["n"] }),
        json!({ "azp": "other" }),
        json!({ "azp": "other", "aud": ["us", "other"] }),
        // Of several audiences, one has to be the one that has asked.
        json!({ "aud": ["us", "other"] }),
        json!({ "aud": "other" }),
        // What bearers of this server's API show is no proof of a login here.
        json!({ "aud": "offshoot" }),
        json!({ "aud": null }),
        json!({ "iss": "https://id.example.org" }),
        json!({ "sub": null }),
        json!({ "exp": now - 120 }),
        json!({ "exp": null }),
    ] {
        refused(&server, &issuer, &bad.to_string(), |nonce| first.sign(&claims(nonce, bad.clone()))).await;
    }
    let another = |nonce: &str| SigningKey::second().sign_with(header(Algorithm::RS256), &claims(nonce, json!({})));
    refused(&server, &issuer, "of another key", another).await;
    let public = EncodingKey::from_secret(&first.pem).unwrap();
    let by_secret = |nonce: &str| jsonwebtoken::encode(&header(Algorithm::HS256), &claims(nonce, json!({})), &public).unwrap();
    refused(&server, &issuer, "signed with what is public", by_secret).await;
    let unsigned = |nonce: &str| {
        let encode = |value: &Value| base64_simd::URL_SAFE_NO_PAD.encode_to_string(value.to_string());
        format!("{}.{}.", encode(&json!({ "alg": "none", "typ": "JWT", "kid": first.id })), encode(&claims(nonce, json!({}))))
    };
    refused(&server, &issuer, "not signed", unsigned).await;
}

/// Nobody is logged in by this token.
async fn refused(server: &Server, issuer: &Issuer, what: &str, token: impl Fn(&str) -> String) {
    let (mut browser, reply) = log_in(server, issuer, |nonce| with(&token(nonce))).await;
    assert_eq!(reply.status, 401, "{what}: {}", reply.text());
    let mut cookies = reply.headers.get_all(header::SET_COOKIE).iter();
    assert!(cookies.all(|cookie| !cookie.to_str().unwrap().starts_with("JSESSIONID")), "{what}");
    assert_eq!(browser.send(Method::GET, "/deployr/r/user/whoami", &[]).await.status, 401, "{what}");
}

#[tokio::test]
async fn an_issuer_that_gives_no_token_for_a_code_logs_nobody_in() {
    let issuer = Issuer::start().await;
    issuer.says(DOCUMENT, Says::Json(issuer.document_with_login()));
    let server = Server::start(&format!("sessions.pool = 0\n{}client_id = 'us'\n", issuer.settings("x")));
    for (says, expected) in [
        (Says::Json(json!({ "access_token": "a", "token_type": "Bearer" })), 503),
        (Says::Json(json!({ "access_token": "a", "token_type": "Bearer", "id_token": "x" })), 401),
        (Says::Json(json!({ "error": "invalid_grant", "error_description": "the code is used" })), 503),
        (Says::Json(json!([])), 503),
        (Says::Status(StatusCode::INTERNAL_SERVER_ERROR), 503),
        (Says::TooMuch, 503),
        (Says::Nothing, 503),
    ] {
        let (_, reply) = log_in(&server, &issuer, |_| says.clone()).await;
        assert_eq!(reply.status, expected, "{}", reply.text());
    }
}
