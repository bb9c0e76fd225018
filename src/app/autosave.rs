//! Autosave: sessions of a login that has it are saved when they are closed, when they are idle for too long, and when the login ends or the
//! server stops. Sessions that are live at the end of a login come back with the user's next login that has autosave.
//!
//! A session that cannot be saved stays for one more idle time, so that its owner can log in again and save what is needed by other means.

use std::{cmp::Reverse, collections::HashSet, sync::Arc, time::Duration};

use uuid::Uuid;

use super::{App, Failure};
use crate::{
    auth::{Login, Principal},
    session::{Admission, OperationError, Session},
};

/// What became of a session that was to be saved, or to be brought back.
#[derive(Debug)]
pub struct AutosaveOutcome {
    /// The session's identity.
    pub session: Uuid,
    /// What could not be saved or brought back, a sentence each; or why nothing could.
    pub outcome: Result<Vec<String>, Failure>,
}

impl AutosaveOutcome {
    /// Writes into the log what went wrong.
    fn log(&self, owner: &str, what: &str) {
        match &self.outcome {
            Ok(lost) if lost.is_empty() => {}
            Ok(lost) => tracing::warn!(session.id = %self.session, user.name = owner, ?lost, "a session could not be {what} completely"),
            Err(error) => {
                let error = error as &dyn std::error::Error;
                tracing::error!(session.id = %self.session, user.name = owner, error, "a session could not be {what}");
            }
        }
    }
}

impl App {
    /// Closes a session. If the login has autosave, the session is saved first. Returns what could not be saved, a sentence each.
    ///
    /// # Errors
    /// [`Failure`]; the session stays open in this case.
    pub async fn session_finish(&self, session: &Arc<Session>, principal: &Principal) -> Result<Vec<String>, Failure> {
        let mut unsaved = Vec::new();
        if principal.login().is_some_and(|login| login.autosaves()) {
            (_, unsaved) = self.project_save(session, None).await?;
        }
        self.session_close(session, principal);
        Ok(unsaved)
    }

    /// Ends a session that was not used for too long. It is saved first if its login has autosave, or if saving it has failed when its login
    /// ended. If saving it fails for the first time, the session stays for one more idle time.
    pub(super) async fn session_end_idle(&self, session: &Arc<Session>) {
        let login = session.login.and_then(|id| self.logins.find(id));
        let outlived_its_login = login.is_none() && session.record.is_unsaved();
        if outlived_its_login || login.is_some_and(|login| login.autosaves()) {
            let saved = if outlived_its_login { self.session_suspend(session).await } else { self.session_save(session).await };
            if matches!(saved, Err(Failure::Operation(OperationError::Busy))) {
                return; // It is in use again.
            }
            let kept = AutosaveOutcome { session: session.id, outcome: saved };
            kept.log(&session.owner, "saved at its idle time");
            if kept.outcome.is_err() && session.record.mark_unsaved() {
                return;
            }
        }
        self.sessions.expire(session);
    }

    async fn session_save(&self, session: &Arc<Session>) -> Result<Vec<String>, Failure> {
        self.project_save(session, None).await.map(|(_, unsaved)| unsaved)
    }

    /// Saves a session so that it comes back with its owner's next login, and closes it.
    async fn session_suspend(&self, session: &Arc<Session>) -> Result<Vec<String>, Failure> {
        let (project, unsaved) = self.project_save_when(session, None, Admission::Queued).await?;
        self.store.suspend(session.id, &session.owner, project.id).await?;
        // If it has come back already, this closes the old one and not the new one.
        self.sessions.close(session);
        Ok(unsaved)
    }

