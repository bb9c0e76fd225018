//! Microsoft R Server 9: remote execution and web services over REST.
//!
//! Quirks, with the sections of the contract they come from:
//! - Tokens come from `/login` and, as the original document names it, `/user/login` (Authentication).
//! - A refresh token that is revoked stands in the query (Authentication).
//! - Every error is `{"message", "link"}` (Errors).
//!
//! Start reading at [`routes`].

pub mod calls;
pub mod error;
pub mod routes;

use std::sync::Arc;

use axum::{
    Extension, Router,
    extract::{Request, State},
    response::{IntoResponse, Response},
    routing::{MethodRouter, any},
};

use crate::{app::App, auth::Refused};
use error::Error;
use routes::ROUTES;

/// The dialect's routes.
pub fn router(app: &Arc<App>) -> Router {
    routed(|path| any(move |State(app): State<Arc<App>>, request: Request| routes::dispatch(app, path, request)))
        .with_state(Arc::clone(app))
}

/// The same paths, for requests that are refused.
pub fn refusals() -> Router {
    routed(|_| any(|Extension(refused): Extension<Refused>| async move { refuse(refused) }))
}

fn routed<S: Clone + Send + Sync + 'static>(call: impl Fn(&'static str) -> MethodRouter<S>) -> Router<S> {
    let mut paths: Vec<&'static str> = ROUTES.iter().map(|route| route.path).collect();
    paths.dedup();
    paths.into_iter().fold(Router::new(), |router, path| router.route(path, call(path)))
}

/// Answers a request that the gate has refused.
pub fn refuse(refused: Refused) -> Response {
    Error::from(refused).into_response()
}
