//! `/r/user/...`: log in, log out, who am I.

use std::sync::Arc;

use uuid::Uuid;

use crate::{
    api::revodeployr::{envelope::Answer, error::Error, identifiers, request::Incoming},
    app::{App, autosave::AutosaveOutcome, sessions::Found},
    auth::Offered,
};

/// `/r/user/login`: takes the password itself, or its SHA-1 digest.
pub(in super::super) async fn login(app: &Arc<App>, incoming: &Incoming) -> Result<Answer, Error> {
    let name = incoming.form.require_label("username")?;
    let password = incoming.form.require("password")?;
    let autosave = incoming.form.boolean("autosave")?.unwrap_or(false);
    if let Some(earlier) = incoming.earlier_login() {
        if earlier.is_closing() {
            return Err(Error::logging_out());
        }
        if !earlier.is_anonymous() && earlier.user != name {
            return Err(Error::forbidden("Somebody else is logged in with this cookie: log out first."));
        }
    }
    let offered = Offered::digest_or_password(password, app.settings().revodeployr.plain_passwords);
    let account = app.accounts().check(name, offered, incoming.address()).await?;
    incoming.notes.user(&account.name);
    let begun = app.login_begin(&account.name, &account.display_name, autosave, incoming.address()).await;
    let (cookie, restored) = begun.map_err(|error| Error::internal(&error))?;
    let set_cookie = Some((cookie.clone(), incoming.cookie_attributes(app)));
    let (mut warnings, failed) = told(restored);
    warnings.extend(failed.into_iter().map(|(session, error)| {
        let (why, _) = error.told();
        format!("{}: it could not be brought back, which your next login with autosave tries again. {why}", identifiers::session(session))
    }));
    Ok(Answer { cookie: Some(cookie), set_cookie, warnings, ..Answer::default() })
}

/// What to tell of sessions that were saved or brought back: what was lost, and those for which this has failed.
fn told(sessions: Vec<AutosaveOutcome>) -> (Vec<String>, Vec<(Uuid, Error)>) {
    let (mut warnings, mut failed) = (Vec::new(), Vec::new());
    for AutosaveOutcome { session, outcome } in sessions {
        match outcome {
            Ok(lost) => warnings.extend(lost.into_iter().map(|lost| format!("{}: {lost}", identifiers::session(session)))),
            Err(failure) => failed.push((session, Error::from(failure))),
        }
    }
    (warnings, failed)
}

/// `/r/user/logout`: ends the sessions of this login, and then the login. With autosave, the answer is no success if a session could not be
/// saved.
pub(in super::super) async fn logout(app: &Arc<App>, incoming: &Incoming) -> Result<Answer, Error> {
    let login = incoming.login()?;
    if !login.begin_closing() {
        return Err(Error::logging_out());
    }
    let (warnings, unsaved) = told(app.login_end(login).await);
    tracing::info!(user.name = login.user, login.id = %login.id, "logged out");
    let mut sentences = vec!["You are logged out.".to_owned()];
    let mut code = None;
    for (session, error) in unsaved {
        let fate = match app.session_find(session) {
            Some(Found::Live(live)) if live.idle_seconds > 0 => format!("and stays open until it is unused for {} s", live.idle_seconds),
            Some(Found::Live(_)) => "and stays open".to_owned(),
            _ => "and has ended".to_owned(),
        };
        let (why, of_error) = error.told();
        sentences.push(format!("The R session {} could not be saved, {fate}: {why}", identifiers::session(session)));
        code = code.or(Some(of_error));
    }
    Ok(Answer { error: code.map(|code| (sentences.join(" "), code)), warnings, ..Answer::default() })
}

/// `/r/user/whoami`
pub(in super::super) async fn whoami(_: &Arc<App>, incoming: &Incoming) -> Result<Answer, Error> {
    let login = incoming.login()?;
    Ok(Answer { identity: Some((login.user.clone(), login.display_name.clone())), ..Answer::default() })
}

/// `/r/user/autosave`: sets it for this login from now on.
pub(in super::super) async fn autosave(_: &Arc<App>, incoming: &Incoming) -> Result<Answer, Error> {
    incoming.login()?.set_autosave(incoming.form.boolean("save")?.unwrap_or(true));
    Ok(Answer::default())
}

/// `/r/user/live`: the user's R sessions.
pub(in super::super) async fn live(app: &Arc<App>, incoming: &Incoming) -> Result<Answer, Error> {
    let mut live: Vec<_> = app.session_list_of(incoming.user()?).iter().map(|session| identifiers::session(session.id)).collect();
    live.sort();
    Ok(Answer { live: Some(live), ..Answer::default() })
}
