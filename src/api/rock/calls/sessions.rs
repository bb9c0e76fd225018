//! `/r/sessions` and `/r/session/{id}` (contract, section 7).

use std::sync::Arc;

use axum::{http::StatusCode, response::Response};

use super::evaluate;
use crate::{
    api::{
        address,
        rock::{
            access::{may_see, oversees},
            answer,
            error::Error,
            request::Incoming,
            views::SessionView,
        },
    },
    app::sessions::Session,
};

/// `GET /r/sessions`: all sessions that the caller may see. A caller who may see all can ask for those of one `subject`.
pub async fn list(incoming: &mut Incoming) -> Result<Response, Error> {
    let principal = incoming.principal();
    let subject = incoming.query.get("subject")?.filter(|_| oversees(principal));
    let mut sessions = incoming.app.session_list();
    sessions.retain(|session| may_see(principal, &session.owner) && subject.is_none_or(|subject| session.owner == subject));
    sessions.sort_by_key(|session| session.created);
    let usage = incoming.app.session_usage(&sessions).await;
    let views: Vec<_> = sessions.iter().zip(usage).map(|(session, usage)| SessionView::of(session, usage)).collect();
    Ok(answer::json(StatusCode::OK, &views))
}

/// `POST /r/sessions`. A body is ignored.
pub async fn open(incoming: &mut Incoming) -> Result<Response, Error> {
    let app = &incoming.app;
    let session = app.session_open_idle(incoming.principal(), "", app.settings().rock.idle_seconds).await?;
    if let Err(error) = evaluate::introduce(incoming, &session).await {
        app.session_close(&session, incoming.principal());
        // The client does not know this session yet, so the error is about the open and does not name it.
        return Err(Error::no_r(error.message()));
    }
    let location = format!("{}/r/session/{}", address(&incoming.headers), session.id);
    Ok(answer::located(view(incoming, StatusCode::CREATED, &session).await, &location))
}

/// `GET /r/session/{id}`
pub async fn show(incoming: &mut Incoming) -> Result<Response, Error> {
    Ok(view(incoming, StatusCode::OK, &incoming.seen_session()?).await)
}

/// `DELETE /r/session/{id}`: interrupts the running code, and kills the session if the code does not stop.
pub async fn close(incoming: &mut Incoming) -> Result<Response, Error> {
    incoming.app.session_close(&*incoming.seen_session()?, incoming.principal());
    Ok(answer::empty(StatusCode::NO_CONTENT))
}

/// `DELETE /r/sessions`
pub async fn close_all(incoming: &mut Incoming) -> Result<Response, Error> {
    for session in incoming.app.session_list() {
        incoming.app.session_close(&session, incoming.principal());
    }
    Ok(answer::empty(StatusCode::NO_CONTENT))
}

async fn view(incoming: &Incoming, status: StatusCode, session: &Arc<Session>) -> Response {
    let usage = incoming.app.session_usage(std::slice::from_ref(session)).await.pop().flatten();
    answer::json(status, &SessionView::of(session, usage))
}
