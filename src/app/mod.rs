//! The program's parts, put together: what every dialect works with.
//!
//! Start reading at [`App`]; [`execution`] is what most requests come to.

mod exchange;
pub mod execution;
pub mod failure;
pub mod projects;
mod readiness;
pub mod repository;
pub mod scripts;
pub mod upload;

use std::{path::Path, sync::Arc, time::Duration};

pub use failure::Failure;
pub use readiness::Readiness;

use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    auth::{Accounts, LiveRules, Login, Logins},
    config::Config,
    packages::Packages,
    session::{self, Admission, Session, Sessions, published::Published},
    store::{Store, StoreError, Watch, policies::Policy, rules::Rules},
    telemetry::Recent,
};

/// Between two looks for what has changed, and for logins that have ended.
const SWEEP: Duration = Duration::from_secs(1);
/// The folder of running sessions, in the data folder.
const RUN: &str = "run";
/// The folder of published files, there too.
const FILES: &str = "files";
/// What the removal of what sessions have left may take at the end.
const REMOVAL: Duration = Duration::from_secs(1);
/// Between two collections of contents that nothing refers to, in sweeps.
const COLLECTION: u64 = 600;

/// The parts.
#[derive(Debug)]
pub struct App {
    /// The settings in force.
    pub config: Config,
    /// Accounts.
    pub accounts: Accounts,
    /// Who may do what.
    pub rules: LiveRules,
    /// Who has logged in.
    pub logins: Logins,
    /// R sessions.
    pub sessions: Sessions,
    /// R packages.
    pub packages: Packages,
    /// Files with an address.
    pub published: Arc<Published>,
    /// The store behind it.
    pub store: Store,
    /// Whether the store can be written, as it was when somebody asked.
    store_state: tokio::sync::Mutex<readiness::Seen>,
    /// Whether the zygote answered, likewise.
    zygote_state: tokio::sync::Mutex<readiness::Seen>,
    /// The end of the log.
    pub log: Recent,
    /// Cancelled when the server stops.
    pub stopping: CancellationToken,
    /// What goes on beside requests.
    tasks: TaskTracker,
    /// Keeps other servers out of the data folder.
    _lock: std::fs::File,
}

impl App {
    /// Opens the store and starts R. What an earlier run has left behind in the data folder is removed.
    ///
    /// # Errors
    /// Why it cannot be.
    pub async fn start(config: Config, log: Recent) -> anyhow::Result<Arc<Self>> {
        use anyhow::Context;
        let data = std::path::absolute(&config.data)?;
        let store = Store::open(&data).await.with_context(|| format!("data: {}", data.display()))?;
        let lock = lock(&data)?;
        let run = open_folder(&data, RUN, 0o711)?;
        let files = open_folder(&data, FILES, 0o711)?;
        let library = open_folder(&data, "library", 0o755)?;
        let mut r = config.r.clone();
        r.libraries.insert(0, library.clone());
        let sessions = Sessions::start(config.sessions.clone(), r, &run).await.map_err(anyhow::Error::msg)?;
        session::clear(&files, sessions.janitor()).map_err(anyhow::Error::msg)?;
        let packages = Packages::new(library, run, config.r.clone(), sessions.users(), sessions.janitor().clone());
        // Logins have not outlived the server that had them.
        store.object_forget(None).await?;
        store.collect_blobs().await?;
        let rules = LiveRules::open(store.clone()).await?;
        let watch = store.watch().await?;
        let generation = rules.now().generation.clone();
        let app = Arc::new(Self {
            accounts: Accounts::new(store.clone(), rules.clone()),
            rules,
            logins: Logins::default(),
            sessions,
            packages,
            published: Arc::new(Published::new(files, config.sessions.disk_mib << 20)?),
            store,
            store_state: tokio::sync::Mutex::default(),
            zygote_state: tokio::sync::Mutex::default(),
            log,
            stopping: CancellationToken::new(),
            config,
            tasks: TaskTracker::new(),
            _lock: lock,
        });
        app.tasks.spawn(Arc::clone(&app).sweep(watch, generation));
        app.tasks.close();
        Ok(app)
    }

    /// Ends a login with its sessions, files and objects. With autosave, the sessions are saved first.
    pub async fn login_end(&self, login: &Login) {
        // However it ends: what is still under way for it must not leave anything behind.
        let _ = login.begin_closing();
        self.suspend(login).await;
        self.sessions.close_login(login.id);
        if let Err(error) = self.store.object_forget(Some(login.id)).await {
            tracing::error!(error = &error as &dyn std::error::Error, "the objects of a login could not be removed");
        }
        let (published, id) = (Arc::clone(&self.published), login.id);
        let _ = tokio::task::spawn_blocking(move || published.forget(id)).await;
        self.logins.remove(login.id);
    }

