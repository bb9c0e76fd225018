//! The program's parts, put together: what every dialect works with.

use std::{path::Path, sync::Arc, time::Duration};

use tokio_util::sync::CancellationToken;

use crate::{
    auth::{Accounts, Login, Logins},
    config::Config,
    session::{Sessions, published::Published},
    store::Store,
};

/// Between two looks for logins that have ended.
const SWEEP: Duration = Duration::from_secs(1);

/// The parts.
#[derive(Debug)]
pub struct App {
    /// The settings in force.
    pub config: Config,
    /// Accounts.
    pub accounts: Accounts,
    /// Who has logged in.
    pub logins: Logins,
    /// R sessions.
    pub sessions: Sessions,
    /// Files with an address.
    pub published: Arc<Published>,
    /// The store behind it.
    pub store: Store,
    /// Cancelled when the server stops.
    pub stopping: CancellationToken,
    /// Keeps other servers out of the data folder.
    _lock: std::fs::File,
}

impl App {
    /// Opens the store and starts R. What an earlier run has left behind in the data folder is removed.
    ///
    /// # Errors
    /// Why it cannot be.
    pub async fn start(config: Config) -> anyhow::Result<Arc<Self>> {
        use anyhow::Context;
        let data = std::path::absolute(&config.data)?;
        let store = Store::open(&data).await.with_context(|| format!("data: {}", data.display()))?;
        let lock = lock(&data)?;
        let run = fresh_folder(&data, "run")?;
        let files = fresh_folder(&data, "files")?;
        let sessions = Sessions::start(config.sessions.clone(), config.r.clone(), &run).await.map_err(anyhow::Error::msg)?;
        let lifetime = Duration::from_secs(config.revodeployr.login_seconds);
        let app = Arc::new(Self {
            accounts: Accounts::new(store.clone()),
            logins: Logins::new(lifetime),
            sessions,
            published: Arc::new(Published::new(files)),
            store,
            stopping: CancellationToken::new(),
            config,
            _lock: lock,
        });
        tokio::spawn(Arc::clone(&app).sweep());
        Ok(app)
    }

    /// Ends a login with its sessions and files.
    pub async fn login_end(&self, login: &Login) {
        self.sessions.close_login(login.id);
        let (published, id) = (Arc::clone(&self.published), login.id);
        let _ = tokio::task::spawn_blocking(move || published.forget(id)).await;
        self.logins.remove(login.id);
    }

    /// Ends everything.
    pub async fn stop(&self, patience: Duration) {
        self.stopping.cancel();
        self.sessions.stop(patience).await;
        self.store.close().await;
    }

    async fn sweep(self: Arc<Self>) {
        loop {
            tokio::select! {
                () = self.stopping.cancelled() => return,
                () = tokio::time::sleep(SWEEP) => {}
            }
            let busy = |login: &Login| self.sessions.list().iter().any(|session| session.login == Some(login.id) && session.is_busy());
            for login in self.logins.take_expired(busy) {
                tracing::info!(user.name = login.user, "login ended unused");
                self.login_end(&login).await;
            }
        }
    }
}

/// Takes the data folder for this process.
fn lock(data: &Path) -> anyhow::Result<std::fs::File> {
    let path = data.join("lock");
    let file = std::fs::OpenOptions::new().create(true).truncate(false).write(true).open(&path)?;
    file.try_lock().map_err(|_| anyhow::anyhow!("data: another offshoot server works in {}", data.display()))?;
    Ok(file)
}

/// An empty folder below the data folder, open to sessions' users only for passing through.
fn fresh_folder(data: &Path, name: &str) -> anyhow::Result<std::path::PathBuf> {
    use std::os::unix::fs::PermissionsExt;
    let folder = data.join(name);
    match std::fs::remove_dir_all(&folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error.into()),
        _ => {}
    }
    std::fs::create_dir(&folder)?;
    std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(0o711))?;
    Ok(folder)
}
