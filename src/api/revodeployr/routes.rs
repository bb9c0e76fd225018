//! The calls, as a table.

use std::sync::Arc;

use axum::{body::Body, extract::Request, http::Method, response::Response};
use tracing::Instrument;

use super::{
    calls::{execute, file, object, project, repository, script, session, summary, user},
    envelope::{Answer, Format},
    error::Error,
    request::{self, Incoming},
};
use crate::{app::App, auth::Permission, telemetry::requests::Notes};

/// Which methods a call takes: clients of 2010 send reads by POST as well.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Methods {
    /// GET, HEAD and POST.
    Read,
    /// POST.
    Change,
    /// GET and HEAD: the address of a file or a page.
    File,
}

impl Methods {
    /// As the header `Allow` has them.
    #[must_use]
    pub fn allow(self) -> &'static str {
        match self {
            Self::Read => "GET, HEAD, POST",
            Self::Change => "POST",
            Self::File => "GET, HEAD",
        }
    }

    /// Whether a method is one of them.
    #[must_use]
    pub fn allows(self, method: &Method) -> bool {
        match *method {
            Method::GET | Method::HEAD => self != Self::Change,
            Method::POST => self != Self::File,
            _ => false,
        }
    }
}

/// Who may call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Everybody.
    Open,
    /// Who has logged in, and has this permission.
    Login(Permission),
}

/// What a call does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are those of the calls")]
pub enum Call {
    SessionCreate,
    SessionClose,
    SessionPing,
    SessionExecuteCode,
    SessionExecuteScript,
    SessionOutput,
    SessionHistory,
    SessionWorkspaceSave,
    SessionProjectSave,
    SessionObjectList,
    SessionObjectGet,
    SessionObjectPush,
    SessionObjectSave,
    SessionObjectLoad,
    SessionObjectUpload,
    SessionObjectDelete,
    SessionFileList,
    SessionFileUpload,
    SessionFileDownload,
    SessionFileDelete,
    SessionFileSave,
    SessionFileLoad,
    SessionArtifactList,
    SessionArtifactDownload,
    SessionArtifactDelete,
    RepositoryObjectList,
    RepositoryObjectUpload,
    RepositoryFileList,
    RepositoryFileUpload,
    RepositoryDownload,
    RepositoryObjectDelete,
    RepositoryFileDelete,
    ProjectList,
    ProjectLoad,
    ProjectDelete,
    ProjectArtifacts,
    UserLogin,
    UserLogout,
    UserWhoami,
    UserAutosave,
    UserLive,
    ScriptList,
    ScriptExecute,
    ScriptSummary,
    FileUpload,
    FileGet,
    UploadGet,
}

impl Call {
    /// Whether a file comes with it.
    #[must_use]
    pub fn takes_upload(self) -> bool {
        use Call::{FileUpload, RepositoryFileUpload, RepositoryObjectUpload, SessionFileUpload, SessionObjectUpload};
        matches!(self, FileUpload | RepositoryFileUpload | RepositoryObjectUpload | SessionFileUpload | SessionObjectUpload)
    }

    /// Whether it answers with the bytes of a file.
    #[must_use]
    pub fn is_download(self) -> bool {
        matches!(self, Self::SessionFileDownload | Self::SessionArtifactDownload | Self::RepositoryDownload)
    }
}

/// One call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Route {
    /// Its path below the context, in axum's notation.
    pub path: &'static str,
    /// Its methods.
    pub methods: Methods,
    /// Who may call it.
    pub access: Access,
    /// What it does.
    pub call: Call,
}

/// Who has logged in.
const USER: Access = Access::Login(Permission::Use);
/// Who may bring code of their own, as text or inside an R object.
const CODER: Access = Access::Login(Permission::Code);

impl Route {
    /// Whether the call is carried out to its end when the client goes away in the middle: what it changes is not to
    /// be half changed. What a run of a script has in a session of its own is nobody's then.
    fn goes_on(&self, incoming: &Incoming) -> bool {
        let has_session = || matches!(incoming.form.get("session"), Ok(Some(_)));
        match self.call {
            Call::ScriptExecute => false,
            Call::SessionExecuteScript => has_session(),
            _ => self.methods == Methods::Change,
        }
    }
}

const fn route(path: &'static str, methods: Methods, access: Access, call: Call) -> Route {
    Route { path, methods, access, call }
}

