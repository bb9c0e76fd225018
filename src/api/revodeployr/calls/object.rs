//! `/r/session/object/...`: list, get, push, save, load, upload, delete.

use std::sync::Arc;

use bytes::Bytes;

use super::{
    repository::{object_groups, object_of_id},
    session::{about, operate},
};
use crate::{
    api::revodeployr::{envelope::Answer, envelope::Format, error::Error, request::Incoming},
    app::{App, Failure},
    link::command::{Assign, Objects, Remove},
    session::Session,
    wire::{Detail, Encoding, MissingObject, typed::Slice},
};

impl Format {
    /// How values are written in this format.
    pub(super) fn encoding(self) -> Encoding {
        match self {
            Self::Json | Self::Page => Encoding::TypedJson,
            Self::Xml => Encoding::TypedXml,
        }
    }
}

/// `/r/session/object/list`: all objects, or with `filter` those whose value can be had.
pub(in super::super) async fn list(app: &Arc<App>, incoming: &Incoming) -> Result<Answer, Error> {
    let only_encodable = incoming.form.boolean("filter")?.unwrap_or(false);
    let session = incoming.session(app)?;
    let (answer, _) = objects(incoming, &session, None, Detail::Description { only_encodable }).await?;
    Ok(answer)
}

/// `/r/session/object/get`: one object, or a part of it.
pub(in super::super) async fn get(app: &Arc<App>, incoming: &Incoming) -> Result<Answer, Error> {
    let name = incoming.form.require("name")?.to_owned();
    let start = incoming.form.count("start")?.unwrap_or(0);
    let length = incoming.form.count("length")?.unwrap_or(usize::MAX);
    let session = incoming.session(app)?;
    let (answer, missing) = objects(incoming, &session, Some(vec![name]), Detail::Value(Slice { start, length })).await?;
    match missing.into_iter().next() {
        None => Ok(answer),
        Some(MissingObject { name, error: None }) => Err(unknown(&name)),
        Some(MissingObject { error: Some(message), .. }) => Ok(failed(&session, message)),
    }
}

async fn objects(
    incoming: &Incoming,
    session: &Arc<Session>,
    names: Option<Vec<String>>,
    detail: Detail,
) -> Result<(Answer, Vec<MissingObject>), Error> {
    let command = Objects { names, detail, encoding: incoming.format.unwrap_or_default().encoding() };
    let answered = operate(session, command, Bytes::new()).await?;
    Ok((Answer { robjects: Some(answered.payload), ..about(session) }, answered.reply))
}

/// `/r/session/object/push`: objects from encoded inputs, all of them or none.
pub(in super::super) async fn push(app: &Arc<App>, incoming: &Incoming) -> Result<Answer, Error> {
    let inputs = incoming.form.content("inputs")?;
    let session = incoming.session(app)?;
    operate(&session, Assign, inputs).await?;
    Ok(about(&session))
}

/// `/r/session/object/save`: into the repository.
pub(in super::super) async fn save(app: &Arc<App>, incoming: &Incoming) -> Result<Answer, Error> {
    let (name, description) = (incoming.form.require("name")?, incoming.form.require("descr")?);
    let session = incoming.session(app)?;
    let object = app.save_object(&session, incoming.login()?, Some(name), description).await?;
    Ok(Answer { groups: object_groups("object", &[object]), ..about(&session) })
}

/// `/r/session/object/load`: from the repository.
pub(in super::super) async fn load(app: &Arc<App>, incoming: &Incoming) -> Result<Answer, Error> {
    let session = incoming.session(app)?;
    let object = object_of_id(app, incoming).await?;
    loaded(&session, app.load_object(&session, &object).await)
}

/// `/r/session/object/upload`: a file of R data. What `saveRDS()` wrote is called `name`.
pub(in super::super) async fn upload(app: &Arc<App>, incoming: &mut Incoming) -> Result<Answer, Error> {
    let session = incoming.session(app)?;
    let (name, upload) = incoming.take_upload()?;
    let name = name.rsplit_once('.').map_or(name.as_str(), |(stem, _)| stem);
    loaded(&session, app.load_upload(&session, name, &upload.blob).await)
}

/// What cannot be loaded is R's error, and not the caller's.
fn loaded(session: &Arc<Session>, outcome: Result<Vec<String>, Failure>) -> Result<Answer, Error> {
    match outcome {
        Ok(warnings) => Ok(Answer { warnings, ..about(session) }),
        Err(Failure::R(message)) => Ok(failed(session, message)),
        Err(failure) => Err(Error::from(failure).of_session(session.id)),
    }
}

/// `/r/session/object/delete`
pub(in super::super) async fn delete(app: &Arc<App>, incoming: &Incoming) -> Result<Answer, Error> {
    let name = incoming.form.require("name")?.to_owned();
    let session = incoming.session(app)?;
    let removed = operate(&session, Remove { name: name.clone() }, Bytes::new()).await?.reply;
    if removed { Ok(about(&session)) } else { Err(unknown(&name)) }
}

fn unknown(name: &str) -> Error {
    Error::invalid(format!("There is no object {name:?} in the R session."))
}

/// R raised an error: not the caller's fault, nor the server's.
pub(super) fn failed(session: &Session, message: String) -> Answer {
    Answer { error: Some((message, super::super::error::R_ERROR)), ..about(session) }
}
