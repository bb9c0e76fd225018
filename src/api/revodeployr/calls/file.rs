//! Files: those of a session, uploads, and the addresses of both.

use std::sync::Arc;

use axum::response::Response;

use super::{
    download,
    repository::{object_of_id, upload as upload_to_repository},
};
use crate::{
    api::{
        file::Disposition,
        revodeployr::{
            entries::{self, about},
            envelope::{Answer, Entry, Group},
            error::Error,
            identifiers,
            request::Incoming,
        },
    },
    app::{App, Failure, evaluation::Admission, files::Area, objects::Kind},
};

/// `/r/file/get/FILE-.../name`. The id is the secret: anybody who knows the address may read the file (contract, section 3).
pub(in super::super) async fn get(app: &Arc<App>, incoming: &Incoming) -> Result<Response, Error> {
    let identifier = incoming.path.rsplit('/').nth(1).unwrap_or_default();
    let id = identifiers::parse("FILE", identifier).ok_or_else(no_address)?;
    let (file, name) = app.file_at(id).await.map_err(|failure| or_unknown(failure, no_address))?;
    download::file(file, &name, Disposition::Show)
}

/// `/r/repository/get/binary/CFILE-...`. Here too, the id is the secret.
pub(in super::super) async fn get_uploaded(app: &Arc<App>, incoming: &Incoming) -> Result<Response, Error> {
    let identifier = incoming.path.rsplit('/').next().unwrap_or_default();
    let id = identifiers::parse("CFILE", identifier).ok_or_else(no_address)?;
    let file = app.object_at(id).await.map_err(|failure| or_unknown(failure, no_address))?;
    download::object(app, &file, &file.name, Disposition::Show).await
}

fn no_address() -> Error {
    Error::not_found("There is no such file, or it went with the login it belonged to.")
}

/// Replaces the core's error for a missing thing by the dialect's.
fn or_unknown(failure: Failure, unknown: impl FnOnce() -> Error) -> Error {
    match failure {
        Failure::Unknown(_) => unknown(),
        other => other.into(),
    }
}

/// `/r/file/upload`: answers with the address.
pub(in super::super) async fn upload(app: &Arc<App>, incoming: &mut Incoming) -> Result<Answer, Error> {
    let file = upload_to_repository(app, incoming, Kind::File).await?;
    let url = identifiers::upload_url(&incoming.base(app), file.id);
    Ok(Answer { groups: vec![Group::files(vec![Entry::new(file.name, url)])], ..Answer::default() })
}

/// `/r/session/file/list`: the files of the working folder.
pub(in super::super) async fn list(app: &Arc<App>, incoming: &Incoming) -> Result<Answer, Error> {
    let session = incoming.idle_session(app)?;
    let files = app.file_list(&session, incoming.user()?).await?;
    Ok(Answer { groups: vec![Group::files(entries::addresses(incoming, app, files))], ..about(&session) })
}

/// `/r/session/file/upload`
pub(in super::super) async fn upload_to_session(app: &Arc<App>, incoming: &mut Incoming) -> Result<Answer, Error> {
    let session = incoming.session(app)?;
    let (name, received) = incoming.take_upload()?;
    let id = app.file_upload(&session, &name, received, incoming.user()?).await?;
    Ok(Answer { groups: vec![Group::files(entries::addresses(incoming, app, vec![(name, id)]))], ..about(&session) })
}

/// `/r/session/file/download`
pub(in super::super) async fn download_from_session(app: &Arc<App>, incoming: &Incoming) -> Result<Response, Error> {
    let name = incoming.form.require_label("name")?;
    let session = incoming.idle_session(app)?;
    let file = app.file_open(&session, Area::Work, name).await.map_err(|_| no_file(name))?;
    download::file(file, name, Disposition::Download)
}

/// `/r/session/file/delete`
pub(in super::super) async fn delete_from_session(app: &Arc<App>, incoming: &Incoming) -> Result<Answer, Error> {
    let name = incoming.form.require_label("name")?;
    let session = incoming.session(app)?;
    app.file_remove(&session, name, Admission::Immediate).await?;
    Ok(about(&session))
}

/// `/r/session/file/save`: into the repository, under its own name; `descr` describes it.
pub(in super::super) async fn save(app: &Arc<App>, incoming: &Incoming) -> Result<Answer, Error> {
    let path = incoming.form.require_label("name")?;
    let description = incoming.form.label("descr")?.unwrap_or_default();
    let session = incoming.session(app)?;
    let file = app.file_save(&session, incoming.user()?, path, description).await?;
    Ok(Answer { groups: vec![Group::files(vec![entries::file(incoming, app, &file)])], ..about(&session) })
}

/// `/r/session/file/load`: from the repository.
pub(in super::super) async fn load(app: &Arc<App>, incoming: &Incoming) -> Result<Answer, Error> {
    let session = incoming.session(app)?;
    let file = object_of_id(app, incoming).await?;
    app.file_load(&session, &file).await?;
    Ok(about(&session))
}

/// `/r/session/artifact/list`: plots and files that runs have published.
pub(in super::super) async fn artifacts(app: &Arc<App>, incoming: &Incoming) -> Result<Answer, Error> {
    let session = incoming.idle_session(app)?;
    let entries = entries::addresses(incoming, app, app.artifact_list(&session));
    Ok(Answer { groups: vec![Group::files(entries)], ..about(&session) })
}

/// `/r/session/artifact/download`
pub(in super::super) async fn download_artifact(app: &Arc<App>, incoming: &Incoming) -> Result<Response, Error> {
    let name = incoming.form.require_label("name")?;
    let session = incoming.idle_session(app)?;
    let made = app.artifact_list(&session).into_iter().find(|(known, _)| known == name);
    let (_, id) = made.ok_or_else(|| no_file(name))?;
    let (file, name) = app.file_at(id).await.map_err(|failure| or_unknown(failure, || no_file(name)))?;
    download::file(file, &name, Disposition::Download)
}

/// `/r/session/artifact/delete`
pub(in super::super) async fn delete_artifact(app: &Arc<App>, incoming: &Incoming) -> Result<Answer, Error> {
    let name = incoming.form.require_label("name")?;
    let session = incoming.idle_session(app)?;
    if app.artifact_remove(&session, name).await? { Ok(about(&session)) } else { Err(no_file(name)) }
}

fn no_file(name: &str) -> Error {
    Error::invalid(format!("There is no file {name:?} in the R session."))
}
