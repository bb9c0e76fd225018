//! What the server does, in terms of sessions, values, files, objects, projects, snapshots, scripts and packages. The APIs and all other ways
//! in for clients reach the rest of the server only through this room.
//!
//! Each file has the operations on one of these things, as methods of [`App`] whose names begin with that of the thing. Start reading at
//! [`App`]; most requests end up in [`runs`] or [`evaluation`].

pub mod administration;
mod archives;
pub mod autosave;
pub mod batches;
mod browser_logins;
mod calls;
mod contents;
pub mod evaluation;
pub mod failure;
pub mod files;
mod identity;
mod images;
pub mod left_workspaces;
mod logins;
pub mod machine;
mod measures;
pub mod objects;
pub mod packages;
mod prepared;
pub mod projects;
pub mod prompt;
mod readiness;
pub mod results;
pub mod runs;
pub mod scripts;
pub mod services;
pub mod sessions;
pub mod snapshots;
mod sweeps;
pub mod uploads;

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

pub use failure::Failure;
pub use readiness::Readiness;

use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    auth::{Accounts, Issuers, LiveRules, Logins, Tokens},
    config::Config,
    packages::Packages,
    session::{self, Sessions, published::Published},
    store::{Store, policies::Policy},
    system::machine::LoadMeter,
    telemetry::Recent,
};

/// The folder of running sessions, in the data folder.
const RUN: &str = "run";
/// The folder of published files, in the data folder.
const FILES: &str = "files";
/// The folder of unfinished uploads. It is on the same file system as the sessions, so that uploads can be moved to them.
const UPLOADS: &str = "uploads";
/// How long the server, when it stops, waits for the removal of files that sessions have left.
const REMOVAL: Duration = Duration::from_secs(1);

/// The server without its listeners.
#[derive(Debug)]
pub struct App {
    config: Config,
    accounts: Accounts,
    rules: LiveRules,
    logins: Logins,
    tokens: Tokens,
    issuers: Issuers,
    sessions: Sessions,
    packages: Packages,
    catalog: services::Catalog,
    preparations: prepared::Preparations,
    batches: batches::Running,
    published: Arc<Published>,
    store: Store,
    /// The folder of unfinished uploads.
    uploads: PathBuf,
    /// Whether the store could be written when somebody last asked.
    store_state: tokio::sync::Mutex<readiness::Seen>,
    /// Whether the zygote answered when somebody last asked.
    zygote_state: tokio::sync::Mutex<readiness::Seen>,
    /// The last lines of the log.
    log: Recent,
    /// How busy the machine is.
    load: LoadMeter,
    /// Cancelled when the server is to stop.
    asked_to_stop: CancellationToken,
    /// Cancelled when the server stops.
    stopping: CancellationToken,
    /// Tasks that do not belong to a request.
    tasks: TaskTracker,
    /// Keeps other servers out of the data folder.
    _lock: std::fs::File,
}

impl App {
    /// Opens the store and starts R. Files that an earlier run has left in the data folder are removed.
    ///
    /// # Errors
    /// Why the server cannot start.
    pub async fn start(config: Config, log: Recent) -> anyhow::Result<Arc<Self>> {
        use anyhow::Context;
        let data = std::path::absolute(&config.data)?;
        let store = Store::open(&data).await.with_context(|| format!("data: {}", data.display()))?;
        let lock = lock(&data)?;
        let run = open_folder(&data, RUN, 0o711)?;
        let files = open_folder(&data, FILES, 0o711)?;
        let uploads = open_folder(&data, UPLOADS, 0o700)?;
        let library = open_folder(&data, "library", 0o755)?;
        let mut r = config.r.clone();
        r.libraries.insert(0, library.clone());
        let sessions = Sessions::start(config.sessions.clone(), r, &run, config.private_places()).await?;
        for left in [&files, &uploads] {
            session::clear(left, sessions.janitor())?;
        }
        let packages = Packages::new(
            library,
            run,
            config.r.clone(),
            session::sandbox(&config.sessions, config.private_places()),
            sessions.users(),
            sessions.janitor().clone(),
        );
        // Logins are in memory, so none has survived the last run; their objects go too.
        store.object_forget(None).await?;
        store.batch_expire(config.services.batch_days).await?;
        store.collect_blobs().await?;
        let rules = LiveRules::open(store.clone()).await?;
        let accounts = Accounts::new(store.clone(), rules.clone(), &config.auth).map_err(anyhow::Error::msg)?;
        let watch = store.watch().await?;
        let generation = rules.now().generation.clone();
        let app = Arc::new(Self {
            tokens: accounts.tokens(&config.auth, &data),
            issuers: accounts.issuers(&config.auth).map_err(anyhow::Error::msg)?,
            accounts,
            rules,
            logins: Logins::default(),
            sessions,
            packages,
            catalog: services::Catalog::default(),
            preparations: prepared::Preparations::new(&config.services),
            batches: batches::Running::default(),
            published: Arc::new(Published::new(files, config.sessions.disk_mib << 20)?),
            store,
            uploads,
            store_state: tokio::sync::Mutex::default(),
            zygote_state: tokio::sync::Mutex::default(),
            log,
            load: LoadMeter::default(),
            asked_to_stop: CancellationToken::new(),
            stopping: CancellationToken::new(),
            config,
            tasks: TaskTracker::new(),
            _lock: lock,
        });
        app.sweep(watch, generation);
        app.batch_resume_all().await?;
        Ok(app)
    }

