//! Files: those of a session, those that are uploaded, and the addresses of both.

use std::{fs::File, sync::Arc};

use axum::response::Response;
use uuid::Uuid;

use super::{
    download,
    repository::{file_entry, object_of_id},
    session::about,
};
use crate::{
    api::{
        file::Purpose,
        revodeployr::{
            envelope::{Answer, Entry, Group},
            error::Error,
            identifiers,
            request::{Incoming, check_file_name},
        },
    },
    app::App,
    store::objects::{Kind, Object},
    system::folder::FileError,
};

/// `/r/file/get/FILE-.../name`. The id is the secret: whoever knows the address may read it (contract, section 3).
pub(in super::super) async fn get(app: &Arc<App>, path: &str) -> Result<Response, Error> {
    let unknown = || Error::not_found("There is no such file, or it went with the login it belonged to.");
    let identifier = path.rsplit('/').nth(1).unwrap_or_default();
    let id = identifiers::parse("FILE", identifier).ok_or_else(unknown)?;
    let (file, name) = open(app, id, unknown).await?;
    download::file(file, &name, Purpose::Show)
}

/// Opens a published file, unless there is none that may be read.
async fn open(app: &App, id: Uuid, unknown: impl FnOnce() -> Error) -> Result<(File, String), Error> {
    let published = Arc::clone(&app.published);
    let opened = tokio::task::spawn_blocking(move || published.open(id)).await.map_err(|error| Error::internal(&error))?;
    opened.map_err(|error| match &error {
        // The session has gone, and its folder with it.
        FileError::System(gone) if gone.kind() == std::io::ErrorKind::NotFound => unknown(),
        FileError::System(_) => Error::internal(&error),
        _ => unknown(),
    })
}

/// `/r/repository/get/binary/CFILE-...`, likewise.
pub(in super::super) async fn get_uploaded(app: &Arc<App>, path: &str) -> Result<Response, Error> {
    let unknown = || Error::not_found("There is no such file, or it went with the login it belonged to.");
    let id = identifiers::parse("CFILE", path.rsplit('/').next().unwrap_or_default()).ok_or_else(unknown)?;
    let file = app.file_by_address(id).await.map_err(|failure| match failure {
        crate::app::Failure::Unknown(_) => unknown(),
        other => other.into(),
    })?;
    download::blob(app, &file, &file.name, Purpose::Show).await
}

/// `/r/file/upload`: answers with the address.
pub(in super::super) async fn upload(app: &Arc<App>, incoming: &mut Incoming) -> Result<Answer, Error> {
    let file = add_upload(app, incoming, Kind::File).await?;
    let url = identifiers::upload_url(&incoming.base(app), file.id);
    Ok(Answer { groups: vec![Group::files(vec![Entry::new(file.name, url)])], ..Answer::default() })
}

/// Adds what was uploaded to the repository.
pub(super) async fn add_upload(app: &Arc<App>, incoming: &mut Incoming, kind: Kind) -> Result<Object, Error> {
    let (name, upload) = incoming.take_upload()?;
    if kind == Kind::Object {
        app.require_r_data(&name, &upload.blob).await?;
    }
    Ok(app.add_object(incoming.login()?, &name, kind, upload.blob, &upload.keeping).await?)
}

/// `/r/session/file/list`: the files of the working folder.
pub(in super::super) async fn list(app: &Arc<App>, incoming: &Incoming) -> Result<Answer, Error> {
    let session = incoming.idle_session(app)?;
    let login = incoming.login()?.id;
    let base = incoming.base(app);
    let files = app.session_files(&session).await?;
    let ids = app.published.live_all(&session, &files, login);
    let entries = files.iter().zip(ids).map(|(path, id)| Entry::new(path, identifiers::file_url(&base, id, path)));
    Ok(Answer { groups: vec![Group::files(entries.collect())], ..about(&session) })
}

