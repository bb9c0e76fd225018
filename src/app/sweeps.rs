//! Regular tasks that belong to no request: they follow changed rules, end unused sessions and logins, and remove contents that nothing
//! refers to. Each has a task of its own and waits for no other: saving an idle session can take long, and an account that was disabled has
//! to be locked out at once.

use std::{sync::Arc, time::Duration};

use super::App;
use crate::{
    auth::Login,
    store::{StoreError, Watch, rules::Rules},
};

/// Time between two checks for changed rules, and for unused sessions and logins.
const SWEEP: Duration = Duration::from_secs(1);
/// Time between two looks at the store for old batches, and for contents that nothing refers to.
const COLLECTION: Duration = Duration::from_mins(10);

impl App {
    /// Starts the tasks, which end when the server stops.
    pub(super) fn sweep(self: &Arc<Self>, watch: Watch, generation: String) {
        self.tasks.spawn(Arc::clone(self).watch_rules(watch, generation));
        self.tasks.spawn(Arc::clone(self).end_unused());
        self.tasks.spawn(Arc::clone(self).look_after_the_store());
        self.tasks.close();
    }

    /// Waits for this time; false when the server stops.
    async fn pause(&self, time: Duration) -> bool {
        tokio::select! {
            () = self.stopping.cancelled() => false,
            () = tokio::time::sleep(time) => true,
        }
    }

    async fn watch_rules(self: Arc<Self>, mut watch: Watch, mut generation: String) {
        while self.pause(SWEEP).await {
            self.follow_keys();
            if let Err(error) = self.follow_store(&mut watch, &mut generation).await {
                tracing::error!(error = &error as &dyn std::error::Error, "the store could not be read");
            }
        }
    }

    /// Follows changes of the store. `generation` is the last one that was seen here; since then, a login may have read the rules of a
    /// newer one.
    async fn follow_store(self: &Arc<Self>, watch: &mut Watch, generation: &mut String) -> Result<(), StoreError> {
        if !watch.changed().await? {
            return Ok(());
        }
        if let Err(error) = self.rules.refresh().await {
            watch.forget();
            return Err(error);
        }
        self.catalog.forget();
        self.prepared_follow().await?;
        let now = self.rules.now();
        // A login ends if its account may not log in any more, or if the store was replaced, as the account may then be another one.
        let replaced = std::mem::replace(generation, now.generation.clone()) != now.generation;
        let is_over = |login: &Login| replaced || !(login.is_anonymous() || may_stay(&now, &login.user));
        for login in self.logins.take(is_over) {
            tracing::info!(user.name = login.user, "login ended: its account may not be logged in any more");
            if replaced || now.account(&login.user).is_none() {
                // Its sessions do not belong to the store that is there now.
                login.set_autosave(false);
            }
            // In a task of its own: saving its sessions may take long, and other logins may have to be locked out as well.
            let app = Arc::clone(self);
            let _ = login.begin_closing();
            tokio::spawn(self.tasks.track_future(async move { app.login_end(&login).await }));
        }
        if replaced {
            tracing::info!("the store was replaced by a backup: all sessions are closed");
            self.sessions.all().iter().for_each(|session| self.sessions.close(session));
            self.batch_replace_all().await?;
        }
        Ok(())
    }

    async fn end_unused(self: Arc<Self>) {
        while self.pause(SWEEP).await {
            for session in self.sessions.idle() {
                self.session_end_idle(&session).await;
            }
            self.preparations.sweep();
            let busy = |login: &Login| self.sessions.all().iter().any(|session| session.login == Some(login.id) && session.is_busy());
            for login in self.logins.take_expired(self.login_lifetime(), busy) {
                tracing::info!(user.name = login.user, "login ended unused");
                self.login_end(&login).await;
            }
        }
    }

    async fn look_after_the_store(self: Arc<Self>) {
        while self.pause(COLLECTION).await {
            if let Err(error) = self.look_after_batches().await {
                tracing::error!(error = &error as &dyn std::error::Error, "old batches could not be removed");
            }
            if let Err(error) = self.store.collect_blobs().await {
                tracing::error!(error = &error as &dyn std::error::Error, "contents that nothing refers to could not be removed");
            }
        }
    }

    /// Removes old batches, and goes on with those whose end could not be noted, or whose caller went away in the moment that they began.
    async fn look_after_batches(self: &Arc<Self>) -> Result<(), StoreError> {
        self.store.batch_expire(self.config.services.batch_days).await?;
        self.batch_resume_all().await
    }
}

fn may_stay(rules: &Rules, account: &str) -> bool {
    rules.account(account).is_some_and(|account| account.enabled && !account.locked)
}
