//! The calls, as a table. A row has a path, a method, who may call, and the function that carries it out.

use std::{collections::HashMap, fmt, sync::Arc};

use axum::{
    extract::Request,
    http::{Extensions, HeaderMap, Method},
    response::{IntoResponse, Response},
};
use futures_util::future::BoxFuture;

use super::{
    calls::{batch, consume, execute, files, login, services, sessions, snapshots, status, swagger, workspace},
    error::Error,
    request::Incoming,
};
use crate::{
    api::credentials,
    app::App,
    auth::{
        Permission, Principal,
        origin::{check_origin, client_address, is_https},
        permissions,
    },
    server::requests::Notes,
};

/// Carries out a call.
pub type Handler = fn(&mut Incoming) -> BoxFuture<'_, Result<Response, Error>>;

/// Who may make a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Caller {
    /// Everybody: the call is about credentials.
    Anybody,
    /// Whoever has an account.
    Known,
    /// Whoever may bring code of their own into R.
    Coder,
}

/// One call.
#[derive(Clone)]
pub struct Route {
    /// Its path, in axum's notation.
    pub path: &'static str,
    /// Its method.
    pub method: Method,
    /// Who may make it.
    pub caller: Caller,
    handler: Handler,
}

impl fmt::Debug for Route {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} {} for {:?}", self.method, self.path, self.caller)
    }
}

const fn get(path: &'static str, caller: Caller, handler: Handler) -> Route {
    Route { path, method: Method::GET, caller, handler }
}

const fn post(path: &'static str, caller: Caller, handler: Handler) -> Route {
    Route { path, method: Method::POST, caller, handler }
}

const fn patch(path: &'static str, caller: Caller, handler: Handler) -> Route {
    Route { path, method: Method::PATCH, caller, handler }
}

const fn delete(path: &'static str, caller: Caller, handler: Handler) -> Route {
    Route { path, method: Method::DELETE, caller, handler }
}

/// All calls. Those with the same path stand together.
pub static ROUTES: [Route; 43] = [
    post("/login", Caller::Anybody, handler!(login::login)),
    post("/login/refreshToken", Caller::Anybody, handler!(login::refresh)),
    delete("/login/refreshToken", Caller::Anybody, handler!(login::revoke)),
    post("/user/login", Caller::Anybody, handler!(login::login)),
    post("/user/login/refreshToken", Caller::Anybody, handler!(login::refresh)),
    delete("/user/login/refreshToken", Caller::Anybody, handler!(login::revoke)),
    get("/sessions", Caller::Coder, handler!(sessions::list)),
    post("/sessions", Caller::Coder, handler!(sessions::open)),
    delete("/sessions/{id}", Caller::Coder, handler!(sessions::close)),
    delete("/sessions/{id}/force", Caller::Coder, handler!(sessions::kill)),
    post("/sessions/{id}/execute", Caller::Coder, handler!(execute::execute)),
    post("/sessions/{id}/cancel", Caller::Coder, handler!(execute::cancel)),
    get("/sessions/{id}/console-output", Caller::Coder, handler!(execute::console_output)),
    get("/sessions/{id}/history", Caller::Coder, handler!(execute::history)),
    get("/sessions/{id}/workspace", Caller::Coder, handler!(workspace::list)),
    get("/sessions/{id}/workspace/{object}", Caller::Coder, handler!(workspace::get)),
    post("/sessions/{id}/workspace/{object}", Caller::Coder, handler!(workspace::put)),
    delete("/sessions/{id}/workspace/{object}", Caller::Coder, handler!(workspace::remove)),
    get("/sessions/{id}/files", Caller::Coder, handler!(files::list)),
    post("/sessions/{id}/files", Caller::Coder, handler!(files::upload)),
    get("/sessions/{id}/files/{file}", Caller::Coder, handler!(files::download)),
    delete("/sessions/{id}/files/{file}", Caller::Coder, handler!(files::remove)),
    post("/sessions/{id}/snapshot", Caller::Coder, handler!(snapshots::create)),
    post("/sessions/{id}/loadsnapshot/{snapshot}", Caller::Coder, handler!(snapshots::load)),
    get("/snapshots", Caller::Coder, handler!(snapshots::list)),
    get("/snapshots/{snapshot}", Caller::Coder, handler!(snapshots::download)),
    delete("/snapshots/{snapshot}", Caller::Coder, handler!(snapshots::remove)),
    get("/services", Caller::Known, handler!(services::list)),
    get("/services/{name}", Caller::Known, handler!(services::list)),
    post("/services/{name}", Caller::Known, handler!(services::publish)),
    get("/services/{name}/{version}", Caller::Known, handler!(services::show)),
    post("/services/{name}/{version}", Caller::Known, handler!(services::publish)),
    patch("/services/{name}/{version}", Caller::Known, handler!(services::update)),
    delete("/services/{name}/{version}", Caller::Known, handler!(services::remove)),
    post("/api/{name}/{version}", Caller::Known, handler!(consume::consume)),
    get("/api/{name}/{version}/swagger.json", Caller::Known, handler!(swagger::swagger)),
    get("/api/{name}/{version}/batch", Caller::Known, handler!(batch::list)),
    post("/api/{name}/{version}/batch", Caller::Known, handler!(batch::start)),
    get("/api/{name}/{version}/batch/{batch}", Caller::Known, handler!(batch::show)),
    delete("/api/{name}/{version}/batch/{batch}", Caller::Known, handler!(batch::remove)),
    get("/api/{name}/{version}/batch/{batch}/{index}/files", Caller::Known, handler!(batch::files)),
    get("/api/{name}/{version}/batch/{batch}/{index}/files/{file}", Caller::Known, handler!(batch::download)),
    get("/status", Caller::Known, handler!(status::status)),
];

