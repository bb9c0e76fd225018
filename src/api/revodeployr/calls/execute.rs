//! `/r/session/execute/...`

use std::sync::Arc;

use bytes::Bytes;
use uuid::Uuid;

use super::{
    object::{failed, unexpected},
    session::{about, operate},
};
use crate::{
    api::revodeployr::{
        envelope::Answer,
        error::{self, Error},
        identifiers,
        request::Incoming,
    },
    app::App,
    session::{Session, Stop},
    wire::condition::{Condition, Severity},
    worker::protocol::{Ending, Execute, Executed, PublishedFile, Reply, Request, folder},
};

/// `/r/session/execute/code`
pub(in super::super) async fn code(app: &Arc<App>, incoming: &Incoming) -> Result<Answer, Error> {
    let code = incoming.form.require("code")?;
    let execute = Execute {
        print: app.config.revodeployr.autoprint,
        objects: incoming.form.list("robjects")?,
        encoding: incoming.format.unwrap_or_default().encoding(),
        publish: incoming.form.list("files")?,
    };
    let session = incoming.session(app)?;
    let answered = operate(&session, &Request::Execute(execute), Bytes::copy_from_slice(code.as_bytes())).await?;
    session.remember(code);
    let stopped = answered.stopped;
    match answered.reply {
        Reply::Executed(executed) => {
            let files = published(app, incoming, &session, &executed.published).await;
            Ok(Answer {
                error: error_of(app, &executed.ending, stopped),
                files: Some(files),
                robjects: Some(answered.payload),
                console: console(answered.console),
                warnings: warnings(executed),
                ..about(&session)
            })
        }
        Reply::Refused(message) => Ok(failed(&session, message)),
        _ => Err(unexpected()),
    }
}

/// Console text as calls give it: without its last line end, and only if there is some.
fn console(mut text: String) -> Option<String> {
    if text.ends_with('\n') {
        text.pop();
    }
    (!text.is_empty()).then_some(text)
}

/// Gives the files that were published their addresses.
async fn published(app: &Arc<App>, incoming: &Incoming, session: &Session, files: &[PublishedFile]) -> Vec<(String, String)> {
    let Some(login) = session.login.filter(|_| !files.is_empty()) else { return Vec::new() };
    let owned: Vec<(Uuid, String)> = files.iter().map(|file| (file.id, file.name.clone())).collect();
    let (published, from) = (Arc::clone(&app.published), session.folder.join(folder::FILES));
    let taken = tokio::task::spawn_blocking(move || published.take(&from, owned, login));
    let taken = taken.await.unwrap_or_default();
    if incoming.login().is_err() {
        // A logout has looked for files before these were there.
        let published = Arc::clone(&app.published);
        let _ = tokio::task::spawn_blocking(move || published.forget(login)).await;
        return Vec::new();
    }
    let base = incoming.base(app);
    let named = files.iter().filter(|file| taken.contains(&file.id));
    named.map(|file| (file.name.clone(), identifiers::file_url(&base, file.id, &file.name))).collect()
}

/// The error of an evaluation that did not complete.
fn error_of(app: &App, ending: &Ending, stopped: Option<Stop>) -> Option<(String, u16)> {
    Some(match (ending, stopped) {
        // Code may complete although it was stopped: what was cut short may have been a program that it ran.
        (Ending::Completed | Ending::Interrupted, Some(Stop::TimeLimit(seconds))) => {
            (format!("The operation was stopped at its time limit of {seconds} seconds."), error::LIMIT)
        }
        (Ending::Completed, _) => return None,
        (Ending::Interrupted, _) => ("The operation was interrupted.".to_owned(), error::R_ERROR),
        (Ending::CpuLimit, _) => {
            let seconds = app.config.sessions.cpu_seconds;
            (format!("The operation was stopped at its limit of {seconds} seconds of processor time."), error::LIMIT)
        }
        (Ending::SyntaxError { message, .. }, _) => (message.clone(), error::R_ERROR),
        (Ending::Failed(condition), _) => (as_r_prints(condition), error::R_ERROR),
    })
}

/// `Error in f(x) : message`, as R prints it.
fn as_r_prints(condition: &Condition) -> String {
    if condition.call.is_empty() { condition.message.clone() } else { format!("Error in {} : {}", condition.call, condition.message) }
}

/// The warnings that R raised, and those that are ours: objects that were asked for and are not there.
fn warnings(executed: Executed) -> Vec<String> {
    let raised =
        executed.conditions.into_iter().filter(|condition| condition.severity == Severity::Warning).map(|condition| condition.message);
    let missing = executed.missing.into_iter().map(|missing| match missing.error {
        None => format!("object '{}' not found", missing.name),
        Some(error) => format!("object '{}' could not be read: {error}", missing.name),
    });
    let dropped =
        (executed.dropped_conditions > 0).then(|| format!("{} more warnings and messages were left out", executed.dropped_conditions));
    raised.chain(missing).chain(dropped).collect()
}
