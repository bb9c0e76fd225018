//! Microsoft R Server 9: remote execution and web services over REST.
//!
//! Quirks, with the sections of the contract they come from:
//! - Tokens come from `/login` and, as the original document names it, `/user/login` (Authentication).
//! - A refresh token that is revoked stands in the query (Authentication).
//! - An error of R is no error of the call: it is answered with 200, and `success` is false (Sessions).
//! - Nothing is PUT: objects and files are POSTed to their names (Sessions).
//! - What is asked of a session waits for what the session is running, as it does in the one R behind a session of the original.
//! - A `runtimeType` does not count, as the first version knew none: Python's client says "Python" whatever the code is (Sessions).
//! - Outputs are a list of names and values here, and an object by name when a service is consumed (Sessions).
//! - A batch is begun with one spelling of its identity and read with another, and so is a parameter of it (consumption).
//! - Times have no zone, and are in UTC (Snapshots).
//! - Every error is `{"message", "link"}` (Errors).
//!
//! Start reading at [`routes`].

pub mod answer;
pub mod calls;
pub mod error;
pub mod introduction;
pub mod request;
pub mod routes;
pub mod upload;

use std::{collections::HashMap, sync::Arc};

use axum::{
    Extension, Router,
    extract::{Path, Request, State, rejection::PathRejection},
    response::{IntoResponse, Response},
    routing::{MethodRouter, any},
};

use crate::{app::App, auth::Refused};
use error::Error;
use routes::ROUTES;

/// The port that clients try if they are told none.
pub const PORT: u16 = 12800;

type PathParts = Result<Path<HashMap<String, String>>, PathRejection>;

/// The dialect's routes.
pub fn router(app: &Arc<App>) -> Router {
    let call = |path| {
        any(move |State(app): State<Arc<App>>, parts: PathParts, request: Request| async move {
            match parts {
                Ok(Path(parts)) => routes::dispatch(app, path, parts, request).await,
                Err(_) => Error::invalid("The path is not UTF-8 text.").into_response(),
            }
        })
    };
    routed(call).with_state(Arc::clone(app))
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

/// Answers a request for a path that is no call's.
pub fn unrouted(path: &str) -> Response {
    Error::unknown(format!("There is nothing at {path}.")).into_response()
}

/// Answers a request that the gate has refused.
pub fn refuse(refused: Refused) -> Response {
    Error::from(refused).into_response()
}
