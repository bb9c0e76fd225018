//! Logins: begun with a cookie, and ended together with everything that belongs to them.

use std::{net::IpAddr, sync::Arc, time::Duration};

use super::{App, autosave::AutosaveOutcome};
use crate::{
    auth::{Login, Principal},
    store::policies::Policy,
};

impl App {
    /// Begins a login of an account, and returns its cookie. With autosave, the sessions that were saved when the user's last login ended
    /// come back; returns what became of them.
    ///
    /// # Errors
    /// When the system has no random numbers.
    pub async fn login_begin(
        &self,
        name: &str,
        display_name: &str,
        autosave: bool,
        address: IpAddr,
    ) -> Result<(String, Vec<AutosaveOutcome>), getrandom::Error> {
        let (cookie, login) = self.logins.create(name, display_name, autosave)?;
        tracing::info!(user.name = login.user, login.id = %login.id, "logged in");
        let restored = self.login_restore(&login, &Principal::of_login(&self.rules.now(), Arc::clone(&login), address)).await;
        Ok((cookie, restored))
    }

    /// Begins a login without an account, to which files and objects can belong.
    ///
    /// # Errors
    /// When the system has no random numbers.
    pub fn login_begin_anonymous(&self) -> Result<(String, Arc<Login>), getrandom::Error> {
        self.logins.create("", "", false)
    }

    /// The login that a cookie belongs to, marked as used.
    #[must_use]
    pub fn login_of(&self, cookie: &str) -> Option<Arc<Login>> {
        self.logins.get(cookie, self.login_lifetime())
    }

    /// How long a login may be unused before it ends; zero is for ever.
    pub(super) fn login_lifetime(&self) -> Duration {
        let policies = &self.rules.now().policies;
        Duration::from_secs(policies.number(Policy::LoginSeconds, self.config.revodeployr.login_seconds))
    }

    /// Ends a login with its sessions, files and objects. With autosave, the sessions are saved first; those that cannot be saved stay open.
    /// Returns what became of them.
    pub async fn login_end(&self, login: &Login) -> Vec<AutosaveOutcome> {
        // Also when the login has expired: work that is still going on for it must not leave anything behind.
        let _ = login.begin_closing();
        let kept = self.login_suspend(&[login]).await;
        let unsaved: Vec<_> = kept.iter().filter(|kept| kept.outcome.is_err()).map(|kept| kept.session).collect();
        self.sessions.close_login(login.id, &unsaved);
        if let Err(error) = self.store.object_forget(Some(login.id)).await {
            tracing::error!(error = &error as &dyn std::error::Error, "the objects of a login could not be removed");
        }
        let (published, id) = (Arc::clone(&self.published), login.id);
        let _ = tokio::task::spawn_blocking(move || published.forget(id)).await;
        self.logins.remove(login.id);
        kept
    }
}
