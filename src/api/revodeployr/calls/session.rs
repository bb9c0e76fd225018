//! `/r/session/...`: create, close, ping, output, history, and the calls that save a whole session.

use std::sync::Arc;

use crate::{
    api::revodeployr::{
        entries::{self, about},
        envelope::Answer,
        error::Error,
        request::Incoming,
    },
    app::App,
};

/// `/r/session/create`
pub(in super::super) async fn create(app: &Arc<App>, incoming: &Incoming) -> Result<Answer, Error> {
    let user = incoming.user()?;
    let session = app.session_open(user).await?;
    if incoming.login()?.is_closing() {
        // A logout closed the login's sessions before this one was there.
        app.session_close(&session, user);
        return Err(Error::logging_out());
    }
    Ok(about(&session))
}

/// `/r/session/close`
pub(in super::super) async fn close(app: &Arc<App>, incoming: &Incoming) -> Result<Answer, Error> {
    let session = incoming.idle_session(app)?;
    let warnings = app.session_finish(&session, incoming.user()?).await?;
    Ok(Answer { warnings, ..about(&session) })
}

/// `/r/session/workspace/save`: saves all objects in the repository.
pub(in super::super) async fn save_workspace(app: &Arc<App>, incoming: &Incoming) -> Result<Answer, Error> {
    let name = incoming.form.require_label("descr")?;
    let session = incoming.session(app)?;
    let (object, warnings) = app.workspace_save(&session, incoming.user()?, name).await?;
    Ok(Answer { groups: entries::objects("object", &[object]), warnings, ..about(&session) })
}

/// `/r/session/project/save`: saves the session in its project or in a new one.
pub(in super::super) async fn save_project(app: &Arc<App>, incoming: &Incoming) -> Result<Answer, Error> {
    let name = incoming.form.label("descr")?;
    let session = incoming.session(app)?;
    if name.is_none() && session.record.project().is_none() {
        incoming.form.require_label("descr")?;
    }
    let (project, warnings) = app.project_save(&session, name).await?;
    Ok(Answer { groups: entries::projects(&[project]), warnings, ..about(&session) })
}

/// `/r/session/ping`
pub(in super::super) async fn ping(app: &Arc<App>, incoming: &Incoming) -> Result<Answer, Error> {
    Ok(about(&*incoming.idle_session(app)?))
}

/// `/r/session/output`: the console text of the last execution, unchanged.
pub(in super::super) async fn output(app: &Arc<App>, incoming: &Incoming) -> Result<Answer, Error> {
    let session = incoming.idle_session(app)?;
    Ok(Answer { console: Some(session.record.output().as_ref().to_owned()), ..about(&session) })
}

/// `/r/session/history`: the code blocks, unchanged.
pub(in super::super) async fn history(app: &Arc<App>, incoming: &Incoming) -> Result<Answer, Error> {
    let session = incoming.idle_session(app)?;
    Ok(Answer { history: Some(session.record.history()), ..about(&session) })
}
