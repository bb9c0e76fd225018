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
//! - Names, identifiers and descriptions are trimmed, as the guide's examples have blanks around them; code and data are not.
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
    routed(app, call).with_state(Arc::clone(app))
}

/// The same paths, for requests that are refused.
pub fn refusals(app: &Arc<App>) -> Router {
    let refuse = |State(app): State<Arc<App>>, Extension(refused): Extension<Refused>, request: Request| async move {
        refuse(&app, refused, request).await
    };
    routed(app, |_| any(refuse)).with_state(Arc::clone(app))
}

fn routed(app: &App, call: impl Fn(&'static Route) -> MethodRouter<Arc<App>>) -> Router<Arc<App>> {
    let context = app.settings().revodeployr.context.as_str();
    ROUTES.iter().fold(Router::new(), |router, route| {
        let router = router.route(route.call.path, call(route));
        if context.is_empty() { router } else { router.route(&format!("{context}{}", route.call.path), call(route)) }
    })
}

/// Whether a path belongs to this dialect whatever follows: it is the context or below it.
pub fn owns(app: &App, path: &str) -> bool {
    introduction::is_context(app, path) || request::below_context(app, path).is_some()
}

/// Answers a path that is none of the calls.
pub async fn unrouted(app: &App, request: Request) -> Response {
    let path = request.uri().path();
    if introduction::is_context(app, path) {
        return introduction::calls(app, request).await;
    }
    answer(app, Error::not_found(format!("There is no such call: {path}")), request).await
}

/// Answers a request that the gate has refused.
pub async fn refuse(app: &App, refused: Refused, request: Request) -> Response {
    answer(app, Error::from(refused), request).await
}

/// Answers a request that reaches no call.
async fn answer(app: &App, error: Error, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let path = head.uri.path();
    let format = request::format_of(app, &head, body).await;
    error.answer(request::below_context(app, path).unwrap_or(path), format)
}
