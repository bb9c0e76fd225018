//! How sessions, projects, objects and files look in answers.

use super::{
    envelope::{Answer, Entry, Group},
    identifiers,
    request::Incoming,
};
use crate::app::{
    App,
    objects::{Object, has_address},
    projects::Project,
    sessions::Session,
};

/// An answer that names a session.
pub fn about(session: &Session) -> Answer {
    Answer { session: Some(identifiers::session(session.id)), ..Answer::default() }
}

/// Projects as clients see them.
pub fn projects(projects: &[Project]) -> Vec<Group> {
    let entries = projects.iter().map(|project| Entry::new(&project.name, identifiers::project(project.id))).collect();
    vec![Group { json: "projects", xml: ("projects", "project"), entries }]
}

/// Objects as clients see them: under `repository`, and in JSON under `objects` as well (contract, section 4).
pub fn objects(element: &'static str, objects: &[Object]) -> Vec<Group> {
    let entries: Vec<_> = objects
        .iter()
        .map(|object| Entry { description: Some(description(object)), ..Entry::new(&object.name, identifiers::object(object.id)) })
        .collect();
    vec![
        Group { json: "repository", xml: ("repository", element), entries: entries.clone() },
        Group { json: "objects", entries, ..Group::default() },
    ]
}

/// What clients show; the name, if nothing was said.
fn description(object: &Object) -> String {
    if object.description.is_empty() { &object.name } else { &object.description }.clone()
}

/// A file of the repository as clients see it.
pub fn file(incoming: &Incoming, app: &App, file: &Object) -> Entry {
    Entry {
        description: Some(description(file)),
        url: has_address(file).then(|| identifiers::upload_url(&incoming.base(app), file.id)),
        ..Entry::new(&file.name, identifiers::file(file.id))
    }
}

/// Files, given as names and the identities of their addresses.
pub fn addresses(incoming: &Incoming, app: &App, files: Vec<(String, uuid::Uuid)>) -> Vec<Entry> {
    let base = incoming.base(app);
    files.into_iter().map(|(name, id)| Entry::new(&name, identifiers::file_url(&base, id, &name))).collect()
}
