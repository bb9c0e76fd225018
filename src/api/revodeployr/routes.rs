//! The calls, as a table.

use std::sync::Arc;

use axum::{extract::Request, http::Method, response::Response};

use super::{
    calls::{execute, file, object, session, user},
    envelope::Answer,
    error::Error,
    request::{self, Incoming},
};
use crate::{app::App, auth::Permission};

/// Which methods a call takes: clients of 2010 send reads by POST as well.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Methods {
    /// GET, HEAD and POST.
    Read,
    /// POST.
    Change,
    /// GET and HEAD: the address of a file.
    File,
}

impl Methods {
    fn allow(self) -> &'static str {
        match self {
            Self::Read => "GET, HEAD, POST",
            Self::Change => "POST",
            Self::File => "GET, HEAD",
        }
    }

    fn allows(self, method: &Method) -> bool {
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
    SessionOutput,
    SessionHistory,
    SessionObjectList,
    SessionObjectGet,
    SessionObjectPush,
    SessionObjectDelete,
    UserLogin,
    UserLogout,
    UserWhoami,
    FileGet,
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
/// Who may bring code of their own.
const CODER: Access = Access::Login(Permission::Code);

const fn route(path: &'static str, methods: Methods, access: Access, call: Call) -> Route {
    Route { path, methods, access, call }
}

/// All calls.
pub const ROUTES: [Route; 14] = [
    route("/r/session/create", Methods::Change, USER, Call::SessionCreate),
    route("/r/session/close", Methods::Change, USER, Call::SessionClose),
    route("/r/session/ping", Methods::Read, USER, Call::SessionPing),
    route("/r/session/execute/code", Methods::Change, CODER, Call::SessionExecuteCode),
    route("/r/session/output", Methods::Read, USER, Call::SessionOutput),
    route("/r/session/history", Methods::Read, USER, Call::SessionHistory),
    route("/r/session/object/list", Methods::Read, USER, Call::SessionObjectList),
    route("/r/session/object/get", Methods::Read, USER, Call::SessionObjectGet),
    route("/r/session/object/push", Methods::Change, USER, Call::SessionObjectPush),
    route("/r/session/object/delete", Methods::Change, USER, Call::SessionObjectDelete),
    route("/r/user/login", Methods::Change, Access::Open, Call::UserLogin),
    route("/r/user/logout", Methods::Change, USER, Call::UserLogout),
    route("/r/user/whoami", Methods::Read, USER, Call::UserWhoami),
    route("/r/file/get/{id}/{name}", Methods::File, Access::Open, Call::FileGet),
];

/// Answers a request for `route`.
pub async fn dispatch(app: Arc<App>, route: &'static Route, request: Request) -> Response {
    // The query may name the format before the body, which may name another, has been read.
    let early = request::format_of_query(request.uri());
    if !route.methods.allows(request.method()) {
        return Error::wrong_method(route.methods.allow()).answer(route.path, early);
    }
    if route.call == Call::FileGet {
        let path = request.uri().path().to_owned();
        return file::get(&app, &path).await.unwrap_or_else(|error| error.answer(route.path, early));
    }
    let incoming = match Incoming::read(&app, request).await {
        Ok(incoming) => incoming,
        Err(error) => return error.answer(route.path, early),
    };
    let format = incoming.format.unwrap_or_default();
    let answered = match incoming.check_format().and_then(|()| incoming.check_access(&app, route)) {
        Ok(()) => call(&app, route.call, &incoming).await,
        Err(error) => Err(error),
    };
    match answered {
        Ok(answer) => answer.render(route.path, format),
        // A client that talks about a session is told that it is still there.
        Err(error) => match incoming.session(&app) {
            Ok(session) => error.of_session(session.id).answer(route.path, format),
            Err(_) => error.answer(route.path, format),
        },
    }
}

async fn call(app: &Arc<App>, call: Call, incoming: &Incoming) -> Result<Answer, Error> {
    match call {
        Call::SessionCreate => session::create(app, incoming).await,
        Call::SessionClose => session::close(app, incoming),
        Call::SessionPing => session::ping(app, incoming),
        Call::SessionExecuteCode => execute::code(app, incoming).await,
        Call::SessionOutput => session::output(app, incoming),
        Call::SessionHistory => session::history(app, incoming),
        Call::SessionObjectList => object::list(app, incoming).await,
        Call::SessionObjectGet => object::get(app, incoming).await,
        Call::SessionObjectPush => object::push(app, incoming).await,
        Call::SessionObjectDelete => object::delete(app, incoming).await,
        Call::UserLogin => user::login(app, incoming).await,
        Call::UserLogout => user::logout(app, incoming).await,
        Call::UserWhoami => user::whoami(incoming),
        // Answered before there is a form.
        Call::FileGet => Err(Error::not_found("There is no such file.")),
    }
}