    /// Ends everything.
    pub async fn stop(&self, patience: Duration) {
        self.stopping.cancel();
        let suspended = async {
            // A login that is just ending unused is saved to its end.
            self.tasks.wait().await;
            let logins = self.logins.take(|_| true);
            futures_util::future::join_all(logins.iter().map(|login| self.suspend(login))).await;
        };
        if tokio::time::timeout(patience, suspended).await.is_err() {
            tracing::error!("some sessions could not be saved in time");
        }
        self.sessions.stop(patience).await;
        self.store.close().await;
        // What sessions that had to be killed have left. What takes longer, the janitor goes on with.
        let left = [RUN, FILES].map(|name| self.config.data.join(name));
        let removed = async {
            for folder in left.iter().filter_map(|folder| std::fs::read_dir(folder).ok()) {
                for entry in folder.flatten() {
                    if let Err(error) = self.sessions.janitor().remove(entry.path()).await {
                        tracing::warn!(error, "what is left could not be removed");
                    }
                }
            }
        };
        let _ = tokio::time::timeout(REMOVAL, removed).await;
    }

    async fn sweep(self: Arc<Self>, mut watch: Watch, mut generation: String) {
        for turn in 1.. {
            tokio::select! {
                () = self.stopping.cancelled() => return,
                () = tokio::time::sleep(SWEEP) => {}
            }
            if let Err(error) = self.look_at_store(&mut watch, &mut generation, turn).await {
                tracing::error!(error = &error as &dyn std::error::Error, "the store could not be read");
            }
            let busy = |login: &Login| self.sessions.all().iter().any(|session| session.login == Some(login.id) && session.is_busy());
            for session in self.sessions.idle() {
                self.end_idle(&session).await;
            }
            for login in self.logins.take_expired(self.login_lifetime(), busy) {
                tracing::info!(user.name = login.user, "login ended unused");
                self.login_end(&login).await;
            }
        }
    }

    async fn end_idle(&self, session: &Arc<Session>) {
        let login = session.login.and_then(|id| self.logins.find(id));
        if login.is_some_and(|login| login.autosaves())
            && let Err(error) = self.save_project(session, None, Admission::Immediate).await
        {
            tracing::error!(session.id = %session.id, error = &error as &dyn std::error::Error, "an idle session could not be saved");
        }
        self.sessions.expire(session);
    }

    /// Takes over what has changed in the store. `generation` is the one that was seen here last: a login may
    /// have read the rules of another since.
    async fn look_at_store(&self, watch: &mut Watch, generation: &mut String, turn: u64) -> Result<(), StoreError> {
        if turn.is_multiple_of(COLLECTION) {
            self.store.collect_blobs().await?;
        }
        if !watch.changed().await? {
            return Ok(());
        }
        if let Err(error) = self.rules.refresh().await {
            watch.forget();
            return Err(error);
        }
        let now = self.rules.now();
        // What was, is no more: a login of an account that is another, or none, is nobody's.
        let replaced = std::mem::replace(generation, now.generation.clone()) != now.generation;
        let is_over = |login: &Login| replaced || !(login.is_anonymous() || may_stay(&now, &login.user));
        for login in self.logins.take(is_over) {
            tracing::info!(user.name = login.user, "login ended: its account may not be logged in any more");
            if replaced || now.account(&login.user).is_none() {
                // What its sessions are is not part of what is there now.
                login.set_autosave(false);
            }
            self.login_end(&login).await;
        }
        if replaced {
            tracing::info!("the store was replaced by a backup: all sessions are closed");
            self.sessions.all().iter().for_each(|session| self.sessions.close(session));
        }
        Ok(())
    }

    /// How long a login may be unused; zero is for ever.
    #[must_use]
    pub fn login_lifetime(&self) -> Duration {
        let policies = &self.rules.now().policies;
        Duration::from_secs(policies.number(Policy::LoginSeconds, self.config.revodeployr.login_seconds))
    }
}

fn may_stay(rules: &Rules, account: &str) -> bool {
    rules.account(account).is_some_and(|account| account.enabled && !account.locked)
}

/// Takes the data folder for this process.
fn lock(data: &Path) -> anyhow::Result<std::fs::File> {
    use std::os::unix::fs::OpenOptionsExt;
    let path = data.join("lock");
    let file = std::fs::OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(&path)?;
    file.try_lock().map_err(|_| anyhow::anyhow!("data: another offshoot server works in {}", data.display()))?;
    Ok(file)
}

/// A folder below the data folder, with these permissions: sessions' users read it, or only pass through.
fn open_folder(data: &Path, name: &str, mode: u32) -> anyhow::Result<std::path::PathBuf> {
    use std::os::unix::fs::PermissionsExt;
    let folder = data.join(name);
    std::fs::create_dir_all(&folder)?;
    std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(mode))?;
    Ok(folder)
}
