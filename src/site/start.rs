//! The start page: what this server is, for somebody who opens its address in a browser.
//!
//! It has a path of its own, [`PATH`]. Browsers that ask for `/` or for the context of an API get it there and then,
//! without being sent elsewhere: behind a proxy that forwards the context alone there is no other address to send them
//! to. Programs find at these addresses what their dialect has there.

use std::sync::Arc;

use askama::Template;
use axum::{
    Router,
    extract::{Request, State},
    http::{Method, StatusCode, Uri, header, request::Parts},
    response::{IntoResponse, Response},
    routing::get,
};

use super::page;
use crate::{
    api::{self, accept, introduction::Introduction},
    app::{App, Readiness},
    auth::origin::{check_origin, client_address, is_https},
    server::requests::Notes,
};

/// Where the page is, whatever the client would like best.
pub(super) const PATH: &str = "/_start";

#[derive(Template)]
#[template(path = "start.html")]
struct Page<'a> {
    server: &'a str,
    is_demonstration: bool,
    health: Health,
    /// Where people log in by their browser.
    issuers: &'a [&'a str],
    introductions: &'a [Introduction],
    base: String,
    version: &'static str,
    r_version: &'a str,
}

/// Whether the server can do its work, for people.
struct Health {
    is_good: bool,
    text: &'static str,
}

impl From<Readiness> for Health {
    fn from(readiness: Readiness) -> Self {
        let text = match readiness {
            Readiness { serving: false, .. } => "The server is being stopped.",
            Readiness { r: false, .. } => "R does not run.",
            Readiness { store: false, .. } => "The store cannot be written.",
            Readiness { free: Some(0), .. } => "All places for sessions are taken.",
            _ => "Ready for sessions.",
        };
        Self { is_good: readiness.is_ready(), text }
    }
}

/// The page at its own path.
pub(super) fn router(app: &Arc<App>, is_demonstration: bool) -> Router {
    let page = move |State(app): State<Arc<App>>, request: Request| async move {
        Notes::of(&request).call("start", PATH);
        page(&app, &request.into_parts().0, is_demonstration).await
    };
    Router::new().route(PATH, get(page)).with_state(Arc::clone(app))
}

/// Leads a browser to the page that asks for the root or for this context. A request is a browser's if it would rather
/// have HTML than JSON: programs name what they read, or take anything.
pub(super) fn lead(mut request: Request, context: &str) -> Request {
    let path = request.uri().path();
    let is_start = path == "/" || (!context.is_empty() && path.strip_suffix('/').unwrap_or(path) == context);
    if is_start
        && matches!(*request.method(), Method::GET | Method::HEAD)
        && accept::prefer(request.headers(), ["application/json", "text/html"]) == Some(1)
    {
        *request.uri_mut() = Uri::from_static(PATH);
    }
    request
}

async fn page(app: &App, Parts { headers, extensions, .. }: &Parts, is_demonstration: bool) -> Response {
    if let Err(refused) = check_origin(&app.rules().now(), client_address(extensions), is_https(headers), false) {
        return (StatusCode::FORBIDDEN, format!("{refused}\n")).into_response();
    }
    let page = Page {
        server: &app.server_name(),
        is_demonstration,
        health: app.readiness().await.into(),
        issuers: &app.login_issuers(),
        introductions: &api::introductions(app, headers, is_demonstration),
        base: api::address(headers),
        version: env!("CARGO_PKG_VERSION"),
        r_version: app.runtime().version,
    };
    // Programs get something else at the same address.
    page::answer(StatusCode::OK, &page, (header::VARY, "Accept"))
}
