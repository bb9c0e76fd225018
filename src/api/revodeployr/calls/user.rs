//! `/r/user/...`: log in, log out, who am I.

use std::sync::Arc;

use crate::{
    api::revodeployr::{envelope::Answer, error::Error, identifiers, request::Incoming},
    app::App,
    auth::password,
};

/// `/r/user/login`: takes the password itself, or its SHA-1 digest.
pub(in super::super) async fn login(app: &Arc<App>, incoming: &Incoming) -> Result<Answer, Error> {
    let name = incoming.form.require("username")?.trim();
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
    let account = app.accounts().check(name, digests(password, app.settings().revodeployr.plain_passwords), incoming.address()).await?;
    incoming.notes.user(&account.name);
    let begun = app.login_begin(&account.name, &account.display_name, autosave, incoming.address()).await;
    let (cookie, _) = begun.map_err(|error| Error::internal(&error))?;
    let set_cookie = Some((cookie.clone(), incoming.cookie_attributes(app)));
    Ok(Answer { cookie: Some(cookie), set_cookie, ..Answer::default() })
}

/// The digests that the sent text may mean: the text itself, if it looks like a digest; otherwise the digest of a password.
fn digests(sent: &str, plain: bool) -> Vec<String> {
    let itself = password::is_digest(sent).then(|| sent.to_ascii_lowercase());
    itself.into_iter().chain(plain.then(|| password::digest(sent))).collect()
}

/// `/r/user/logout`: ends the sessions of this login, and then the login.
pub(in super::super) async fn logout(app: &Arc<App>, incoming: &Incoming) -> Result<Answer, Error> {
    let login = incoming.login()?;
    if !login.begin_closing() {
        return Err(Error::logging_out());
    }
    app.login_end(login).await;
    tracing::info!(user.name = login.user, login.id = %login.id, "logged out");
    Ok(Answer::default())
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
