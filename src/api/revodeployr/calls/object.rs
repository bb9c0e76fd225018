//! `/r/session/object/...`: list, get, push, delete.

use std::sync::Arc;

use bytes::Bytes;

use super::session::{about, operate};
use crate::{
    api::revodeployr::{envelope::Answer, envelope::Format, error::Error, request::Incoming},
    app::App,
    session::Session,
    wire::{Detail, Encoding, MissingObject, typed::Slice},
    worker::protocol::{Reply, Request},
};

impl Format {
    /// How values are written in this format.
    pub(super) fn encoding(self) -> Encoding {
        match self {
            Self::Json => Encoding::TypedJson,
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
    session: &Session,
    names: Option<Vec<String>>,
    detail: Detail,
) -> Result<(Answer, Vec<MissingObject>), Error> {
    let request = Request::Objects { names, detail, encoding: incoming.format.unwrap_or_default().encoding() };
    let answered = operate(session, &request, Bytes::new()).await?;
    match answered.reply {
        Reply::Objects { missing } => Ok((Answer { robjects: Some(answered.payload), ..about(session) }, missing)),
        Reply::Refused(message) => Ok((failed(session, message), Vec::new())),
        _ => Err(unexpected()),
    }
}

/// `/r/session/object/push`: objects from encoded inputs, all of them or none.
pub(in super::super) async fn push(app: &Arc<App>, incoming: &Incoming) -> Result<Answer, Error> {
    let inputs = Bytes::copy_from_slice(incoming.form.require("inputs")?.as_bytes());
    let session = incoming.session(app)?;
    let answered = operate(&session, &Request::Assign, inputs).await?;
    match answered.reply {
        Reply::Assigned => Ok(about(&session)),
        Reply::InvalidInput(sentence) => Err(Error::invalid(sentence)),
        Reply::Refused(message) => Ok(failed(&session, message)),
        _ => Err(unexpected()),
    }
}

/// `/r/session/object/delete`
pub(in super::super) async fn delete(app: &Arc<App>, incoming: &Incoming) -> Result<Answer, Error> {
    let name = incoming.form.require("name")?.to_owned();
    let session = incoming.session(app)?;
    let request = Request::Remove { name: name.clone() };
    let answered = operate(&session, &request, Bytes::new()).await?;
    match answered.reply {
        Reply::Removed(true) => Ok(about(&session)),
        Reply::Removed(false) => Err(unknown(&name)),
        Reply::Refused(message) => Ok(failed(&session, message)),
        _ => Err(unexpected()),
    }
}

fn unknown(name: &str) -> Error {
    Error::invalid(format!("There is no object {name:?} in the R session."))
}

/// R raised an error: not the caller's fault, nor the server's.
pub(super) fn failed(session: &Session, message: String) -> Answer {
    Answer { error: Some((message, super::super::error::R_ERROR)), ..about(session) }
}

/// A worker that answers another question: it is broken.
pub(super) fn unexpected() -> Error {
    Error::internal(&std::io::Error::other("a worker gave an answer to another question"))
}
