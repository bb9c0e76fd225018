//! `/r/repository/object/...` and `/r/repository/file/...`: what is kept outside of sessions.

use std::sync::Arc;

use axum::response::Response;

use super::download;
use crate::{
    api::{
        file::Purpose,
        revodeployr::{
            envelope::{Answer, Entry, Group},
            error::Error,
            identifiers,
            request::Incoming,
        },
    },
    app::{App, repository::has_address},
    auth::Login,
    store::objects::{Kind, Object},
};

/// The object that an identifier names, if the caller may use it.
pub(super) async fn wanted_object(
    app: &Arc<App>,
    incoming: &Incoming,
    identifier: &str,
    login: Option<&Arc<Login>>,
) -> Result<Object, Error> {
    let unknown = || Error::invalid(format!("Invalid object identifier: {identifier}"));
    let id = identifiers::parse_any(&["CBNRY", "CFILE", "ROBJ", "OBJ"], identifier).ok_or_else(unknown)?;
    let caller = incoming.caller()?;
    app.object(id, login.map(|login| login.id), caller).await.map_err(|failure| match failure {
        crate::app::Failure::Unknown(_) => unknown(),
        other => other.into(),
    })
}

/// The object that parameter `id` names.
pub(super) async fn object_of_id(app: &Arc<App>, incoming: &Incoming) -> Result<Object, Error> {
    wanted_object(app, incoming, incoming.form.require("id")?, Some(incoming.login()?)).await
}

/// Objects as clients find them: under `repository`, and in JSON under `objects` as well (contract, section 4).
pub(super) fn object_groups(element: &'static str, objects: &[Object]) -> Vec<Group> {
    let entries: Vec<_> = objects
        .iter()
        .map(|object| Entry { description: Some(object.name.clone()), ..Entry::new(&object.name, identifiers::object(object.id)) })
        .collect();
    vec![
        Group { json: "repository", xml: ("repository", element), entries: entries.clone() },
        Group { json: "objects", entries, ..Group::default() },
    ]
}

/// Files as clients find them.
pub(super) fn file_entry(incoming: &Incoming, app: &App, file: &Object) -> Entry {
    Entry {
        description: Some(file.name.clone()),
        url: has_address(file).then(|| identifiers::upload_url(&incoming.base(app), file.id)),
        ..Entry::new(&file.name, identifiers::file(file.id))
    }
}

/// `/r/repository/object/list`
pub(in super::super) async fn objects(app: &Arc<App>, incoming: &Incoming) -> Result<Answer, Error> {
    let mut objects = app.objects(incoming.login()?).await?;
    objects.retain(|object| object.kind != Kind::File);
    Ok(Answer { groups: object_groups("pobject", &objects), ..Answer::default() })
}

/// `/r/repository/file/list`
pub(in super::super) async fn files(app: &Arc<App>, incoming: &Incoming) -> Result<Answer, Error> {
    let objects = app.objects(incoming.login()?).await?;
    let entries = objects.iter().filter(|object| object.kind == Kind::File).map(|file| file_entry(incoming, app, file)).collect();
    Ok(Answer { groups: vec![Group::files(entries)], ..Answer::default() })
}

/// `/r/repository/object/delete`, `/r/repository/file/delete`: each removes its own only.
pub(in super::super) async fn delete(app: &Arc<App>, incoming: &Incoming, of_files: bool) -> Result<Answer, Error> {
    let object = object_of_id(app, incoming).await?;
    if (object.kind == Kind::File) != of_files {
        let what = if of_files { "file" } else { "object" };
        return Err(Error::invalid(format!("Invalid {what} identifier: {}", incoming.form.require("id")?)));
    }
    app.remove_object(object.id, incoming.login()?).await?;
    Ok(Answer::default())
}

/// `/r/repository/object/upload`
pub(in super::super) async fn upload_object(app: &Arc<App>, incoming: &mut Incoming) -> Result<Answer, Error> {
    let object = super::file::add_upload(app, incoming, Kind::Object).await?;
    Ok(Answer { groups: object_groups("object", std::slice::from_ref(&object)), ..Answer::default() })
}

/// `/r/repository/file/upload`: answers with the identifier.
pub(in super::super) async fn upload_file(app: &Arc<App>, incoming: &mut Incoming) -> Result<Answer, Error> {
    let file = super::file::add_upload(app, incoming, Kind::File).await?;
    Ok(Answer { groups: vec![Group::files(vec![file_entry(incoming, app, &file)])], ..Answer::default() })
}

/// `/r/repository/object/download`, `/r/repository/file/download`: by `id`, or a file by its `name`.
pub(in super::super) async fn get(app: &Arc<App>, incoming: &Incoming) -> Result<Response, Error> {
    let object = match incoming.form.get("id")? {
        Some(_) => object_of_id(app, incoming).await?,
        None => {
            let name = incoming.form.get("name")?.ok_or_else(|| Error::invalid("Parameter id is missing."))?;
            let objects = app.objects(incoming.login()?).await?;
            let named = objects.into_iter().find(|object| object.kind == Kind::File && object.name == name);
            named.ok_or_else(|| Error::invalid(format!("There is no file {name:?} in the repository.")))?
        }
    };
    let name = if object.kind == Kind::File { object.name.clone() } else { format!("{}.rData", object.name) };
    download::blob(app, &object, &name, Purpose::Download).await
}
