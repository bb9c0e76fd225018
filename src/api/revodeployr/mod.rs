//! RevoDeployR 1.x: the R Web Services API of 2010.
//!
//! Quirks, with the sections of the contract they come from:
//! - Calls are served below the context (`/deployr`) and at the root (1). Reads are GET or POST, changes POST.
//! - Forms are decoded leniently: a stray `%` stays, an empty parameter is an absent one (1); see [`crate::api::form`].
//! - The login is a cookie, given both as `Set-Cookie` and in the body; the two are equal (1).
//! - R's errors are 200 with `success: false`; protocol errors have a status of their own (2); see [`error`].
//! - Another user's session is answered like an unknown one (2). Users can work in their sessions from any of their logins, and from the
//!   other API; a session ends with the login that opened it (4.3).
//! - `execute/code` names plots under `files` and under `objects` (4, compatibility superset).
//! - Inputs are parsed as JSON or XML according to their text, not according to `format`, which is only about the answer. A list called
//!   `inputs` that stands alone is bound element by element, and also as a list (5); see `crate::wire::typed::input`.
//! - File addresses work without a login: the id is the secret (3).
//!
//! Start reading at [`routes`].

pub mod call;
pub mod calls;
pub mod cookie;
pub mod entries;
pub mod envelope;
pub mod error;
pub mod identifiers;
pub mod introduction;
pub mod request;
pub mod routes;
pub mod upload;

use std::sync::Arc;

use axum::{
    Extension, Router,
    extract::{Request, State},
    response::Response,
    routing::{MethodRouter, any},
};

use crate::{app::App, auth::Refused};
use error::Error;
use routes::{ROUTES, Route};

/// The dialect's routes.
pub fn router(app: &Arc<App>) -> Router {
    let call = |route| any(move |State(app): State<Arc<App>>, request: Request| routes::dispatch(app, route, request));
    routed(app, call).fallback(unrouted).with_state(Arc::clone(app))
}

/// The same paths, for requests that are refused.
pub fn refusals(app: &Arc<App>) -> Router {
    routed(app, |_| any(refuse)).fallback(refuse).with_state(Arc::clone(app))
}

fn routed(app: &App, call: impl Fn(&'static Route) -> MethodRouter<Arc<App>>) -> Router<Arc<App>> {
    let context = app.settings().revodeployr.context.as_str();
    ROUTES.iter().fold(Router::new(), |router, route| {
        let router = router.route(route.call.path, call(route));
        if context.is_empty() { router } else { router.route(&format!("{context}{}", route.call.path), call(route)) }
    })
}

/// Answers a path that is none of the calls.
async fn unrouted(State(app): State<Arc<App>>, request: Request) -> Response {
    let path = request.uri().path();
    if introduction::is_context(&app, path) {
        return introduction::calls(&app, &request);
    }
    let call = request::below_context(&app, path).unwrap_or(path);
    Error::not_found(format!("There is no such call: {path}")).answer(call, request::format_of_query(&app, request.uri()))
}

/// Answers a request that the gate has refused.
async fn refuse(State(app): State<Arc<App>>, Extension(refused): Extension<Refused>, request: Request) -> Response {
    let path = request.uri().path();
    let call = request::below_context(&app, path).unwrap_or(path);
    Error::from(refused).answer(call, request::format_of_query(&app, request.uri()))
}
