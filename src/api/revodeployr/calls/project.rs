//! `/r/project/...`: list, load, delete, artifacts.

use std::sync::Arc;

use uuid::Uuid;

use super::session::about;
use crate::{
    api::revodeployr::{
        envelope::{Answer, Entry, Group},
        error::Error,
        identifiers,
        request::Incoming,
    },
    app::App,
    store::projects::Project,
};

/// Projects as clients find them.
pub(super) fn group(projects: &[Project]) -> Vec<Group> {
    let entries = projects.iter().map(|project| Entry::new(&project.name, identifiers::project(project.id))).collect();
    vec![Group { json: "projects", xml: ("projects", "project"), entries }]
}

/// The project that parameter `id` names.
fn wanted(incoming: &Incoming) -> Result<Uuid, Error> {
    let identifier = incoming.form.require("id")?;
    identifiers::parse("PROJ", identifier).ok_or_else(|| Error::invalid(format!("Invalid project identifier: {identifier}")))
}

/// `/r/project/list`, those saved last first.
pub(in super::super) async fn list(app: &Arc<App>, incoming: &Incoming) -> Result<Answer, Error> {
    let projects = app.projects(incoming.login()?).await?;
    Ok(Answer { groups: group(&projects), ..Answer::default() })
}

/// `/r/project/load`: into a new session.
pub(in super::super) async fn load(app: &Arc<App>, incoming: &Incoming) -> Result<Answer, Error> {
    let (session, warnings) = app.load_project(wanted(incoming)?, incoming.login()?, None).await?;
    Ok(Answer { warnings, ..about(&session) })
}

/// `/r/project/delete`
pub(in super::super) async fn delete(app: &Arc<App>, incoming: &Incoming) -> Result<Answer, Error> {
    app.remove_project(wanted(incoming)?, incoming.login()?).await?;
    Ok(Answer::default())
}

/// `/r/project/artifacts`
pub(in super::super) async fn artifacts(app: &Arc<App>, incoming: &Incoming) -> Result<Answer, Error> {
    let base = incoming.base(app);
    let artifacts = app.project_artifacts(wanted(incoming)?, incoming.login()?).await?;
    let entries = artifacts.into_iter().map(|(name, id)| Entry::new(&name, identifiers::file_url(&base, id, &name))).collect();
    Ok(Answer { groups: vec![Group::files(entries)], ..Answer::default() })
}