    /// The settings in force.
    #[must_use]
    pub fn settings(&self) -> &Config {
        &self.config
    }

    /// The name of the server.
    #[must_use]
    pub fn server_name(&self) -> String {
        self.rules.now().policies.text(Policy::ServerName).unwrap_or("Offshoot").to_owned()
    }

    /// The server's address for clients, if a policy sets it.
    #[must_use]
    pub fn web_context(&self) -> Option<String> {
        self.rules.now().policies.text(Policy::WebContext).map(str::to_owned)
    }

    /// Accounts, and their passwords.
    #[must_use]
    pub fn accounts(&self) -> &Accounts {
        &self.accounts
    }

    /// Tokens.
    #[must_use]
    pub fn tokens(&self) -> &Tokens {
        &self.tokens
    }

    /// The rules: roles, permissions and policies.
    #[must_use]
    pub fn rules(&self) -> &LiveRules {
        &self.rules
    }

    /// The store, for the command line only. Dialects use the methods of this type instead.
    #[must_use]
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// The last lines of the log, oldest first.
    #[must_use]
    pub fn log_lines(&self, count: usize) -> Vec<String> {
        self.log.last(count)
    }

    /// Cancelled when the server stops.
    #[must_use]
    pub fn stopping(&self) -> &CancellationToken {
        &self.stopping
    }

    /// Asks the server to stop, as a signal would.
    pub fn ask_to_stop(&self) {
        self.asked_to_stop.cancel();
    }

    /// Waits until somebody has asked the server to stop.
    pub async fn stop_asked(&self) {
        self.asked_to_stop.cancelled().await;
    }

    /// Ends everything: sessions, R and the tasks.
    pub async fn stop(&self, patience: Duration) {
        self.stopping.cancel();
        self.suspend_all(patience, async {
            // A login that is just expiring is saved completely.
            self.tasks.wait().await;
        })
        .await;
        self.sessions.stop(patience).await;
        self.store.close().await;
        // Removes files of sessions that had to be killed. The janitor goes on if this takes longer.
        let left = [RUN, FILES, UPLOADS].map(|name| self.config.data.join(name));
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
}

/// Locks the data folder for this process.
fn lock(data: &Path) -> anyhow::Result<std::fs::File> {
    use std::os::unix::fs::OpenOptionsExt;
    let path = data.join("lock");
    let file = std::fs::OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(&path)?;
    file.try_lock().map_err(|_| anyhow::anyhow!("data: another offshoot server works in {}", data.display()))?;
    Ok(file)
}

/// Makes a folder in the data folder. Its permissions let the users of sessions read it, or only pass through it.
fn open_folder(data: &Path, name: &str, mode: u32) -> anyhow::Result<std::path::PathBuf> {
    use std::os::unix::fs::PermissionsExt;
    let folder = data.join(name);
    std::fs::create_dir_all(&folder)?;
    std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(mode))?;
    Ok(folder)
}
