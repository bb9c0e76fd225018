//! The calls, as a table. A row has a path, what the call requires of a request, and the function that carries it out.

use std::{fmt, sync::Arc};

use axum::{body::Body, extract::Request, response::Response};
use futures_util::future::BoxFuture;
use tracing::Instrument;

use super::{
    call::{Abandoned, Call, Exchange, Methods, Requirement},
    calls::{execute, file, object, project, repository, script, session, summary, user},
    envelope::{Answer, Format},
    error::Error,
    request::{self, Incoming},
};
use crate::{
    app::{App, uploads::Destination},
    auth::Permission,
    server::requests::Notes,
};

/// The result of a call.
pub enum CallResult {
    /// An answer to be written in the dialect's form.
    Answer(Box<Answer>),
    /// A finished response: a file, or a page.
    Response(Response),
}

impl From<Answer> for CallResult {
    fn from(answer: Answer) -> Self {
        Self::Answer(Box::new(answer))
    }
}

impl From<Response> for CallResult {
    fn from(response: Response) -> Self {
        Self::Response(response)
    }
}

/// Carries out a call.
pub type Handler = for<'a> fn(&'a Arc<App>, &'a mut Incoming) -> BoxFuture<'a, Result<CallResult, Error>>;

/// One row of the table.
#[derive(Clone, Copy)]
pub struct Route {
    /// What the call requires of a request.
    pub call: Call,
    handler: Handler,
}

impl fmt::Debug for Route {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.call.fmt(formatter)
    }
}

/// A function of [`super::calls`] as a [`Handler`].
macro_rules! handler {
    ($function:path) => {
        |app, incoming| Box::pin(async move { $function(app, incoming).await.map(CallResult::from) })
    };
}

impl Route {
    const fn new(path: &'static str, methods: Methods, access: Requirement, handler: Handler) -> Self {
        Self { call: Call { path, name: path, methods, access, kind: Exchange::Form, abandoned: Abandoned::GoesOn }, handler }
    }

    const fn read(path: &'static str, access: Requirement, handler: Handler) -> Self {
        Self::new(path, Methods::Read, access, handler)
    }

    const fn change(path: &'static str, access: Requirement, handler: Handler) -> Self {
        Self::new(path, Methods::Change, access, handler)
    }

    const fn file(path: &'static str, handler: Handler) -> Self {
        Self::new(path, Methods::File, Requirement::Open, handler)
    }

    const fn kind(mut self, kind: Exchange) -> Self {
        self.call.kind = kind;
        self
    }

    const fn abandoned(mut self, abandoned: Abandoned) -> Self {
        self.call.abandoned = abandoned;
        self
    }

    /// Marks a second path of a call. Its answers name the path that the guide has.
    const fn alias_of(mut self, name: &'static str) -> Self {
        self.call.name = name;
        self
    }

    /// Whether the call goes on after its client has gone away.
    fn goes_on(&self, incoming: &Incoming) -> bool {
        let has_session = || matches!(incoming.form.label("session"), Ok(Some(_)));
        self.call.methods == Methods::Change
            && match self.call.abandoned {
                Abandoned::GoesOn => true,
                Abandoned::Ends => false,
                Abandoned::EndsWithoutSession => has_session(),
            }
    }
}

/// Callers who have logged in.
const USER: Requirement = Requirement::Login(Permission::Use);
/// Callers who may bring code of their own, as text or inside an R object.
const CODER: Requirement = Requirement::Login(Permission::Code);
/// Everybody.
const OPEN: Requirement = Requirement::Open;

