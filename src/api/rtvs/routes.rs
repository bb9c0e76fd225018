//! The calls, as a table. A row has a path, a method, who may call, and the function that carries it out.

use std::{fmt, sync::Arc};

use axum::{
    extract::Request,
    http::Method,
    response::{IntoResponse, Response},
};
use futures_util::future::BoxFuture;

use super::{
    access,
    broker::Broker,
    calls::{info, pages, pipe, sessions},
    error::Error,
    request::Incoming,
};
use crate::server::requests::Notes;

/// Carries out a call.
pub type Handler = fn(Incoming) -> BoxFuture<'static, Result<Response, Error>>;

/// Who may make a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Who {
    /// Everybody.
    Anybody,
    /// Whoever has an account, or knows the secret.
    Known,
    /// The call finds out itself.
    Own,
}

/// One call.
#[derive(Clone)]
pub struct Route {
    /// Its path, in lower case; `{id}` is the identity of a session.
    pub path: &'static str,
    /// Its method.
    pub method: Method,
    /// Who may make it.
    pub access: Who,
    handler: Handler,
}

impl fmt::Debug for Route {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} {} for {:?}", self.method, self.path, self.access)
    }
}

const fn row(method: Method, path: &'static str, access: Who, handler: Handler) -> Route {
    Route { path, method, access, handler }
}

/// All calls.
pub static ROUTES: [Route; 15] = [
    row(Method::GET, "/info/about", Who::Anybody, handler!(info::about)),
    row(Method::GET, "/info/load", Who::Anybody, handler!(info::load)),
    row(Method::GET, "/interpreters", Who::Known, handler!(info::interpreters)),
    row(Method::GET, "/sessions", Who::Known, handler!(sessions::list)),
    row(Method::PUT, "/sessions/{id}", Who::Known, handler!(sessions::begin)),
    row(Method::DELETE, "/sessions/{id}", Who::Known, handler!(sessions::end)),
    row(Method::GET, "/sessions/{id}/pipe", Who::Own, handler!(pipe::connect)),
    row(Method::POST, "/ping", Who::Known, handler!(info::ping)),
    row(Method::GET, "/remoteuri", Who::Own, handler!(pages::fetch)),
    row(Method::HEAD, "/remoteuri", Who::Own, handler!(pages::fetch)),
    row(Method::POST, "/remoteuri", Who::Own, handler!(pages::fetch)),
    row(Method::PUT, "/remoteuri", Who::Own, handler!(pages::fetch)),
    row(Method::DELETE, "/remoteuri", Who::Own, handler!(pages::fetch)),
    row(Method::PATCH, "/remoteuri", Who::Own, handler!(pages::fetch)),
    row(Method::OPTIONS, "/remoteuri", Who::Own, handler!(pages::fetch)),
];

/// Answers a request.
pub async fn dispatch(broker: Arc<Broker>, request: Request) -> Response {
    carry_out(broker, request).await.unwrap_or_else(IntoResponse::into_response)
}

async fn carry_out(broker: Arc<Broker>, request: Request) -> Result<Response, Error> {
    let notes = Notes::of(&request);
    let found = ROUTES.iter().find_map(|route| {
        let id = matches(request.uri().path(), route.path).filter(|_| route.method == *request.method())?;
        Some((route, id))
    });
    let Some((route, id)) = found else {
        notes.call("rtvs", "none");
        return Err(Error::Nothing);
    };
    notes.call("rtvs", route.path);
    if id.is_some() {
        // Whoever knows an identity may be able to connect by it.
        notes.conceal();
    }
    access::check_place(&broker.app, &request, route.access != Who::Anybody)?;
    let caller = match route.access {
        Who::Known => Some(access::identify(&broker.app, request.headers(), request.extensions()).await?),
        Who::Anybody | Who::Own => None,
    };
    if let Some(caller) = &caller {
        notes.user(caller.principal.name());
    }
    let id = id.unwrap_or_default();
    (route.handler)(Incoming { broker, caller, id, notes, request }).await
}

/// Whether a path is that of a call, with the identity in it if the call's has one.
fn matches(path: &str, route: &str) -> Option<Option<String>> {
    let path = path.strip_suffix('/').unwrap_or(path);
    let (mut parts, mut wanted, mut id) = (path.split('/'), route.split('/'), None);
    loop {
        match (parts.next(), wanted.next()) {
            (None, None) => return Some(id),
            (Some(part), Some("{id}")) => {
                let text = percent_encoding::percent_decode_str(part).decode_utf8().ok()?;
                id = Some(text.into_owned()).filter(|id| !id.is_empty());
                id.as_ref()?;
            }
            (Some(part), Some(wanted)) if part.eq_ignore_ascii_case(wanted) => {}
            _ => return None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_of_any_case_and_identities_are_not() {
        for (path, route, id) in [
            ("/info/about", "/info/about", Some(None)),
            ("/INFO/About/", "/info/about", Some(None)),
            ("/sessions/Ab%20c", "/sessions/{id}", Some(Some("Ab c"))),
            ("/Sessions/x/Pipe", "/sessions/{id}/pipe", Some(Some("x"))),
            ("/sessions/", "/sessions/{id}", None),
            ("/sessions//pipe", "/sessions/{id}/pipe", None),
            ("/sessions/%ff", "/sessions/{id}", None),
            ("/sessions/a/b", "/sessions/{id}", None),
            ("/info", "/info/about", None),
            ("/", "/info/about", None),
            ("", "/info/about", None),
        ] {
            assert_eq!(matches(path, route), id.map(|id| id.map(str::to_owned)), "{path}");
        }
    }
}
