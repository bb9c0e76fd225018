//! `/r/sessions` and `/r/session/{id}` (contract, section 7).

use axum::{http::StatusCode, response::Response};

use super::evaluate;
use crate::{
    api::{
        address,
        rock::{answer, error::Error, request::Incoming, views::SessionView},
    },
    session::Session,
    system::usage::{self, Usage},
};

/// `GET /r/sessions`: all that the caller may see; who sees all may ask for those of one `subject`.
pub async fn list(incoming: &Incoming) -> Result<Response, Error> {
    let caller = incoming.caller()?;
    let subject = incoming.query.get("subject")?.filter(|_| caller.roles.oversee());
    let mut sessions = incoming.app.sessions.list();
    sessions.retain(|session| caller.may_see(&session.owner) && subject.is_none_or(|subject| session.owner == subject));
    sessions.sort_by_key(|session| session.created);
    let (zygote, processes) = (incoming.app.sessions.zygote_pid(), sessions.iter().map(|session| session.pid).collect::<Vec<_>>());
    // Of one process this takes no time; of thousands it would hold others up.
    let used = tokio::task::spawn_blocking(move || {
        let forked_with = usage::forked_with(zygote);
        processes.into_iter().map(|pid| Usage::of(pid, forked_with)).collect::<Vec<_>>()
    });
    let used = used.await.unwrap_or_else(|_| vec![None; sessions.len()]);
    let views: Vec<_> = sessions.iter().zip(used).map(|(session, usage)| SessionView::of(session, usage)).collect();
    Ok(answer::json(StatusCode::OK, &views))
}

/// `POST /r/sessions`. What the request may have as a body is ignored.
pub async fn open(incoming: &Incoming) -> Result<Response, Error> {
    let session = incoming.app.open_for(&incoming.caller()?.name, incoming.app.config.rock.idle_seconds).await?;
    if let Err(error) = evaluate::introduce(incoming, &session).await {
        incoming.app.sessions.close(&session);
        // Nobody has asked for that session: it is the open that failed.
        return Err(Error::no_r(error.message()));
    }
    let location = format!("{}/r/session/{}", address(&incoming.headers), session.id);
    Ok(answer::located(view(incoming, StatusCode::CREATED, &session), &location))
}

/// `GET /r/session/{id}`
pub fn show(incoming: &Incoming) -> Result<Response, Error> {
    Ok(view(incoming, StatusCode::OK, &*incoming.seen_session()?))
}

/// `DELETE /r/session/{id}`: what runs is interrupted, and killed if it does not stop.
pub fn close(incoming: &Incoming) -> Result<Response, Error> {
    end(incoming, &*incoming.seen_session()?)?;
    Ok(answer::empty(StatusCode::NO_CONTENT))
}

/// `DELETE /r/sessions`
pub fn close_all(incoming: &Incoming) -> Result<Response, Error> {
    for session in incoming.app.sessions.list() {
        end(incoming, &session)?;
    }
    Ok(answer::empty(StatusCode::NO_CONTENT))
}

/// Closes a session; an owner who has not done it is told who has.
fn end(incoming: &Incoming, session: &Session) -> Result<(), Error> {
    let (sessions, caller) = (&incoming.app.sessions, incoming.caller()?);
    if session.owner == caller.name {
        sessions.close(session);
    } else {
        sessions.close_as(session, &caller.name);
    }
    Ok(())
}

fn view(incoming: &Incoming, status: StatusCode, session: &Session) -> Response {
    let usage = Usage::of(session.pid, usage::forked_with(incoming.app.sessions.zygote_pid()));
    answer::json(status, &SessionView::of(session, usage))
}
