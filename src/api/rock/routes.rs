//! The calls, as a table. A row has a path, a method, who may call, and the function that carries it out.

use std::{collections::HashMap, fmt, sync::Arc};

use axum::{
    extract::Request,
    http::Method,
    response::{IntoResponse, Response},
};
use futures_util::future::BoxFuture;

use super::{
    access::{Privilege, identify, roles_allow},
    calls::{commands, evaluate, files, live, packages, server, service, sessions},
    error::Error,
    request::Incoming,
};
use crate::{
    app::App,
    auth::{
        Principal,
        origin::{check_origin, client_address, is_https},
    },
    server::requests::Notes,
};

/// Carries out a call.
pub type Handler = fn(&mut Incoming) -> BoxFuture<'_, Result<Response, Error>>;

/// One call.
#[derive(Clone)]
pub struct Route {
    /// Its path, in axum's notation.
    pub path: &'static str,
    /// Its method; HEAD goes with GET.
    pub method: Method,
    /// Who may call it.
    pub access: Privilege,
    handler: Handler,
}

impl fmt::Debug for Route {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} {} for {:?}", self.method, self.path, self.access)
    }
}

const fn get(path: &'static str, access: Privilege, handler: Handler) -> Route {
    Route { path, method: Method::GET, access, handler }
}

const fn post(path: &'static str, access: Privilege, handler: Handler) -> Route {
    Route { path, method: Method::POST, access, handler }
}

const fn put(path: &'static str, access: Privilege, handler: Handler) -> Route {
    Route { path, method: Method::PUT, access, handler }
}

const fn delete(path: &'static str, access: Privilege, handler: Handler) -> Route {
    Route { path, method: Method::DELETE, access, handler }
}

/// All calls. Those with the same path stand together.
pub static ROUTES: [Route; 33] = [
    get("/", Privilege::Public, handler!(service::info)),
    get("/_info", Privilege::Public, handler!(service::info)),
    get("/_check", Privilege::Public, handler!(service::check)),
    get("/rserver", Privilege::Server, handler!(server::status)),
    put("/rserver", Privilege::Server, handler!(server::start)),
    delete("/rserver", Privilege::Server, handler!(server::stop)),
    get("/rserver/_log", Privilege::Server, handler!(server::log)),
    get("/rserver/_version", Privilege::Server, handler!(server::version)),
    get("/rserver/packages", Privilege::Server, handler!(packages::list)),
    put("/rserver/packages", Privilege::Server, handler!(packages::update)),
    post("/rserver/packages", Privilege::Server, handler!(packages::install)),
    delete("/rserver/packages", Privilege::Server, handler!(packages::remove_several)),
    get("/rserver/packages/_datashield", Privilege::Server, handler!(packages::datashield)),
    get("/rserver/package/{name}", Privilege::Server, handler!(packages::show)),
    delete("/rserver/package/{name}", Privilege::Server, handler!(packages::remove)),
    get("/r/sessions", Privilege::Sessions, handler!(sessions::list)),
    post("/r/sessions", Privilege::Open, handler!(sessions::open)),
    delete("/r/sessions", Privilege::AllSessions, handler!(sessions::close_all)),
    get("/r/session/{id}", Privilege::Sessions, handler!(sessions::show)),
    delete("/r/session/{id}", Privilege::Sessions, handler!(sessions::close)),
    post("/r/session/{id}/_assign", Privilege::Work, handler!(evaluate::assign)),
    post("/r/session/{id}/_eval", Privilege::Work, handler!(evaluate::evaluate)),
    post("/r/session/{id}/_upload", Privilege::Work, handler!(files::upload)),
    get("/r/session/{id}/_download", Privilege::Work, handler!(files::download)),
    get("/r/session/{id}/commands", Privilege::Work, handler!(commands::list)),
    get("/r/session/{id}/command/{command}", Privilege::Work, handler!(commands::show)),
    delete("/r/session/{id}/command/{command}", Privilege::Work, handler!(commands::remove)),
    get("/r/session/{id}/command/{command}/result", Privilege::Work, handler!(commands::result)),
    // These are not in the original.
    post("/r/session/{id}/_interrupt", Privilege::Work, handler!(live::interrupt)),
    get("/r/session/{id}/_console", Privilege::Work, handler!(live::console)),
    get("/r/session/{id}/_plots", Privilege::Work, handler!(live::plots)),
    get("/r/session/{id}/_plots/{number}", Privilege::Work, handler!(live::plot)),
    post("/r/_eval", Privilege::Work, handler!(evaluate::once)),
];

/// Answers a request for `path`, whose calls are in the table.
pub async fn dispatch(app: Arc<App>, path: &'static str, parts: HashMap<String, String>, request: Request) -> Response {
    match carry_out(app, path, parts, request).await {
        Ok(response) => response,
        Err(error) => error.into_response(),
    }
}

/// Checks who the caller is and what they may do, before it looks at what they send or what the request is about.
async fn carry_out(app: Arc<App>, path: &'static str, parts: HashMap<String, String>, request: Request) -> Result<Response, Error> {
    let notes = Notes::of(&request);
    notes.call("rock", path);
    let address = client_address(request.extensions());
    let principal = identify(&app, request.headers(), request.extensions()).await?;
    notes.user(principal.name());
    check_origin(&app.rules().now(), address, is_https(request.headers()), principal.account().is_some())
        .map_err(|error| Error::forbidden(error.to_string().trim_end_matches('.')))?;
    let method = if request.method() == Method::HEAD { &Method::GET } else { request.method() };
    let Some(route) = ROUTES.iter().find(|route| route.path == path && route.method == method) else {
        return Err(no_such_method(path, request.method(), &principal));
    };
    if route.access != Privilege::Public {
        if principal.account().is_none() {
            return Err(Error::unauthenticated());
        }
        if !roles_allow(&principal, route.access) {
            return Err(Error::forbidden(if route.access == Privilege::Open { "R session creation not allowed" } else { "Access Denied" }));
        }
    }
    (route.handler)(&mut Incoming::new(app, principal, parts, request)?).await
}

fn no_such_method(path: &str, method: &Method, principal: &Principal) -> Error {
    let of_path = ROUTES.iter().filter(|route| route.path == path);
    if principal.account().is_none() && of_path.clone().all(|route| route.access != Privilege::Public) {
        return Error::unauthenticated();
    }
    let methods =
        of_path.flat_map(|route| if route.method == Method::GET { &["GET", "HEAD"][..] } else { std::slice::from_ref(name(route)) });
    Error::wrong_method(method.as_str(), &methods.copied().collect::<Vec<_>>().join(", "))
}

fn name(route: &Route) -> &&'static str {
    match route.method {
        Method::PUT => &"PUT",
        Method::DELETE => &"DELETE",
        _ => &"POST",
    }
}
