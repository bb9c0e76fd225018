//! Sessions: listed, begun and ended.

use std::sync::Arc;

use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::Value;

use crate::{
    api::rtvs::{
        LEFT_WORKSPACE, NAMESPACE,
        broker::{ListedSession, Wish},
        error::{BrokerError, Error},
        host_line::HostLine,
        request::{Incoming, answer},
    },
    app::prompt::{Begin, Terms},
    auth::{Permission, permissions::allows},
};

/// The longest identity of a session, in bytes.
const LONGEST: usize = 512;
/// The state of a session whose R runs.
const RUNNING: u8 = 0;

/// What is told of a session.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct SessionInfo {
    id: String,
    interpreter_id: String,
    command_line_arguments: Option<String>,
    state: u8,
}

impl From<ListedSession> for SessionInfo {
    fn from(ListedSession { id, wish }: ListedSession) -> Self {
        Self { id, interpreter_id: wish.interpreter, command_line_arguments: wish.arguments, state: RUNNING }
    }
}

/// GET /sessions
pub async fn list(incoming: Incoming) -> Result<Response, Error> {
    let listed = incoming.broker.list(&incoming.caller()?.owner());
    Ok(answer(&listed.into_iter().map(SessionInfo::from).collect::<Vec<_>>()))
}

/// PUT /sessions/{id}
pub async fn begin(mut incoming: Incoming) -> Result<Response, Error> {
    let asked = incoming.json().await?;
    let text = |key: &str| match asked.get(key) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(_) => Err(Error::invalid(format!("{key} has to be a text."))),
    };
    let (interpreter, arguments) = (text("interpreterid")?.unwrap_or_default(), text("commandlinearguments")?);
    let interactive = match asked.get("isinteractive") {
        None | Some(Value::Null) => false,
        Some(Value::Bool(interactive)) => *interactive,
        Some(_) => return Err(Error::invalid("isinteractive has to be true or false.")),
    };
    let (caller, broker, id) = (incoming.caller()?, &incoming.broker, incoming.id.as_str());
    let (app, settings) = (&broker.app, &broker.app.settings().rtvs);
    if id.len() > LONGEST || id.chars().any(char::is_control) {
        return Err(BrokerError::UnableToStart(format!("An identity has at most {LONGEST} bytes, and none that cannot be seen.")).into());
    }
    if !app.runtime().is_running {
        return Err(BrokerError::NoInterpreters.into());
    }
    if !interpreter.is_empty() && interpreter != settings.interpreter {
        return Err(BrokerError::InterpreterNotFound.into());
    }
    if !allows(&app.rules().now(), &caller.principal, Permission::Code) {
        let why = "This account may not run code of its own: it lacks the role POWER_USER.";
        return Err(BrokerError::UnableToStart(why.to_owned()).into());
    }
    let line = HostLine::parse(arguments.as_deref().unwrap_or_default()).map_err(BrokerError::UnableToStart)?;
    // What has had this identity ends before the new one begins, so that it is not counted.
    broker.remove(caller, id);
    let begin = Begin {
        interactive,
        arguments: line.arguments,
        namespace: Some(NAMESPACE.to_owned()),
        blobs: settings.blobs_mib.saturating_mul(1 << 20),
    };
    let largest = usize::try_from(settings.message_mib << 20).unwrap_or(usize::MAX);
    let host = app.prompt_open(&caller.principal, id, Terms { begin, largest }).await?;
    let session = Arc::clone(host.session());
    app.left_workspace_bring(&session, LEFT_WORKSPACE).await;
    incoming.notes.session(session.id);
    let wish = Wish { interpreter: settings.interpreter.clone(), arguments, idle: line.idle };
    let listed = ListedSession { id: id.to_owned(), wish: wish.clone() };
    broker.add(caller, id, wish, session, host);
    Ok(answer(&SessionInfo::from(listed)))
}

/// DELETE /sessions/{id}
pub async fn end(incoming: Incoming) -> Result<Response, Error> {
    incoming.broker.remove(incoming.caller()?, &incoming.id);
    Ok(().into_response())
}
