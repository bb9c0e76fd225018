//! RevoDeployR 1.x: the R Web Services API of 2010.
//!
//! Quirks, with the sections of the contract they come from:
//! - Calls are served below the context (`/deployr`) and at the root (1). Reads are GET or POST, changes POST.
//! - Forms are decoded leniently: a stray `%` stays, an empty parameter is an absent one (1); see
//!   [`crate::api::form`].
//! - The login is a cookie, given both as `Set-Cookie` and in the body; the two are equal (1).
//! - R's errors are 200 with `success: false`; protocol errors have a status of their own (2); see [`error`].
//! - Another user's session is answered as an unknown one (2). One's own can be used from any login, as from the other
//!   API, and ends with the login that has opened it (4.3).
//! - `execute/code` names plots under `files` and under `objects` (4, compatibility superset).
//! - Inputs are read as what they are, JSON or XML, whatever `format` says of the answer; a list called `inputs` by
//!   itself is bound element by element, and as a list (5); see `crate::wire::typed::input`.
//! - File addresses work without a login: the id is the secret (3).
//!
//! Start reading at [`routes`].

pub mod calls;
pub mod cookie;
pub mod envelope;
pub mod error;
pub mod identifiers;
pub mod request;
pub mod routes;
pub mod upload;

use std::sync::Arc;

use axum::{
    Router,
    extract::{Request, State},
    response::Response,
    routing::any,
};

use crate::app::App;
use error::Error;
use routes::ROUTES;

/// The dialect's routes.
pub fn router(app: &Arc<App>) -> Router {
    let context = app.config.revodeployr.context.as_str();
    let mut router = Router::new();
    for route in &ROUTES {
        let handler = any(move |State(app): State<Arc<App>>, request: Request| routes::dispatch(app, route, request));
        router = router.route(route.path, handler.clone());
        if !context.is_empty() {
            router = router.route(&format!("{context}{}", route.path), handler);
        }
    }
    router.fallback(unrouted).with_state(Arc::clone(app))
}

/// What is none of the calls.
async fn unrouted(State(app): State<Arc<App>>, request: Request) -> Response {
    let path = request.uri().path();
    let call = request::below_context(&app, path).unwrap_or(path);
    Error::not_found(format!("There is no such call: {path}")).answer(call, request::format_of_query(&app, request.uri()))
}
