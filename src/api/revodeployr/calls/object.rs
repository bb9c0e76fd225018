//! `/r/session/object/...`: list, get, push, save, load, upload, delete.

use std::sync::Arc;

use super::repository::object_of_id;
use crate::{
    api::revodeployr::{
        entries::{self, about},
        envelope::{Answer, Format},
        error::{Error, R_ERROR},
        request::Incoming,
    },
    app::{
        App, Failure,
        evaluation::{Admission, Detail, Encoding, MissingObject},
        sessions::Session,
    },
    wire::typed::Slice,
};

impl Format {
    /// The encoding of values in this format.
    pub(super) fn encoding(self) -> Encoding {
        match self {
            Self::Json | Self::Page => Encoding::TypedJson,
            Self::Xml => Encoding::TypedXml,
        }
    }
}

/// `/r/session/object/list`: all objects. With `filter`, only those whose value a client can get.
pub(in super::super) async fn list(app: &Arc<App>, incoming: &Incoming) -> Result<Answer, Error> {
    let only_encodable = incoming.form.boolean("filter")?.unwrap_or(false);
    let session = incoming.session(app)?;
    let (answer, _) = objects(app, incoming, &session, None, Detail::Description { only_encodable }).await?;
    Ok(answer)
}

/// `/r/session/object/get`: one object, or a part of it.
pub(in super::super) async fn get(app: &Arc<App>, incoming: &Incoming) -> Result<Answer, Error> {
    let name = incoming.form.require_label("name")?.to_owned();
    let start = incoming.form.count("start")?.unwrap_or(0);
    let length = incoming.form.count("length")?.unwrap_or(usize::MAX);
    let session = incoming.session(app)?;
    let (answer, missing) = objects(app, incoming, &session, Some(vec![name]), Detail::Value(Slice { start, length })).await?;
    match missing.into_iter().next() {
        None => Ok(answer),
        Some(MissingObject { name, error: None }) => Err(unknown(&name)),
        Some(MissingObject { error: Some(message), .. }) => Ok(failed(&session, message)),
    }
}

async fn objects(
    app: &App,
    incoming: &Incoming,
    session: &Arc<Session>,
    names: Option<Vec<String>>,
    detail: Detail,
) -> Result<(Answer, Vec<MissingObject>), Error> {
    let encoding = incoming.format.unwrap_or_default().encoding();
    let (objects, missing) = app.value_get(session, names, detail, encoding).await.map_err(|failure| of(session, failure))?;
    Ok((Answer { robjects: Some(objects), ..about(session) }, missing))
}

/// The error of a command in a session. If the session died, a later lookup would not find it, so the error names it here.
fn of(session: &Session, failure: Failure) -> Error {
    Error::from(failure).of_session(session.id)
}

/// `/r/session/object/push`: binds objects from encoded inputs, either all or none.
pub(in super::super) async fn push(app: &Arc<App>, incoming: &Incoming) -> Result<Answer, Error> {
    let inputs = incoming.form.content("inputs")?;
    let session = incoming.session(app)?;
    app.value_assign(&session, inputs).await.map_err(|failure| match failure {
        // The sentence names the inputs as they were sent.
        Failure::Invalid(sentence) => Error::invalid(sentence),
        failure => of(&session, failure),
    })?;
    Ok(about(&session))
}

/// `/r/session/object/save`: into the repository.
pub(in super::super) async fn save(app: &Arc<App>, incoming: &Incoming) -> Result<Answer, Error> {
    let (name, description) = (incoming.form.require_label("name")?, incoming.form.require_label("descr")?);
    let session = incoming.session(app)?;
    let object = app.object_save(&session, incoming.user()?, name, description).await?;
    Ok(Answer { groups: entries::objects("object", &[object]), ..about(&session) })
}

/// `/r/session/object/load`: from the repository.
pub(in super::super) async fn load(app: &Arc<App>, incoming: &Incoming) -> Result<Answer, Error> {
    let session = incoming.session(app)?;
    let object = object_of_id(app, incoming).await?;
    loaded(&session, app.object_load(&session, &object).await)
}

/// `/r/session/object/upload`: a file of R data. An object that `saveRDS()` wrote gets the name `name`, without its ending.
pub(in super::super) async fn upload(app: &Arc<App>, incoming: &mut Incoming) -> Result<Answer, Error> {
    let session = incoming.session(app)?;
    let (name, received) = incoming.take_upload()?;
    loaded(&session, app.object_load_upload(&session, &name, received).await)
}

/// The answer to a load. Data that cannot be loaded is reported as an error of R's, not of the caller's.
fn loaded(session: &Arc<Session>, outcome: Result<Vec<String>, Failure>) -> Result<Answer, Error> {
    match outcome {
        Ok(warnings) => Ok(Answer { warnings, ..about(session) }),
        Err(Failure::R(message)) => Ok(failed(session, message)),
        Err(failure) => Err(of(session, failure)),
    }
}

/// `/r/session/object/delete`
pub(in super::super) async fn delete(app: &Arc<App>, incoming: &Incoming) -> Result<Answer, Error> {
    let name = incoming.form.require_label("name")?;
    let session = incoming.session(app)?;
    let removed = app.value_remove(&session, name, Admission::Immediate).await.map_err(|failure| of(&session, failure))?;
    if removed { Ok(about(&session)) } else { Err(unknown(name)) }
}

fn unknown(name: &str) -> Error {
    Error::invalid(format!("There is no object {name:?} in the R session."))
}

/// R raised an error, which is neither the caller's fault nor the server's.
fn failed(session: &Session, message: String) -> Answer {
    Answer { error: Some((message, R_ERROR)), ..about(session) }
}