/// All calls.
pub const ROUTES: [Route; 51] = [
    route("/r/session/create", Methods::Change, USER, Call::SessionCreate),
    route("/r/session/close", Methods::Change, USER, Call::SessionClose),
    route("/r/session/ping", Methods::Read, USER, Call::SessionPing),
    route("/r/session/execute/code", Methods::Change, CODER, Call::SessionExecuteCode),
    // Without a session, a stateless run, which is open to all; with one, the session has an owner.
    route("/r/session/execute/script", Methods::Change, Access::Open, Call::SessionExecuteScript),
    route("/r/session/output", Methods::Read, USER, Call::SessionOutput),
    route("/r/session/history", Methods::Read, USER, Call::SessionHistory),
    route("/r/session/workspace/save", Methods::Change, USER, Call::SessionWorkspaceSave),
    route("/r/session/project/save", Methods::Change, USER, Call::SessionProjectSave),
    route("/r/session/object/list", Methods::Read, USER, Call::SessionObjectList),
    route("/r/session/object/get", Methods::Read, USER, Call::SessionObjectGet),
    route("/r/session/object/push", Methods::Change, USER, Call::SessionObjectPush),
    route("/r/session/object/save", Methods::Change, USER, Call::SessionObjectSave),
    route("/r/session/object/load", Methods::Change, USER, Call::SessionObjectLoad),
    route("/r/session/object/stored/load", Methods::Change, USER, Call::SessionObjectLoad),
    route("/r/session/object/upload", Methods::Change, CODER, Call::SessionObjectUpload),
    route("/r/session/object/delete", Methods::Change, USER, Call::SessionObjectDelete),
    route("/r/session/file/list", Methods::Read, USER, Call::SessionFileList),
    route("/r/session/file/upload", Methods::Change, USER, Call::SessionFileUpload),
    route("/r/session/file/download", Methods::Read, USER, Call::SessionFileDownload),
    route("/r/session/file/delete", Methods::Change, USER, Call::SessionFileDelete),
    route("/r/session/file/save", Methods::Change, USER, Call::SessionFileSave),
    route("/r/session/file/load", Methods::Change, USER, Call::SessionFileLoad),
    route("/r/session/artifact/list", Methods::Read, USER, Call::SessionArtifactList),
    route("/r/session/artifact/download", Methods::Read, USER, Call::SessionArtifactDownload),
    route("/r/session/artifact/delete", Methods::Change, USER, Call::SessionArtifactDelete),
    route("/r/repository/object/list", Methods::Read, USER, Call::RepositoryObjectList),
    route("/r/repository/object/upload", Methods::Change, CODER, Call::RepositoryObjectUpload),
    route("/r/repository/object/download", Methods::Read, USER, Call::RepositoryDownload),
    route("/r/repository/object/delete", Methods::Change, USER, Call::RepositoryObjectDelete),
    route("/r/repository/file/list", Methods::Read, USER, Call::RepositoryFileList),
    route("/r/repository/file/upload", Methods::Change, USER, Call::RepositoryFileUpload),
    route("/r/repository/file/download", Methods::Read, USER, Call::RepositoryDownload),
    route("/r/repository/file/delete", Methods::Change, USER, Call::RepositoryFileDelete),
    route("/r/project/list", Methods::Read, USER, Call::ProjectList),
    route("/r/project/load", Methods::Change, USER, Call::ProjectLoad),
    route("/r/project/delete", Methods::Change, USER, Call::ProjectDelete),
    route("/r/project/artifacts", Methods::Read, USER, Call::ProjectArtifacts),
    route("/r/user/login", Methods::Change, Access::Open, Call::UserLogin),
    route("/r/user/logout", Methods::Change, USER, Call::UserLogout),
    route("/r/user/whoami", Methods::Read, USER, Call::UserWhoami),
    route("/r/user/autosave", Methods::Change, USER, Call::UserAutosave),
    route("/r/user/live", Methods::Read, USER, Call::UserLive),
    route("/r/script/list", Methods::Read, Access::Open, Call::ScriptList),
    route("/r/script/execute", Methods::Change, Access::Open, Call::ScriptExecute),
    route("/r/execute/script", Methods::Change, Access::Open, Call::ScriptExecute),
    route("/script/summary/{id}", Methods::File, Access::Open, Call::ScriptSummary),
    route("/r/file/upload", Methods::Change, USER, Call::FileUpload),
    route("/r/file/get/{id}/{name}", Methods::File, Access::Open, Call::FileGet),
    route("/r/repository/get/binary/{id}", Methods::File, Access::Open, Call::UploadGet),
    // The guide's own example writes it like this.
    route("/r/repositoryget/binary/{id}", Methods::File, Access::Open, Call::UploadGet),
];

/// Answers a request for `route`.
pub async fn dispatch(app: Arc<App>, route: &'static Route, request: Request) -> Response {
    let notes = Notes::of(&request);
    notes.call("revodeployr", route.path);
    if matches!(route.call, Call::FileGet | Call::UploadGet) {
        notes.conceal();
    }
    let path = request.uri().path().to_owned();
    let is_allowed = route.methods.allows(request.method());
    let (mut incoming, body) = Incoming::new(&app, route.call, request);
    let read = if is_allowed {
        read(&app, route, &mut incoming, body).await
    } else {
        incoming.glance(route.call, body).await;
        Err(Error::wrong_method(route.methods.allow()))
    };
    let goes_on = read.is_ok() && route.goes_on(&incoming);
    let answer = answer(app, route, path, incoming, read);
    if !goes_on {
        return answer.await;
    }
    match tokio::spawn(answer.in_current_span()).await {
        Ok(response) => response,
        Err(error) => Error::internal(&error).answer(route.path, Format::default()),
    }
}

