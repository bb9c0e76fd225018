//! What the server does, in terms of sessions, values, files, objects, projects, scripts and packages: the one door through
//! which the APIs, and whatever else speaks to clients, come to everything behind it.
//!
//! Each file has what can be done with one of these, as methods of [`App`] that begin with its name. Start reading at
//! [`App`]; [`runs`] and [`evaluation`] are what most requests come to.

mod contents;
pub mod evaluation;
pub mod failure;
pub mod files;
mod logins;
mod measures;
pub mod objects;
pub mod packages;
pub mod projects;
mod readiness;
pub mod runs;
pub mod scripts;
pub mod sessions;
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
    auth::{Accounts, LiveRules, Logins},
    config::Config,
    packages::Packages,
    session::{self, Sessions, published::Published},
    store::{Store, policies::Policy},
    telemetry::Recent,
};

/// The folder of running sessions, in the data folder.
const RUN: &str = "run";
/// The folder of published files, there too.
const FILES: &str = "files";
/// The folder of what is being uploaded, on the same file system as sessions.
const UPLOADS: &str = "uploads";
/// What the removal of what sessions have left may take at the end.
const REMOVAL: Duration = Duration::from_secs(1);

/// The server, but for what listens.
#[derive(Debug)]
pub struct App {
    config: Config,
    accounts: Accounts,
    rules: LiveRules,
    logins: Logins,
    sessions: Sessions,
    packages: Packages,
    published: Arc<Published>,
    store: Store,
    /// Where uploads are until they are where they belong.
    uploads: PathBuf,
    /// Whether the store can be written, as it was when somebody asked.
    store_state: tokio::sync::Mutex<readiness::Seen>,
    /// Whether the zygote answered, likewise.
    zygote_state: tokio::sync::Mutex<readiness::Seen>,
    /// The end of the log.
    log: Recent,
    /// Cancelled when the server stops.
    stopping: CancellationToken,
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
        let uploads = open_folder(&data, UPLOADS, 0o700)?;
        let library = open_folder(&data, "library", 0o755)?;
        let mut r = config.r.clone();
        r.libraries.insert(0, library.clone());
        let sessions = Sessions::start(config.sessions.clone(), r, &run).await?;
        for left in [&files, &uploads] {
            session::clear(left, sessions.janitor())?;
        }
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
            uploads,
            store_state: tokio::sync::Mutex::default(),
            zygote_state: tokio::sync::Mutex::default(),
            log,
            stopping: CancellationToken::new(),
            config,
            tasks: TaskTracker::new(),
            _lock: lock,
        });
        app.sweep(watch, generation);
        Ok(app)
    }

    /// The settings in force.
    #[must_use]
    pub fn settings(&self) -> &Config {
        &self.config
    }

    /// What the server is called.
    #[must_use]
    pub fn server_name(&self) -> String {
        self.rules.now().policies.text(Policy::ServerName).unwrap_or("Offshoot").to_owned()
    }

    /// The address that a policy has clients know the server by.
    #[must_use]
    pub fn web_context(&self) -> Option<String> {
        self.rules.now().policies.text(Policy::WebContext).map(str::to_owned)
    }

    /// Accounts, and their passwords.
    #[must_use]
    pub fn accounts(&self) -> &Accounts {
        &self.accounts
    }

    /// Who may do what, and the policies.
    #[must_use]
    pub fn rules(&self) -> &LiveRules {
        &self.rules
    }

    /// The store, for the command line: dialects have the methods of this type.
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

    /// Ends everything.
    pub async fn stop(&self, patience: Duration) {
        self.stopping.cancel();
        let suspended = async {
            // A login that is just ending unused is saved to its end.
            self.tasks.wait().await;
            let logins = self.logins.take(|_| true);
            futures_util::future::join_all(logins.iter().map(|login| self.login_suspend(login))).await;
        };
        if tokio::time::timeout(patience, suspended).await.is_err() {
            tracing::error!("some sessions could not be saved in time");
        }
        self.sessions.stop(patience).await;
        self.store.close().await;
        // What sessions that had to be killed have left. What takes longer, the janitor goes on with.
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
