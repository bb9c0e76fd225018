//! `/sessions`: open, list, close (contract, Sessions).

use axum::{http::StatusCode, response::Response};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    api::mlserver::{answer, error::Error, request::Incoming},
    app::sessions::Session,
};

/// The longest name of a session or a snapshot, in characters.
pub const LONGEST_NAME: usize = 255;

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct CreateSessionRequest {
    name: Option<String>,
    snapshot_id: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct CreateSessionResponse {
    session_id: Uuid,
}

#[derive(Serialize)]
struct SessionView<'a> {
    id: Uuid,
    name: String,
    owner: &'a str,
}

impl<'a> From<&'a Session> for SessionView<'a> {
    fn from(session: &'a Session) -> Self {
        let name = if session.name.is_empty() { made_up_name(session.id) } else { session.name.clone() };
        Self { id: session.id, name, owner: &session.owner }
    }
}

/// `GET /sessions`: the caller's own, oldest first.
pub async fn list(incoming: &mut Incoming) -> Result<Response, Error> {
    let mut sessions = incoming.app.session_list_of(incoming.principal());
    sessions.sort_by_key(|session| session.created);
    let views: Vec<_> = sessions.iter().map(|session| SessionView::from(&**session)).collect();
    Ok(answer::json(StatusCode::OK, &views))
}

/// `POST /sessions`: a new session, or one with what a snapshot has kept.
pub async fn open(incoming: &mut Incoming) -> Result<Response, Error> {
    let wanted: CreateSessionRequest = incoming.read_optional_json(r#"{"name": "...", "snapshotId": "..."}"#).await?;
    let name = checked_name(wanted.name.as_deref())?.unwrap_or_default();
    let (app, principal) = (&incoming.app, incoming.principal());
    let idle_seconds = app.settings().mlserver.idle_seconds;
    let session = match wanted.snapshot_id.as_deref().filter(|id| !id.is_empty()) {
        None => app.session_open_idle(principal, name, idle_seconds).await?,
        Some(id) => {
            let id = Uuid::try_parse(id).map_err(|_| Error::unknown(format!("There is no snapshot {id:?}.")))?;
            app.snapshot_open(principal, id, name, idle_seconds).await?
        }
    };
    incoming.notes.session(session.id);
    Ok(answer::json(StatusCode::CREATED, &CreateSessionResponse { session_id: session.id }))
}

/// `DELETE /sessions/{id}`: running code is interrupted, and killed if it does not stop.
pub async fn close(incoming: &mut Incoming) -> Result<Response, Error> {
    incoming.app.session_close(&*incoming.session()?, incoming.principal());
    Ok(answer::json(StatusCode::OK, &"The session is closed."))
}

/// `DELETE /sessions/{id}/force`: ends the session at once, whatever it is doing.
pub async fn kill(incoming: &mut Incoming) -> Result<Response, Error> {
    incoming.app.session_kill(&*incoming.session()?, incoming.principal());
    Ok(answer::json(StatusCode::OK, &"The session is closed."))
}

/// A name that a client gives; an empty one counts as none.
///
/// # Errors
/// 400 for one that is too long, or has characters that no name has.
pub fn checked_name(name: Option<&str>) -> Result<Option<&str>, Error> {
    let Some(name) = name.map(str::trim).filter(|name| !name.is_empty()) else { return Ok(None) };
    if name.chars().count() > LONGEST_NAME {
        return Err(Error::invalid(format!("A name has at most {LONGEST_NAME} characters.")));
    }
    if name.chars().any(char::is_control) {
        return Err(Error::invalid("A name has no control characters."));
    }
    Ok(Some(name))
}

/// Fifteen letters for a session that was given no name, always the same ones.
fn made_up_name(id: Uuid) -> String {
    id.as_bytes().iter().take(15).map(|byte| char::from(b'a' + byte % 26)).collect()
}
