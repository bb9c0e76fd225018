//! `/r/sessions` and `/r/session/{id}` (contract, section 7).

use std::sync::Arc;

use axum::{http::StatusCode, response::Response};

use super::evaluate;
use crate::{
    api::{
        address,
        rock::{answer, error::Error, request::Incoming, views::SessionView},
    },
    session::{Session, usage::Usage},
};

/// `GET /r/sessions`: all that the caller may see; who sees all may ask for those of one `subject`.
pub async fn list(incoming: &Incoming) -> Result<Response, Error> {
    let caller = incoming.caller()?;
    let subject = incoming.query.get("subject")?.filter(|_| caller.roles.oversee());
    let mut sessions = incoming.app.sessions.list();
    sessions.retain(|session| caller.may_see(&session.owner) && subject.is_none_or(|subject| session.owner == subject));
    sessions.sort_by_key(|session| session.created);
    let used = usage(sessions.iter().map(|session| session.pid).collect()).await;
    let views: Vec<_> = sessions.iter().zip(used).map(|(session, usage)| SessionView::of(session, usage)).collect();
    Ok(answer::json(StatusCode::OK, &views))
}

/// `POST /r/sessions`. What the request may have as a body is ignored.
pub async fn open(incoming: &Incoming) -> Result<Response, Error> {
    let session = incoming.app.open_for(&incoming.caller()?.name, None).await?;
    if let Err(error) = evaluate::introduce(incoming, &session).await {
        incoming.app.sessions.close(&session);
        // Nobody has asked for that session: it is the open that failed.
        return Err(Error::no_r(error.message()));
    }
    let location = format!("{}/r/session/{}", address(&incoming.headers), session.id);
    Ok(answer::located(view(StatusCode::CREATED, &session).await, &location))
}

/// `GET /r/session/{id}`
pub async fn show(incoming: &Incoming) -> Result<Response, Error> {
    Ok(view(StatusCode::OK, &incoming.seen_session()?).await)
}

/// `DELETE /r/session/{id}`: what runs is interrupted, and killed if it does not stop.
pub fn close(incoming: &Incoming) -> Result<Response, Error> {
    let session = incoming.seen_session()?;
    incoming.app.sessions.close(&session);
    Ok(answer::empty(StatusCode::NO_CONTENT))
}

/// `DELETE /r/sessions`
pub fn close_all(incoming: &Incoming) -> Result<Response, Error> {
    for session in incoming.app.sessions.list() {
        incoming.app.sessions.close(&session);
    }
    Ok(answer::empty(StatusCode::NO_CONTENT))
}

async fn view(status: StatusCode, session: &Arc<Session>) -> Response {
    let used = usage(vec![session.pid]).await;
    answer::json(status, &SessionView::of(session, used.into_iter().next().flatten()))
}

async fn usage(processes: Vec<i32>) -> Vec<Option<Usage>> {
    let count = processes.len();
    let asked = tokio::task::spawn_blocking(move || processes.into_iter().map(Usage::of).collect());
    asked.await.unwrap_or_else(|_| vec![None; count])
}
