//! Remote workspaces of R Tools for Visual Studio (RTVS): a broker of sessions by HTTP, and a pipe of messages to each R.
//!
//! Quirks, with the sections of the contract they come from:
//! - Paths do not depend on the case of letters, and a path with another method is unknown: 404 without content, never 405 (a.4).
//! - Wrong credentials are 401 without content, and nothing else is 401 or 403, as clients would ask for the password again (a.2). The one
//!   exception is a request for a pipe that is no WebSocket: 401 with a reason and without a challenge (a.4).
//! - A name may have a prefix that says that it is one of the operating system. Each way of writing it has sessions of its own (a.2).
//! - Errors are a status of 400 with a name in a header and a number as the content (a.4).
//! - Keys of JSON that comes in are of any case, enumerations that go out are numbers (a.1).
//! - A session is begun by PUT, with an identity that the client chooses; another PUT ends it and begins a new one. DELETE succeeds for what
//!   does not exist (a.4).
//! - Clients of later versions connect to a pipe without credentials, and no client sends any with a request for a page of R's (a.5, a.6).
//!   Where that is let in, it has to come from the address that the credentials came from, and the session's identity has to be random.
//! - Headers of the handshake are doubled by some clients (a.5).
//! - The client decides by the first two parts of the version whether it goes on (a.4).
//! - If the client leaves, R ends (a.5).
//!
//! The original differs where that was an error of its: it answers requests for pages without a target by 500, broken JSON by the defaults,
//! and opens its proxy to everybody.
//!
//! Start reading at [`routes`], and for the pipe at [`relay`].

pub mod access;
pub mod broker;
pub mod calls;
pub mod conversation;
pub mod error;
pub mod host_line;
mod journal;
pub mod message;
pub mod pages;
pub mod relay;
pub mod request;
pub mod routes;
mod said;
mod told;

use std::sync::Arc;

use axum::{
    Extension, Router,
    extract::Request,
    response::{IntoResponse, Response},
};

use crate::{app::App, auth::Refused, config::RNamespace};
use broker::Broker;
use error::Error;

/// The port that clients try if they are told none.
pub const PORT: u16 = 5444;

/// The sub-protocol of the pipe.
const PROTOCOL: &str = "Microsoft.R.Host";

/// The namespace of the R functions that clients call.
const NAMESPACE: &str = "rtvs";

/// The file in which R leaves its objects when its client has gone (contract b.8; `r/console.R` writes and loads it).
const LEFT_WORKSPACE: &str = ".Autosave.RData";

/// The code of these functions.
const CODE: [&str; 11] = [
    include_str!("r/blobs.R"),
    include_str!("r/breakpoints.R"),
    include_str!("r/console.R"),
    include_str!("r/debugging.R"),
    include_str!("r/describe.R"),
    include_str!("r/files.R"),
    include_str!("r/grid.R"),
    include_str!("r/help.R"),
    include_str!("r/packages.R"),
    include_str!("r/plots.R"),
    include_str!("r/reprs.R"),
];

/// The namespace of the R functions that clients call, for R to load.
#[must_use]
pub fn namespace() -> RNamespace {
    RNamespace { name: NAMESPACE, version: "1.0", code: CODE.join("\n") }
}

/// Everything that a listener of this dialect serves, and what it answers to requests that are refused before any call sees them.
pub fn routers(app: &Arc<App>) -> (Router, Router) {
    let broker = Arc::new(Broker::new(Arc::clone(app)));
    calls::info::watch(&broker);
    let router = Router::new().fallback(move |request: Request| routes::dispatch(Arc::clone(&broker), request));
    (router, Router::new().fallback(refuse))
}

async fn refuse(Extension(refused): Extension<Refused>) -> Response {
    Error::from(refused).into_response()
}