/// `/r/session/file/upload`
pub(in super::super) async fn upload_to_session(app: &Arc<App>, incoming: &mut Incoming) -> Result<Answer, Error> {
    let session = incoming.session(app)?;
    let (name, upload) = incoming.take_upload()?;
    app.place_upload(&session, &name, &upload.blob).await?;
    let id = app.published.live(&session, &name, incoming.login()?.id);
    let entry = Entry::new(&name, identifiers::file_url(&incoming.base(app), id, &name));
    Ok(Answer { groups: vec![Group::files(vec![entry])], ..about(&session) })
}

/// `/r/session/file/download`
pub(in super::super) async fn download_from_session(app: &Arc<App>, incoming: &Incoming) -> Result<Response, Error> {
    let name = incoming.form.require("name")?;
    let session = incoming.idle_session(app)?;
    let file = app.open_in(&session, crate::link::messages::folder::WORK, name).await.map_err(|_| no_file(name))?;
    download::file(file, name, Purpose::Download)
}

/// `/r/session/file/delete`
pub(in super::super) async fn delete_from_session(app: &Arc<App>, incoming: &Incoming) -> Result<Answer, Error> {
    let name = incoming.form.require("name")?;
    let session = incoming.session(app)?;
    app.remove_file(&session, name).await?;
    Ok(about(&session))
}

/// `/r/session/file/save`: into the repository.
pub(in super::super) async fn save(app: &Arc<App>, incoming: &Incoming) -> Result<Answer, Error> {
    let path = incoming.form.require("name")?;
    let name = incoming.form.get("descr")?.unwrap_or(path);
    let name = name.rsplit('/').next().unwrap_or(name);
    check_file_name(name)?;
    let session = incoming.session(app)?;
    let file = app.save_file(&session, incoming.login()?, path, name).await?;
    Ok(Answer { groups: vec![Group::files(vec![file_entry(incoming, app, &file)])], ..about(&session) })
}

/// `/r/session/file/load`: from the repository.
pub(in super::super) async fn load(app: &Arc<App>, incoming: &Incoming) -> Result<Answer, Error> {
    let session = incoming.session(app)?;
    let file = object_of_id(app, incoming).await?;
    app.load_file(&session, &file).await?;
    Ok(about(&session))
}

/// `/r/session/artifact/list`: plots and files that runs have published.
pub(in super::super) fn artifacts(app: &Arc<App>, incoming: &Incoming) -> Result<Answer, Error> {
    let session = incoming.idle_session(app)?;
    let base = incoming.base(app);
    let made = app.published.of_session(session.id);
    let entries = made.into_iter().map(|(name, id)| Entry::new(&name, identifiers::file_url(&base, id, &name))).collect();
    Ok(Answer { groups: vec![Group::files(entries)], ..about(&session) })
}

/// `/r/session/artifact/download`
pub(in super::super) async fn download_artifact(app: &Arc<App>, incoming: &Incoming) -> Result<Response, Error> {
    let name = incoming.form.require("name")?;
    let session = incoming.idle_session(app)?;
    let made: Option<(String, Uuid)> = app.published.of_session(session.id).into_iter().find(|(known, _)| known == name);
    let (_, id) = made.ok_or_else(|| no_file(name))?;
    let (file, name) = open(app, id, || no_file(name)).await?;
    download::file(file, &name, Purpose::Download)
}

/// `/r/session/artifact/delete`
pub(in super::super) async fn delete_artifact(app: &Arc<App>, incoming: &Incoming) -> Result<Answer, Error> {
    let name = incoming.form.require("name")?.to_owned();
    let session = incoming.idle_session(app)?;
    let (published, id, of) = (Arc::clone(&app.published), session.id, name.clone());
    let removed = tokio::task::spawn_blocking(move || published.remove(id, &of)).await.map_err(|error| Error::internal(&error))?;
    if removed { Ok(about(&session)) } else { Err(no_file(&name)) }
}

fn no_file(name: &str) -> Error {
    Error::invalid(format!("There is no file {name:?} in the R session."))
}
