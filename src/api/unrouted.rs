//! Paths without a call. They are answered in the form of the dialect whose paths they look like, because whoever asks is most likely a
//! client of that dialect.

use std::sync::Arc;

use axum::{
    Extension, Router,
    extract::{Request, State},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use serde_json::json;

use super::{mlserver, revodeployr, rock};
use crate::{app::App, auth::Refused};

/// Answers all paths that have no route.
pub(super) fn router(app: &Arc<App>) -> Router {
    Router::new().fallback(unrouted).with_state(Arc::clone(app))
}

/// The same, for requests that are refused.
pub(super) fn refusals(app: &Arc<App>) -> Router {
    Router::new().fallback(refuse).with_state(Arc::clone(app))
}

async fn unrouted(State(app): State<Arc<App>>, request: Request) -> Response {
    let path = request.uri().path();
    match Look::of(&app, path) {
        Look::RevoDeployR => revodeployr::unrouted(&app, request).await,
        Look::Rock => rock::unrouted(path),
        Look::MlServer => mlserver::unrouted(path),
        Look::None => plain(StatusCode::NOT_FOUND, &format!("There is nothing at {path}")),
    }
}

async fn refuse(State(app): State<Arc<App>>, Extension(refused): Extension<Refused>, request: Request) -> Response {
    match Look::of(&app, request.uri().path()) {
        Look::RevoDeployR => revodeployr::refuse(&app, refused, request).await,
        Look::Rock => rock::refuse(refused),
        Look::MlServer => mlserver::refuse(refused),
        Look::None => plain(refused.status(), &refused.to_string()),
    }
}

fn plain(status: StatusCode, error: &str) -> Response {
    (status, [(header::CONTENT_TYPE, "application/json")], json!({ "error": error }).to_string()).into_response()
}

/// The dialect that a path looks like.
#[derive(Debug, PartialEq, Eq)]
enum Look {
    RevoDeployR,
    Rock,
    MlServer,
    None,
}

impl Look {
    fn of(app: &App, path: &str) -> Self {
        if revodeployr::owns(app, path) { Self::RevoDeployR } else { Self::at_the_root(path) }
    }

    fn at_the_root(path: &str) -> Self {
        let revodeployr = likeness(path, revodeployr::routes::ROUTES.iter().map(|route| route.call.path));
        let rock = likeness(path, rock::routes::ROUTES.iter().map(|route| route.path));
        let mlserver = likeness(path, mlserver::routes::ROUTES.iter().map(|route| route.path));
        match (revodeployr, rock) {
            (less, other) if mlserver > less.max(other) => Self::MlServer,
            (0, 0) => Self::None,
            (_, more) if more > revodeployr => Self::Rock,
            // Both have calls below `/r`, and this one most of them.
            _ => Self::RevoDeployR,
        }
    }
}

/// How much of a path is as in one of `calls`, from the beginning. A part that is given there counts more than one that may be anything.
fn likeness(path: &str, calls: impl Iterator<Item = &'static str>) -> usize {
    let alike = |call: &str| {
        let parts = path.split('/').zip(call.split('/')).skip(1);
        let points = parts.map(|(part, of_call)| match of_call {
            _ if part.is_empty() => 0,
            _ if part == of_call => 2,
            _ if of_call.starts_with('{') => 1,
            _ => 0,
        });
        points.take_while(|&points| points > 0).sum()
    };
    calls.map(alike).max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_look_like_those_of_a_dialect() {
        for path in ["/r/user/nothing", "/r/session/object/nothing", "/r/repository", "/script/summary/x/y", "/r/file/get", "/r/nothing"] {
            assert_eq!(Look::at_the_root(path), Look::RevoDeployR, "{path}");
        }
        for path in ["/rserver/nothing", "/r/session/x/nothing", "/r/session/x/command/1/nothing", "/r/sessions/nothing"] {
            assert_eq!(Look::at_the_root(path), Look::Rock, "{path}");
        }
        for path in ["/login/nothing", "/sessions/x/nothing", "/services/a/b/c", "/api/x", "/status/nothing", "/snapshots/x/y"] {
            assert_eq!(Look::at_the_root(path), Look::MlServer, "{path}");
        }
        for path in ["", "/", "/nothing", "/rs", "/deployr2", "//r/user"] {
            assert_eq!(Look::at_the_root(path), Look::None, "{path}");
        }
    }
}