    /// Saves the sessions of logins that end, if these have autosave, so that they come back with the users' next logins. Sessions that
    /// cannot be saved are left open.
    pub(super) async fn login_suspend(&self, logins: &[&Login]) -> Vec<AutosaveOutcome> {
        let saving: Vec<&&Login> = logins.iter().filter(|login| login.autosaves()).collect();
        for login in &saving {
            self.login_forget_stale(login).await;
        }
        let mut sessions = self.sessions.list();
        sessions.retain(|session| saving.iter().any(|login| session.login == Some(login.id)));
        sessions.sort_by_key(|session| Reverse(session.last_used()));
        let mut projects = HashSet::new();
        let saved = sessions.into_iter().map(|session| {
            let shares = session.record.project().is_some_and(|project| !projects.insert(project));
            async move {
                if shares {
                    // Each session comes back with what is its own, so the one that was used last keeps the project.
                    session.record.bind(None);
                }
                // Otherwise running code could delay the logout for as long as it likes.
                session.interrupt();
                let mut outcome = self.session_suspend(&session).await;
                if let Ok(unsaved) = &mut outcome
                    && shares
                {
                    unsaved.push("it was saved as a new project, because another session was saved in its project".to_owned());
                }
                if outcome.is_err() {
                    session.record.mark_unsaved();
                }
                let kept = AutosaveOutcome { session: session.id, outcome };
                kept.log(&session.owner, "saved");
                kept
            }
        });
        futures_util::future::join_all(saved).await
    }

    /// Saves the sessions of all logins that have autosave, before they are stopped. This may take `patience`, `first` included.
    pub(super) async fn suspend_all(&self, patience: Duration, first: impl Future<Output = ()>) {
        let suspended = async {
            first.await;
            let logins = self.logins.all();
            self.login_suspend(&logins.iter().map(AsRef::as_ref).collect::<Vec<_>>()).await;
        };
        let mut suspended = std::pin::pin!(suspended);
        if tokio::time::timeout(patience * 2 / 3, &mut suspended).await.is_ok() {
            return;
        }
        // An interrupted save goes on without the values that would have to be computed.
        self.sessions.list().iter().for_each(|session| session.interrupt());
        if tokio::time::timeout(patience / 3, suspended).await.is_err() {
            let autosaves = |session: &Session| session.login.and_then(|id| self.logins.find(id)).is_some_and(|login| login.autosaves());
            for session in self.sessions.list().iter().filter(|session| autosaves(session)) {
                tracing::error!(session.id = %session.id, user.name = session.owner, "a session could not be saved in time");
            }
        }
    }

    /// Only sessions that were live when the user last logged out come back: those of earlier logouts are forgotten. They are still projects.
    async fn login_forget_stale(&self, login: &Login) {
        for session in login.stale() {
            if let Err(error) = self.store.resume(session, &login.user).await {
                tracing::error!(error = &error as &dyn std::error::Error, "an earlier session could not be forgotten");
            }
        }
    }

    /// Brings back the sessions that were saved when the user's last login ended. Without autosave, they stay away, and are forgotten when
    /// the login ends with autosave after all.
    pub(super) async fn login_restore(&self, login: &Login, principal: &Principal) -> Vec<AutosaveOutcome> {
        let suspended = match self.store.suspended(principal.name()).await {
            Ok(suspended) => suspended,
            Err(error) => {
                tracing::error!(error = &error as &dyn std::error::Error, "saved sessions could not be read");
                return Vec::new();
            }
        };
        if !login.autosaves() {
            login.set_stale(suspended.into_iter().map(|(session, _)| session).collect());
            return Vec::new();
        }
        let mut restored = Vec::new();
        for (session, project) in suspended {
            if !self.store.resume(session, principal.name()).await.unwrap_or(false) {
                continue;
            }
            let loaded = self.project_load_as(project, principal, Some(session)).await;
            if loaded.is_err()
                && let Err(error) = self.store.suspend(session, principal.name(), project).await
            {
                tracing::error!(error = &error as &dyn std::error::Error, "the next login cannot bring a session back");
            }
            let kept = AutosaveOutcome { session, outcome: loaded.map(|(_, warnings)| warnings) };
            kept.log(principal.name(), "brought back");
            restored.push(kept);
        }
        restored
    }
}
