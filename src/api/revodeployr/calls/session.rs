//! `/r/session/...`: create, close, ping, output, history.

use std::sync::Arc;

use bytes::Bytes;

use super::repository::object_groups;
use crate::{
    api::revodeployr::{envelope::Answer, error::Error, identifiers, request::Incoming},
    app::App,
    link::command::Command,
    session::{Admission, Answer as Done, OperationError, Session},
};

/// An answer that names the session.
pub(super) fn about(session: &Session) -> Answer {
    Answer { session: Some(identifiers::session(session.id)), ..Answer::default() }
}

/// Has the session carry out one command. A session that runs something already refuses.
pub(super) async fn operate<C: Command>(session: &Arc<Session>, command: C, payload: Bytes) -> Result<Done<C::Reply>, Error> {
    session.operate(command, payload, Admission::Immediate).await.map_err(|error| match error {
        OperationError::InvalidInput(sentence) => Error::invalid(sentence),
        // A session that died under the command is not found again: the error names it here.
        error => Error::from(error).of_session(session.id),
    })
}

/// `/r/session/create`
pub(in super::super) async fn create(app: &Arc<App>, incoming: &Incoming) -> Result<Answer, Error> {
    let login = incoming.login()?;
    let session = app.open_session(login).await?;
    if login.is_closing() {
        // A logout has looked for sessions before this one was there.
        app.sessions.close(&session);
        return Err(Error::logging_out());
    }
    Ok(about(&session))
}

/// `/r/session/close`
pub(in super::super) async fn close(app: &Arc<App>, incoming: &Incoming) -> Result<Answer, Error> {
    let session = incoming.idle_session(app)?;
    app.close_session(&session, incoming.login()?).await?;
    Ok(about(&session))
}

/// `/r/session/workspace/save`: all objects, into the repository.
pub(in super::super) async fn save_workspace(app: &Arc<App>, incoming: &Incoming) -> Result<Answer, Error> {
    let name = incoming.form.require("descr")?;
    let session = incoming.session(app)?;
    let object = app.save_object(&session, incoming.login()?, None, name).await?;
    Ok(Answer { groups: object_groups("object", &[object]), ..about(&session) })
}

/// `/r/session/project/save`: the session, into its project or a new one.
pub(in super::super) async fn save_project(app: &Arc<App>, incoming: &Incoming) -> Result<Answer, Error> {
    let name = incoming.form.get("descr")?;
    let session = incoming.session(app)?;
    if name.is_none() && session.project().is_none() {
        incoming.form.require("descr")?;
    }
    let project = app.save_project(&session, name, Admission::Immediate).await?;
    Ok(Answer { groups: super::project::group(&[project]), ..about(&session) })
}

/// `/r/session/ping`
pub(in super::super) fn ping(app: &Arc<App>, incoming: &Incoming) -> Result<Answer, Error> {
    Ok(about(&*incoming.idle_session(app)?))
}

/// `/r/session/output`: what the last execution printed, as it was printed.
pub(in super::super) fn output(app: &Arc<App>, incoming: &Incoming) -> Result<Answer, Error> {
    let session = incoming.idle_session(app)?;
    Ok(Answer { console: Some(session.output().as_ref().to_owned()), ..about(&session) })
}

/// `/r/session/history`: the code blocks, as they were received.
pub(in super::super) fn history(app: &Arc<App>, incoming: &Incoming) -> Result<Answer, Error> {
    let session = incoming.idle_session(app)?;
    Ok(Answer { history: Some(session.history()), ..about(&session) })
}