/// Reads a request, and looks whether its sender may make it. The addresses of files have nothing to read.
async fn read(app: &Arc<App>, route: &Route, incoming: &mut Incoming, body: Body) -> Result<(), Error> {
    if matches!(route.call, Call::FileGet | Call::UploadGet) {
        return Ok(());
    }
    incoming.read(app, route, body).await
}

/// Answers a request that has been read, or could not be.
async fn answer(app: Arc<App>, route: &'static Route, path: String, mut incoming: Incoming, read: Result<(), Error>) -> Response {
    let answered = match read {
        Ok(()) => call(&app, route, incoming.format.unwrap_or_default(), &path, &mut incoming).await,
        Err(error) => Err(error),
    };
    answered.unwrap_or_else(|error| {
        // A client that talks about a session is told that it is still there.
        let error = match incoming.session(&app) {
            Ok(session) => error.of_session(session.id),
            Err(_) => error,
        };
        error.answer(request::below_context(&app, &path).unwrap_or(&path), incoming.format.unwrap_or_default())
    })
}

async fn call(app: &Arc<App>, route: &Route, format: Format, path: &str, incoming: &mut Incoming) -> Result<Response, Error> {
    let answer: Answer = match route.call {
        Call::SessionCreate => session::create(app, incoming).await,
        Call::SessionClose => session::close(app, incoming).await,
        Call::SessionPing => session::ping(app, incoming),
        Call::SessionExecuteCode => execute::code(app, incoming).await,
        Call::SessionExecuteScript => execute::script(app, incoming).await,
        Call::SessionOutput => session::output(app, incoming),
        Call::SessionHistory => session::history(app, incoming),
        Call::SessionWorkspaceSave => session::save_workspace(app, incoming).await,
        Call::SessionProjectSave => session::save_project(app, incoming).await,
        Call::SessionObjectList => object::list(app, incoming).await,
        Call::SessionObjectGet => object::get(app, incoming).await,
        Call::SessionObjectPush => object::push(app, incoming).await,
        Call::SessionObjectSave => object::save(app, incoming).await,
        Call::SessionObjectLoad => object::load(app, incoming).await,
        Call::SessionObjectUpload => object::upload(app, incoming).await,
        Call::SessionObjectDelete => object::delete(app, incoming).await,
        Call::SessionFileList => file::list(app, incoming).await,
        Call::SessionFileUpload => file::upload_to_session(app, incoming).await,
        Call::SessionFileDownload => return file::download_from_session(app, incoming).await,
        Call::SessionFileDelete => file::delete_from_session(app, incoming).await,
        Call::SessionFileSave => file::save(app, incoming).await,
        Call::SessionFileLoad => file::load(app, incoming).await,
        Call::SessionArtifactList => file::artifacts(app, incoming),
        Call::SessionArtifactDownload => return file::download_artifact(app, incoming).await,
        Call::SessionArtifactDelete => file::delete_artifact(app, incoming).await,
        Call::RepositoryObjectList => repository::objects(app, incoming).await,
        Call::RepositoryObjectUpload => repository::upload_object(app, incoming).await,
        Call::RepositoryFileList => repository::files(app, incoming).await,
        Call::RepositoryFileUpload => repository::upload_file(app, incoming).await,
        Call::RepositoryDownload => return repository::get(app, incoming).await,
        Call::RepositoryObjectDelete => repository::delete(app, incoming, false).await,
        Call::RepositoryFileDelete => repository::delete(app, incoming, true).await,
        Call::ProjectList => project::list(app, incoming).await,
        Call::ProjectLoad => project::load(app, incoming).await,
        Call::ProjectDelete => project::delete(app, incoming).await,
        Call::ProjectArtifacts => project::artifacts(app, incoming).await,
        Call::UserLogin => user::login(app, incoming).await,
        Call::UserLogout => user::logout(app, incoming).await,
        Call::UserWhoami => user::whoami(incoming),
        Call::UserAutosave => user::autosave(incoming),
        Call::UserLive => user::live(app, incoming),
        Call::ScriptList => script::list(app, incoming).await,
        Call::ScriptExecute => script::execute(app, incoming).await,
        Call::ScriptSummary => return summary::page(app, incoming, path).await,
        Call::FileUpload => file::upload(app, incoming).await,
        Call::FileGet => return file::get(app, path).await,
        Call::UploadGet => return file::get_uploaded(app, path).await,
    }?;
    // An alias answers under the name that the guide has for it.
    let name = if route.call == Call::ScriptExecute { "/r/script/execute" } else { route.path };
    Ok(answer.render(name, format))
}
