//! The calls, as a table.

use std::{collections::HashMap, sync::Arc};

use axum::{
    extract::Request,
    http::Method,
    response::{IntoResponse, Response},
};

use super::{
    access::{Access, Caller},
    calls::{commands, evaluate, files, live, packages, server, service, sessions},
    error::Error,
    request::Incoming,
};
use crate::{
    app::App,
    auth::origin::{check_origin, client_address, is_https},
    telemetry::requests::Notes,
};

/// What a call does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are those of the calls")]
pub enum Call {
    Info,
    Check,
    Server,
    ServerStart,
    ServerStop,
    ServerLog,
    ServerVersion,
    Packages,
    PackagesUpdate,
    PackageInstall,
    PackagesRemove,
    PackagesDatashield,
    Package,
    PackageRemove,
    Sessions,
    SessionOpen,
    SessionsClose,
    Session,
    SessionClose,
    Assign,
    Evaluate,
    Upload,
    Download,
    Commands,
    Command,
    CommandRemove,
    CommandResult,
    Interrupt,
    Console,
    Plots,
    Plot,
    EvaluateOnce,
}

/// One call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// Its path, in axum's notation.
    pub path: &'static str,
    /// Its method; HEAD goes with GET.
    pub method: Method,
    /// Who may call it.
    pub access: Access,
    /// What it does.
    pub call: Call,
}

const fn get(path: &'static str, access: Access, call: Call) -> Route {
    Route { path, method: Method::GET, access, call }
}

const fn post(path: &'static str, access: Access, call: Call) -> Route {
    Route { path, method: Method::POST, access, call }
}

const fn put(path: &'static str, access: Access, call: Call) -> Route {
    Route { path, method: Method::PUT, access, call }
}

const fn delete(path: &'static str, access: Access, call: Call) -> Route {
    Route { path, method: Method::DELETE, access, call }
}

/// All calls; those of one path stand together.
pub static ROUTES: [Route; 33] = [
    get("/", Access::Public, Call::Info),
    get("/_info", Access::Public, Call::Info),
    get("/_check", Access::Public, Call::Check),
    get("/rserver", Access::Server, Call::Server),
    put("/rserver", Access::Server, Call::ServerStart),
    delete("/rserver", Access::Server, Call::ServerStop),
    get("/rserver/_log", Access::Server, Call::ServerLog),
    get("/rserver/_version", Access::Server, Call::ServerVersion),
    get("/rserver/packages", Access::Server, Call::Packages),
    put("/rserver/packages", Access::Server, Call::PackagesUpdate),
    post("/rserver/packages", Access::Server, Call::PackageInstall),
    delete("/rserver/packages", Access::Server, Call::PackagesRemove),
    get("/rserver/packages/_datashield", Access::Server, Call::PackagesDatashield),
    get("/rserver/package/{name}", Access::Server, Call::Package),
    delete("/rserver/package/{name}", Access::Server, Call::PackageRemove),
    get("/r/sessions", Access::Sessions, Call::Sessions),
    post("/r/sessions", Access::Work, Call::SessionOpen),
    delete("/r/sessions", Access::AllSessions, Call::SessionsClose),
    get("/r/session/{id}", Access::Sessions, Call::Session),
    delete("/r/session/{id}", Access::Sessions, Call::SessionClose),
    post("/r/session/{id}/_assign", Access::Work, Call::Assign),
    post("/r/session/{id}/_eval", Access::Work, Call::Evaluate),
    post("/r/session/{id}/_upload", Access::Work, Call::Upload),
    get("/r/session/{id}/_download", Access::Work, Call::Download),
    get("/r/session/{id}/commands", Access::Work, Call::Commands),
    get("/r/session/{id}/command/{command}", Access::Work, Call::Command),
    delete("/r/session/{id}/command/{command}", Access::Work, Call::CommandRemove),
    get("/r/session/{id}/command/{command}/result", Access::Work, Call::CommandResult),
    // What the original does not have.
    post("/r/session/{id}/_interrupt", Access::Work, Call::Interrupt),
    get("/r/session/{id}/_console", Access::Work, Call::Console),
    get("/r/session/{id}/_plots", Access::Work, Call::Plots),
    get("/r/session/{id}/_plots/{number}", Access::Work, Call::Plot),
    post("/r/_eval", Access::Work, Call::EvaluateOnce),
];

