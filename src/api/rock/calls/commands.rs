//! `/r/session/{id}/command...` (contract, section 9).

use std::sync::Arc;

use axum::{http::StatusCode, response::Response};

use crate::{
    api::rock::{accept::MediaType, answer, error::Error, request::Incoming, value::value, views::CommandView},
    app::{evaluation::Operation, sessions::Session},
};

/// `GET .../commands`: in the order in which they were submitted.
pub async fn list(incoming: &mut Incoming) -> Result<Response, Error> {
    let session = incoming.session()?;
    let commands = session.deferred.list();
    let views: Vec<_> = commands.iter().map(|command| CommandView::of(command, session.id)).collect();
    Ok(answer::json(StatusCode::OK, &views))
}

/// `GET .../command/{command}`, at once or, with `wait`, when the command has ended.
pub async fn show(incoming: &mut Incoming) -> Result<Response, Error> {
    let wait = incoming.boolean("wait", false)?;
    let session = incoming.session()?;
    let command = find(incoming, &session)?;
    if wait && command.ended().await.is_none() {
        return Err(Error::no_such_command(incoming.part("command")));
    }
    Ok(answer::json(StatusCode::OK, &CommandView::of(&command, session.id)))
}

/// `DELETE .../command/{command}`: a waiting command will not run; a running one goes on.
pub async fn remove(incoming: &mut Incoming) -> Result<Response, Error> {
    let session = incoming.session()?;
    let command = find(incoming, &session)?;
    if session.deferred.remove(command.number) {
        Ok(answer::empty(StatusCode::NO_CONTENT))
    } else {
        Err(Error::no_such_command(incoming.part("command")))
    }
}

/// `GET .../command/{command}/result`: the value of an evaluation. The command is then removed, unless `rm` says otherwise. Without `wait`,
/// the answer for an unfinished command is empty.
///
/// A command that failed also has an empty answer, and is kept, because its error could not be read anywhere else. With `wait`, the client
/// gets the error.
pub async fn result(incoming: &mut Incoming) -> Result<Response, Error> {
    let remove = incoming.boolean("rm", true)?;
    let wait = incoming.boolean("wait", false)?;
    let session = incoming.session()?;
    let command = find(incoming, &session)?;
    let outcome = if wait { command.ended().await } else { command.outcome() };
    let Some(outcome) = outcome else {
        // The command has not ended, or was removed while somebody waited for its end.
        return if wait { Err(Error::no_such_command(incoming.part("command"))) } else { Ok(answer::empty(StatusCode::NO_CONTENT)) };
    };
    let response = match value(&outcome.result, session.id) {
        Ok(Some(bytes)) => answer::value(StatusCode::OK, form(&command), bytes),
        Ok(None) => answer::empty(StatusCode::NO_CONTENT),
        Err(error) if wait => return Err(error),
        Err(_) => return Ok(answer::empty(StatusCode::NO_CONTENT)),
    };
    if !incoming.head {
        command.fetched();
        if remove {
            session.deferred.remove(command.number);
        }
    }
    Ok(response)
}

/// The form of the value that the client asked for when it submitted the command.
fn form(command: &Operation) -> MediaType {
    if command.note == MediaType::Rds as u8 { MediaType::Rds } else { MediaType::Json }
}

fn find(incoming: &Incoming, session: &Session) -> Result<Arc<Operation>, Error> {
    let id = incoming.part("command");
    // Only the usual form of a number is taken.
    let number = id.parse::<u64>().ok().filter(|number| number.to_string() == id);
    number.and_then(|number| session.deferred.get(number)).ok_or_else(|| Error::no_such_command(id))
}
