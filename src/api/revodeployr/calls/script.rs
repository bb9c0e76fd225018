//! `/r/script/...`: list, execute.

use std::sync::Arc;

use super::run::{answer, publish, run_of, script_answer, wanted_script, workspace_name};
use crate::{
    api::revodeployr::{
        envelope::{Answer, Entry, Group},
        error::Error,
        identifiers,
        request::Incoming,
    },
    app::{App, sessions::Author},
};

/// `/r/script/list`: the scripts that the caller may run.
pub(in super::super) async fn list(app: &Arc<App>, incoming: &Incoming) -> Result<Answer, Error> {
    let scripts = app.script_list(incoming.caller()?).await?;
    let entries = scripts.into_iter().map(|script| Entry::new(script.name, identifiers::script(script.id))).collect();
    Ok(Answer { groups: vec![Group { json: "scripts", xml: ("scripts", "script"), entries }], ..Answer::default() })
}

/// `/r/script/execute`: in an R session of its own, which ends with the answer.
pub(in super::super) async fn execute(app: &Arc<App>, incoming: &Incoming) -> Result<Answer, Error> {
    let caller = incoming.caller()?;
    let script = wanted_script(app, incoming, caller).await?;
    let run = run_of(app, incoming, &script, caller).await?;
    let ephemeral = app.session_open_ephemeral(caller, script.boundary.as_deref(), Author::Another).await?;
    let session = &ephemeral.session;
    let mut outcome = app.execute(session, run).await?;
    if outcome.executed.published.is_empty() && !outcome.executed.saved {
        return Ok(script_answer(Vec::new(), None, answer(outcome, Answer::default())));
    }
    // Files and objects that are kept need a login to belong to; a caller without one is given one.
    let (login, cookie) = match caller.login() {
        Some(login) => (Arc::clone(login), None),
        None => {
            let (cookie, login) = app.login_begin_anonymous().map_err(|error| Error::internal(&error))?;
            (login, Some((cookie, incoming.cookie_attributes(app))))
        }
    };
    let files = publish(app, incoming, session, &mut outcome, &login).await;
    let saved = app.workspace_keep(session, &outcome, &workspace_name(&script), &caller.given(login)).await?;
    Ok(Answer { set_cookie: cookie, ..script_answer(files, saved, answer(outcome, Answer::default())) })
}
