//! The APIs that clients speak. Each has a folder with all its peculiarities.
//!
//! A dialect translates: it parses a request into terms of the core (`crate::app`), and writes the answer in its own form. It never touches
//! the store, a worker or R, and nothing outside its folder knows its name. Code that the dialects share is here: [`accept`], [`body`],
//! [`mod@console`], [`credentials`], [`mod@file`], [`form`], [`introduction`], [`parts`], [`path_cookie`], [`pieces`], [`sentences`]. Paths that are no call's are in `unrouted`.

/// A function that carries out a call, in the form in which tables of routes have it.
macro_rules! handler {
    ($function:path) => {
        |incoming| Box::pin($function(incoming))
    };
}

pub mod accept;
pub mod body;
pub mod console;
pub mod credentials;
pub mod file;
pub mod form;
pub mod introduction;
pub mod mlserver;
pub mod parts;
pub mod path_cookie;
pub mod pieces;
pub mod revodeployr;
pub mod rock;
pub mod rtvs;
pub mod sentences;
mod unrouted;

use std::{error::Error, sync::Arc};

use axum::{
    Router,
    http::{HeaderMap, HeaderName, HeaderValue, header},
};

use crate::{
    app::App,
    auth::origin::scheme,
    config::{Config, RNamespace},
    with_sources,
};
use introduction::Introduction;

/// Seconds after which a client that has asked for too much at once may ask again. The requests that wait for it are done by then.
pub const RETRY_AFTER: HeaderValue = HeaderValue::from_static("2");

/// The ports that clients of the dialects try if they are told none.
pub const CLIENT_PORTS: [u16; 2] = [rock::PORT, mlserver::PORT];

/// The port that clients of remote workspaces try if they are told none.
pub const WORKSPACE_PORT: u16 = rtvs::PORT;

/// The header in which clients of remote workspaces name the page that they want.
pub const WORKSPACE_PAGE: HeaderName = rtvs::calls::pages::TARGET;

/// The dialect of remote workspaces, and what it answers to requests that are refused. It has listeners of its own, because it has paths
/// that mean something else in the others.
pub fn workspaces(app: &Arc<App>) -> (Router, Router) {
    rtvs::routers(app)
}

/// The R code that clients of these settings' dialects call.
#[must_use]
pub fn namespaces(config: &Config) -> Vec<RNamespace> {
    if config.rtvs.listen.is_empty() { Vec::new() } else { vec![rtvs::namespace()] }
}

/// All dialects on one listener. Their paths do not collide.
pub fn router(app: &Arc<App>) -> Router {
    revodeployr::router(app).merge(rock::router(app)).merge(mlserver::router(app)).merge(unrouted::router(app))
}

/// The same paths for a request that is refused before any call sees it: each dialect answers in its own form. The reason is an extension
/// of the request, [`crate::auth::Refused`].
pub fn refusals(app: &Arc<App>) -> Router {
    revodeployr::refusals(app).merge(rock::refusals()).merge(mlserver::refusals()).merge(unrouted::refusals(app))
}

/// The introduction of each dialect, for the start page.
#[must_use]
pub fn introductions(app: &App, headers: &HeaderMap, is_demonstration: bool) -> [Introduction; 3] {
    [
        rock::introduction::introduce(app, headers, is_demonstration),
        mlserver::introduction::introduce(headers, is_demonstration),
        revodeployr::introduction::introduce(app, headers, is_demonstration),
    ]
}

/// The path below which a dialect also serves its calls, beside the root; empty if there is none.
#[must_use]
pub fn context(app: &App) -> &str {
    &app.settings().revodeployr.context
}

/// The server's address as the client knows it, without a slash at its end.
#[must_use]
pub fn address(headers: &HeaderMap) -> String {
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).filter(|host| is_host(host));
    format!("{}://{}", scheme(headers), host.unwrap_or("localhost"))
}

/// The server's address as clients are to know it: what the settings say, or else what this client has used. Without a slash at its end.
#[must_use]
pub fn public_address(app: &App, headers: &HeaderMap) -> String {
    revodeployr::identifiers::root(&app.settings().revodeployr, app.web_context().as_deref(), headers)
}

/// The header `Set-Cookie` by which a browser has a login from now on.
#[must_use]
pub fn login_cookie(app: &App, headers: &HeaderMap, cookie: &str) -> String {
    revodeployr::cookie::of_login(app, headers, cookie)
}

/// Whether a text is a valid host and port for a URL. We check because the client's text comes back in answers.
fn is_host(text: &str) -> bool {
    !text.is_empty() && text.len() < 256 && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-_:[]%".contains(&byte))
}

/// Logs why a request could not be answered, unless the client is at fault.
pub fn log_failure(error: &(dyn Error + 'static)) {
    tracing::error!(error = with_sources(error), "a request failed");
}

/// Whether one of the dialects has a call with this path, written as in its table of routes.
#[must_use]
pub fn has_call(path: &str) -> bool {
    revodeployr::routes::ROUTES.iter().any(|route| route.call.path == path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_that_are_none_do_not_come_back() {
        let mut headers = HeaderMap::new();
        headers.insert(header::HOST, "a\"><script>".parse().unwrap());
        assert_eq!(address(&headers), "http://localhost");
        headers.insert(header::HOST, "r.example.org:8050".parse().unwrap());
        assert_eq!(address(&headers), "http://r.example.org:8050");
    }
}