/// Answers a request for `path`, whose calls are in the table.
pub async fn dispatch(app: Arc<App>, path: &'static str, parts: HashMap<String, String>, request: Request) -> Response {
    carry_out(app, path, parts, request).await.unwrap_or_else(IntoResponse::into_response)
}

/// Checks who the caller is and what they may do, before it looks at what they send or what the request is about.
async fn carry_out(app: Arc<App>, path: &'static str, parts: HashMap<String, String>, request: Request) -> Result<Response, Error> {
    let notes = Notes::of(&request);
    notes.call("mlserver", path);
    let of_path = || ROUTES.iter().filter(|route| route.path == path);
    let is_public = of_path().all(|route| route.caller == Caller::Anybody);
    let address = client_address(request.extensions());
    let principal = if is_public { Principal::nobody(address) } else { identify(&app, request.headers(), request.extensions()).await? };
    notes.user(principal.name());
    check_origin(&app.rules().now(), address, is_https(request.headers()), true).map_err(|error| Error::forbidden(error.to_string()))?;
    let method = if request.method() == Method::HEAD { &Method::GET } else { request.method() };
    let Some(route) = of_path().find(|route| route.method == method) else {
        let methods = of_path().map(|route| if route.method == Method::GET { "GET, HEAD" } else { route.method.as_str() });
        return Err(Error::wrong_method(methods.collect::<Vec<_>>().join(", ")));
    };
    if route.caller == Caller::Coder && !permissions::allows(&app.rules().now(), &principal, Permission::Code) {
        return Err(Error::forbidden("This account may not run code of its own: it lacks the role POWER_USER."));
    }
    (route.handler)(&mut Incoming::new(app, principal, parts, request)?).await
}

/// The principal of a request, which has a token, or comes over a connection with a certificate.
async fn identify(app: &App, headers: &HeaderMap, extensions: &Extensions) -> Result<Principal, Error> {
    let address = client_address(extensions);
    if let Some(principal) = credentials::token_principal(app, headers, address).await? {
        return Ok(principal);
    }
    credentials::certificate_principal(app, extensions, address)?.ok_or_else(Error::unauthenticated)
}
