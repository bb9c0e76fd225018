//! OBiBa Rock: R over REST, as its clients rockr, Opal and Armadillo speak it.
//!
//! Quirks, with the sections of the contract they come from:
//! - Every request carries a name and a password (1); see [`access`]. Wrong ones are refused even on public paths.
//! - Empty answers have no `Content-Type`, because clients would then expect content (1); see [`answer`].
//! - Some answers have two forms, chosen by `Accept`; for a client that takes anything it is JSON (1); see [`accept`].
//! - Errors are JSON with the status as text; R's errors are 400 (3); see [`error`].
//! - A manager looks after R and its packages, can see and close sessions, and cannot work in any (2).
//! - Dates of sessions and of commands are written differently, as clients parse them (7, 9); see [`views`].
//! - An operation waits for the one that runs; synchronous and asynchronous operations share one queue (9).
//! - `wait` also works when a command is shown, because rockr sends it there (9, 12).
//! - The result of a command that failed is its error with `wait`, and is empty without; such a command is kept until it is removed (9,
//!   12).
//! - Parameters of an upload come in the query or as parts of the form; paths are decoded twice (10).
//! - A body without a charset is read as UTF-8, or as Latin-1 if it is not UTF-8 (the clients' contract, section 2).
//!
//! Beyond the original: `_interrupt`, `_console`, `_plots`, `/r/_eval`, and three members of a session.
//!
//! Start reading at [`routes`].

pub mod accept;
pub mod access;
pub mod accounts;
pub mod answer;
pub mod calls;
pub mod error;
pub mod introduction;
pub mod request;
pub mod routes;
pub mod value;
pub mod views;

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
pub const PORT: u16 = 8085;

type Parts = Result<Path<HashMap<String, String>>, PathRejection>;

/// The dialect's routes.
pub fn router(app: &Arc<App>) -> Router {
    let call = |path| {
        any(move |State(app): State<Arc<App>>, parts: Parts, request: Request| async move {
            match parts {
                Ok(Path(parts)) => routes::dispatch(app, path, parts, request).await,
                Err(_) => Error::invalid("The path is not UTF-8 text").into_response(),
            }
        })
    };
    routed(call).with_state(Arc::clone(app))
}

/// The same paths, for requests that are refused.
pub fn refusals() -> Router {
    let refuse = any(|Extension(refused): Extension<Refused>| async move { refuse(refused) });
    routed(|_| refuse.clone())
}

fn routed<S: Clone + Send + Sync + 'static>(call: impl Fn(&'static str) -> MethodRouter<S>) -> Router<S> {
    let mut paths: Vec<&'static str> = ROUTES.iter().map(|route| route.path).collect();
    paths.dedup();
    paths.into_iter().fold(Router::new(), |router, path| router.route(path, call(path)))
}

/// Answers a path that is none of the calls.
pub fn unrouted(path: &str) -> Response {
    Error::no_such_path(path).into_response()
}

/// Answers a request that the gate has refused.
pub fn refuse(refused: Refused) -> Response {
    Error::from(refused).into_response()
}
