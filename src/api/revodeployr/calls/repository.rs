//! `/r/repository/object/...` and `/r/repository/file/...`: what is kept outside of sessions.

use std::sync::Arc;

use axum::response::Response;

use super::download;
use crate::{
    api::{
        file::Disposition,
        revodeployr::{
            entries,
            envelope::{Answer, Group},
            error::Error,
            identifiers,
            request::Incoming,
        },
    },
    app::{
        App, Failure,
        objects::{Kind, Object},
    },
    auth::Principal,
};

/// The object that an identifier names, if the caller may use it.
pub(super) async fn wanted_object(app: &App, identifier: &str, principal: &Principal) -> Result<Object, Error> {
    let unknown = || Error::invalid(format!("Invalid object identifier: {identifier}"));
    let id = identifiers::parse_any(&["CBNRY", "CFILE", "ROBJ", "OBJ"], identifier).ok_or_else(unknown)?;
    app.object(id, principal).await.map_err(|failure| match failure {
        Failure::Unknown(_) => unknown(),
        other => other.into(),
    })
}

/// The object that parameter `id` names.
pub(super) async fn object_of_id(app: &App, incoming: &Incoming) -> Result<Object, Error> {
    wanted_object(app, incoming.form.require_label("id")?, incoming.user()?).await
}

/// `/r/repository/object/list`
pub(in super::super) async fn objects(app: &Arc<App>, incoming: &Incoming) -> Result<Answer, Error> {
    let mut objects = app.object_list(incoming.user()?).await?;
    objects.retain(|object| object.kind != Kind::File);
    Ok(Answer { groups: entries::objects("pobject", &objects), ..Answer::default() })
}

/// `/r/repository/file/list`
pub(in super::super) async fn files(app: &Arc<App>, incoming: &Incoming) -> Result<Answer, Error> {
    let objects = app.object_list(incoming.user()?).await?;
    let entries = objects.iter().filter(|object| object.kind == Kind::File).map(|file| entries::file(incoming, app, file)).collect();
    Ok(Answer { groups: vec![Group::files(entries)], ..Answer::default() })
}

/// `/r/repository/object/delete`
pub(in super::super) async fn delete_object(app: &Arc<App>, incoming: &Incoming) -> Result<Answer, Error> {
    delete(app, incoming, false).await
}

/// `/r/repository/file/delete`
pub(in super::super) async fn delete_file(app: &Arc<App>, incoming: &Incoming) -> Result<Answer, Error> {
    delete(app, incoming, true).await
}

/// Each of the two calls removes only its own kind.
async fn delete(app: &App, incoming: &Incoming, of_files: bool) -> Result<Answer, Error> {
    let object = object_of_id(app, incoming).await?;
    if (object.kind == Kind::File) != of_files {
        let what = if of_files { "file" } else { "object" };
        return Err(Error::invalid(format!("Invalid {what} identifier: {}", incoming.form.require_label("id")?)));
    }
    app.object_remove(object.id, incoming.user()?).await?;
    Ok(Answer::default())
}

/// Adds an upload to the repository.
pub(super) async fn upload(app: &App, incoming: &mut Incoming, kind: Kind) -> Result<Object, Error> {
    let (name, received) = incoming.take_upload()?;
    let description = incoming.form.label("descr")?.unwrap_or_default();
    Ok(app.object_upload(incoming.user()?, &name, description, kind, received).await?)
}

/// `/r/repository/object/upload`
pub(in super::super) async fn upload_object(app: &Arc<App>, incoming: &mut Incoming) -> Result<Answer, Error> {
    let object = upload(app, incoming, Kind::Object).await?;
    Ok(Answer { groups: entries::objects("object", std::slice::from_ref(&object)), ..Answer::default() })
}

/// `/r/repository/file/upload`: answers with the identifier.
pub(in super::super) async fn upload_file(app: &Arc<App>, incoming: &mut Incoming) -> Result<Answer, Error> {
    let file = upload(app, incoming, Kind::File).await?;
    Ok(Answer { groups: vec![Group::files(vec![entries::file(incoming, app, &file)])], ..Answer::default() })
}

/// `/r/repository/object/download`, `/r/repository/file/download`: by `id`, or a file by its `name`.
pub(in super::super) async fn get(app: &Arc<App>, incoming: &Incoming) -> Result<Response, Error> {
    let object = match incoming.form.label("id")? {
        Some(_) => object_of_id(app, incoming).await?,
        None => {
            let name = incoming.form.label("name")?.ok_or_else(|| Error::invalid("Parameter id is missing."))?;
            let objects = app.object_list(incoming.user()?).await?;
            let named = objects.into_iter().find(|object| object.kind == Kind::File && object.name == name);
            named.ok_or_else(|| Error::invalid(format!("There is no file {name:?} in the repository.")))?
        }
    };
    let name = if object.kind == Kind::File { object.name.clone() } else { format!("{}.rData", object.name) };
    download::object(app, &object, &name, Disposition::Download).await
}
