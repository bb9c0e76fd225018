//! `/r/session/execute/...`: code and scripts in a session.

use std::sync::Arc;

use super::run::{answer, publish, run_of, script_answer, wanted_script, workspace_name};
use crate::{
    api::revodeployr::{
        entries::about,
        envelope::{Answer, Group},
        error::Error,
        request::Incoming,
    },
    app::{App, runs::Run},
    auth::Permission,
};

/// `/r/session/execute/code`
pub(in super::super) async fn code(app: &Arc<App>, incoming: &Incoming) -> Result<Answer, Error> {
    let code = incoming.form.require("code")?;
    let run = Run {
        code,
        objects: incoming.form.list("robjects")?,
        encoding: incoming.format.unwrap_or_default().encoding(),
        files: incoming.form.list("files")?,
        print: app.settings().revodeployr.autoprint,
        ..Run::default()
    };
    let session = incoming.session(app)?;
    let login = incoming.login()?;
    let mut outcome = app.execute(&session, run).await.map_err(|failure| Error::from(failure).of_session(session.id))?;
    app.history_add(&session, code);
    let files = publish(app, incoming, &session, &mut outcome, login).await;
    // The guide shows files both as `files` and as `objects` (contract, section 4).
    let objects = Group { json: "objects", xml: ("objects", "object"), entries: files.clone() };
    Ok(Answer { groups: in_order([Group::files(files), objects], incoming), ..answer(outcome, about(&session)) })
}

/// JSON lists files first, XML objects first.
fn in_order([files, objects]: [Group; 2], incoming: &Incoming) -> Vec<Group> {
    if incoming.is_xml() { vec![objects, files] } else { vec![files, objects] }
}

/// `/r/session/execute/script`. Without a session it is a stateless run, as one of the clients expects.
pub(in super::super) async fn script(app: &Arc<App>, incoming: &Incoming) -> Result<Answer, Error> {
    if incoming.form.label("session")?.is_none() {
        return super::script::execute(app, incoming).await;
    }
    incoming.check_permission(app, "/r/session/execute/script", Permission::Use)?;
    let session = incoming.session(app)?;
    let (user, login) = (incoming.user()?, incoming.login()?);
    let script = wanted_script(app, incoming, user).await?;
    let run = Run { limits: app.boundary_limits(script.boundary.as_deref()), ..run_of(app, incoming, &script, user).await? };
    let mut outcome = app.execute(&session, run).await.map_err(|failure| Error::from(failure).of_session(session.id))?;
    app.history_add(&session, &format!("# script: {}", script.name));
    let files = publish(app, incoming, &session, &mut outcome, login).await;
    let saved = app.workspace_keep(&session, &outcome, &workspace_name(&script), user).await?;
    Ok(script_answer(files, saved, answer(outcome, about(&session))))
}