/// Answers a request for `path`, whose calls are in the table.
pub async fn dispatch(app: Arc<App>, path: &'static str, parts: HashMap<String, String>, request: Request) -> Response {
    match carry_out(app, path, parts, request).await {
        Ok(response) => response,
        Err(error) => error.into_response(),
    }
}

/// In this order: who is it, may they, and only then what they send and what it is about.
async fn carry_out(app: Arc<App>, path: &'static str, parts: HashMap<String, String>, request: Request) -> Result<Response, Error> {
    let notes = Notes::of(&request);
    notes.call("rock", path);
    let address = client_address(request.extensions());
    let caller = Caller::identify(&app, request.headers(), address).await?;
    if let Some(caller) = &caller {
        notes.user(&caller.name);
    }
    check_origin(&app.rules.now(), address, is_https(request.headers()), caller.is_some())
        .map_err(|error| Error::forbidden(error.to_string().trim_end_matches('.')))?;
    let method = if request.method() == Method::HEAD { &Method::GET } else { request.method() };
    let Some(route) = ROUTES.iter().find(|route| route.path == path && route.method == method) else {
        return Err(no_such_method(path, request.method(), caller.as_ref()));
    };
    match &caller {
        _ if route.access == Access::Public => {}
        None => return Err(Error::unauthenticated()),
        Some(caller) if caller.roles.allow(route.access) => {}
        Some(_) if route.call == Call::SessionOpen => return Err(Error::forbidden("R session creation not allowed")),
        Some(_) => return Err(Error::forbidden("Access Denied")),
    }
    call(route.call, Incoming::new(app, caller, parts, request)?).await
}

fn no_such_method(path: &str, method: &Method, caller: Option<&Caller>) -> Error {
    let of_path = ROUTES.iter().filter(|route| route.path == path);
    if caller.is_none() && of_path.clone().all(|route| route.access != Access::Public) {
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

async fn call(call: Call, incoming: Incoming) -> Result<Response, Error> {
    match call {
        Call::Info => Ok(service::info(&incoming)),
        Call::Check => service::check(&incoming).await,
        Call::Server => Ok(server::status(&incoming)),
        Call::ServerStart => server::start(&incoming).await,
        Call::ServerStop => server::stop(&incoming).await,
        Call::ServerLog => server::log(&incoming),
        Call::ServerVersion => server::version(&incoming).await,
        Call::Packages => packages::list(&incoming).await,
        Call::PackagesUpdate => packages::update(&incoming).await,
        Call::PackageInstall => packages::install(&incoming).await,
        Call::PackagesRemove => packages::remove_several(&incoming).await,
        Call::PackagesDatashield => packages::datashield(&incoming).await,
        Call::Package => packages::show(&incoming).await,
        Call::PackageRemove => packages::remove(&incoming).await,
        Call::Sessions => sessions::list(&incoming).await,
        Call::SessionOpen => sessions::open(&incoming).await,
        Call::SessionsClose => sessions::close_all(&incoming),
        Call::Session => sessions::show(&incoming),
        Call::SessionClose => sessions::close(&incoming),
        Call::Assign => evaluate::assign(incoming).await,
        Call::Evaluate => evaluate::evaluate(incoming).await,
        Call::Upload => files::upload(incoming).await,
        Call::Download => files::download(&incoming).await,
        Call::Commands => commands::list(&incoming),
        Call::Command => commands::show(&incoming).await,
        Call::CommandRemove => commands::remove(&incoming),
        Call::CommandResult => commands::result(&incoming).await,
        Call::Interrupt => live::interrupt(&incoming),
        Call::Console => live::console(&incoming),
        Call::Plots => live::plots(&incoming).await,
        Call::Plot => live::plot(&incoming).await,
        Call::EvaluateOnce => evaluate::once(incoming).await,
    }
}
