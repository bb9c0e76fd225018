//! `/r/project/...`: list, load, delete, artifacts.

use std::sync::Arc;

use uuid::Uuid;

use crate::{
    api::revodeployr::{
        entries::{self, about},
        envelope::{Answer, Group},
        error::Error,
        identifiers,
        request::Incoming,
    },
    app::App,
};

/// The identity of the project that parameter `id` names.
fn wanted(incoming: &Incoming) -> Result<Uuid, Error> {
    let identifier = incoming.form.require_label("id")?;
    identifiers::parse("PROJ", identifier).ok_or_else(|| Error::invalid(format!("Invalid project identifier: {identifier}")))
}

/// `/r/project/list`: the project that was saved last comes first.
pub(in super::super) async fn list(app: &Arc<App>, incoming: &Incoming) -> Result<Answer, Error> {
    let projects = app.project_list(incoming.user()?).await?;
    Ok(Answer { groups: entries::projects(&projects), ..Answer::default() })
}

/// `/r/project/load`: into a new session.
pub(in super::super) async fn load(app: &Arc<App>, incoming: &Incoming) -> Result<Answer, Error> {
    let (session, warnings) = app.project_load(wanted(incoming)?, incoming.user()?).await?;
    Ok(Answer { warnings, ..about(&session) })
}

/// `/r/project/delete`
pub(in super::super) async fn delete(app: &Arc<App>, incoming: &Incoming) -> Result<Answer, Error> {
    app.project_remove(wanted(incoming)?, incoming.user()?).await?;
    Ok(Answer::default())
}

/// `/r/project/artifacts`
pub(in super::super) async fn artifacts(app: &Arc<App>, incoming: &Incoming) -> Result<Answer, Error> {
    let artifacts = app.project_artifacts(wanted(incoming)?, incoming.user()?).await?;
    Ok(Answer { groups: vec![Group::files(entries::addresses(incoming, app, artifacts))], ..Answer::default() })
}