/// All calls.
pub static ROUTES: [Route; 51] = [
    Route::change("/r/session/create", USER, handler!(session::create)),
    Route::change("/r/session/close", USER, handler!(session::close)),
    Route::read("/r/session/ping", USER, handler!(session::ping)),
    Route::change("/r/session/execute/code", CODER, handler!(execute::code)),
    // Without a session this is a stateless run, which is open to all. With one, only the session's owner may call.
    Route::change("/r/session/execute/script", OPEN, handler!(execute::script)).abandoned(Abandoned::EndsWithoutSession),
    Route::read("/r/session/output", USER, handler!(session::output)),
    Route::read("/r/session/history", USER, handler!(session::history)),
    Route::change("/r/session/workspace/save", USER, handler!(session::save_workspace)),
    Route::change("/r/session/project/save", USER, handler!(session::save_project)),
    Route::read("/r/session/object/list", USER, handler!(object::list)),
    Route::read("/r/session/object/get", USER, handler!(object::get)),
    Route::change("/r/session/object/push", USER, handler!(object::push)),
    Route::change("/r/session/object/save", USER, handler!(object::save)),
    Route::change("/r/session/object/load", USER, handler!(object::load)),
    Route::change("/r/session/object/stored/load", USER, handler!(object::load)),
    Route::change("/r/session/object/upload", CODER, handler!(object::upload)).kind(Exchange::Upload(Destination::Session)),
    Route::change("/r/session/object/delete", USER, handler!(object::delete)),
    Route::read("/r/session/file/list", USER, handler!(file::list)),
    Route::change("/r/session/file/upload", USER, handler!(file::upload_to_session)).kind(Exchange::Upload(Destination::Session)),
    Route::read("/r/session/file/download", USER, handler!(file::download_from_session)).kind(Exchange::Download),
    Route::change("/r/session/file/delete", USER, handler!(file::delete_from_session)),
    Route::change("/r/session/file/save", USER, handler!(file::save)),
    Route::change("/r/session/file/load", USER, handler!(file::load)),
    Route::read("/r/session/artifact/list", USER, handler!(file::artifacts)),
    Route::read("/r/session/artifact/download", USER, handler!(file::download_artifact)).kind(Exchange::Download),
    Route::change("/r/session/artifact/delete", USER, handler!(file::delete_artifact)),
    Route::read("/r/repository/object/list", USER, handler!(repository::objects)),
    Route::change("/r/repository/object/upload", CODER, handler!(repository::upload_object))
        .kind(Exchange::Upload(Destination::Repository)),
    Route::read("/r/repository/object/download", USER, handler!(repository::get)).kind(Exchange::Download),
    Route::change("/r/repository/object/delete", USER, handler!(repository::delete_object)),
    Route::read("/r/repository/file/list", USER, handler!(repository::files)),
    Route::change("/r/repository/file/upload", USER, handler!(repository::upload_file)).kind(Exchange::Upload(Destination::Repository)),
    Route::read("/r/repository/file/download", USER, handler!(repository::get)).kind(Exchange::Download),
    Route::change("/r/repository/file/delete", USER, handler!(repository::delete_file)),
    Route::read("/r/project/list", USER, handler!(project::list)),
    Route::change("/r/project/load", USER, handler!(project::load)),
    Route::change("/r/project/delete", USER, handler!(project::delete)),
    Route::read("/r/project/artifacts", USER, handler!(project::artifacts)),
    Route::change("/r/user/login", Requirement::Entrance, handler!(user::login)),
    Route::change("/r/user/logout", USER, handler!(user::logout)),
    Route::read("/r/user/whoami", USER, handler!(user::whoami)),
    Route::change("/r/user/autosave", USER, handler!(user::autosave)),
    Route::read("/r/user/live", USER, handler!(user::live)),
    Route::read("/r/script/list", OPEN, handler!(script::list)),
    Route::change("/r/script/execute", OPEN, handler!(script::execute)).abandoned(Abandoned::Ends),
    Route::change("/r/execute/script", OPEN, handler!(script::execute)).abandoned(Abandoned::Ends).alias_of("/r/script/execute"),
    Route::file("/script/summary/{id}", handler!(summary::page)),
    Route::change("/r/file/upload", USER, handler!(file::upload)).kind(Exchange::Upload(Destination::Repository)),
    Route::file("/r/file/get/{id}/{name}", handler!(file::get)).kind(Exchange::Address),
    Route::file("/r/repository/get/binary/{id}", handler!(file::get_uploaded)).kind(Exchange::Address),
    // The guide's own example has this path.
    Route::file("/r/repositoryget/binary/{id}", handler!(file::get_uploaded)).kind(Exchange::Address),
];

/// Answers a request for `route`.
pub async fn dispatch(app: Arc<App>, route: &'static Route, request: Request) -> Response {
    let call = &route.call;
    let notes = Notes::of(&request);
    notes.call("revodeployr", call.path);
    if call.kind == Exchange::Address {
        notes.conceal();
    }
    let is_allowed = call.methods.allows(request.method());
    let (mut incoming, body) = Incoming::new(&app, call.kind, request).await;
    let read = if is_allowed {
        read(&app, call, &mut incoming, body).await
    } else {
        incoming.glance(call.kind, body).await;
        Err(Error::wrong_method(call.methods.allow()))
    };
    let goes_on = read.is_ok() && route.goes_on(&incoming);
    let answer = answer(app, route, incoming, read);
    if !goes_on {
        return answer.await;
    }
    match tokio::spawn(answer.in_current_span()).await {
        Ok(response) => response,
        Err(error) => Error::internal(&error).answer(call.path, Format::default()),
    }
}

/// Reads a request, and checks that its sender may make it. A request for the address of a file has nothing to read.
async fn read(app: &Arc<App>, call: &Call, incoming: &mut Incoming, body: Body) -> Result<(), Error> {
    if call.kind == Exchange::Address { Ok(()) } else { incoming.read(app, call, body).await }
}

/// Answers a request, also one that could not be read.
async fn answer(app: Arc<App>, route: &'static Route, mut incoming: Incoming, read: Result<(), Error>) -> Response {
    let carried_out = match read {
        Ok(()) => (route.handler)(&app, &mut incoming).await,
        Err(error) => Err(error),
    };
    let format = incoming.format.unwrap_or_default();
    match carried_out {
        Ok(CallResult::Answer(answer)) => answer.render(route.call.name, format),
        Ok(CallResult::Response(response)) => response,
        Err(error) => {
            // If the request names a session, the error tells the client that the session is still there.
            let error = match incoming.session(&app) {
                Ok(session) => error.of_session(session.id),
                Err(_) => error,
            };
            error.answer(request::below_context(&app, &incoming.path).unwrap_or(&incoming.path), format)
        }
    }
}
