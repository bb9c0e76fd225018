//! The audit log: logins, refusals, changes of accounts, roles, policies and filters.
//!
//! Its entries are events of the target [`TARGET`], and part of the log. If the configuration names a file, they are also
//! written there, as lines of JSON. Entries that belong to a request carry its span: client address and request id.

use std::{
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use tracing_subscriber::filter::{LevelFilter, Targets};
use uuid::Uuid;

/// The target of the events.
pub const TARGET: &str = "offshoot::audit";

pub(super) fn filter() -> Targets {
    // The entries, and the span that says which request they belong to.
    Targets::new().with_target(TARGET, LevelFilter::TRACE).with_target(super::REQUEST_SPAN, LevelFilter::ERROR)
}

/// Somebody logged in, with an account of this source, or did not; `refused` says why not.
pub fn login(user: &str, source: &str, refused: Option<&str>) {
    match refused {
        None => tracing::info!(target: TARGET, event = "login", user.name = user, source, "logged in"),
        Some(reason) => tracing::warn!(target: TARGET, event = "login-refused", user.name = user, reason, "a login was refused"),
    }
}

/// Something happened to a token or to a chain of tokens.
pub fn token(event: &str, user: &str, token: &str) {
    tracing::info!(target: TARGET, event, user.name = user, token, "tokens were given, replaced or ended");
}

/// The keys for tokens were read, because they are new.
pub fn keys(keys: &str) {
    tracing::info!(target: TARGET, event = "token-keys", keys, "keys for tokens were read");
}

/// A request was refused: its caller may not do this.
pub fn refused(user: &str, path: &str, status: u16) {
    tracing::warn!(target: TARGET, event = "refused", user.name = user, http.path = path, http.status = status, "a request was refused");
}

/// A user of the operating system has done something to a session, whose owner is `owner`, by the control socket.
pub fn session(event: &str, owner: &str, session: Uuid, by: u32) {
    tracing::info!(target: TARGET, event, user.name = owner, session.id = %session, by.id = by, "an administrator did this to a session");
}

/// The store was replaced by a backup.
pub fn restored() {
    tracing::warn!(target: TARGET, event = "restored", "the store was replaced by a backup");
}

/// One of the rules was changed, by whomever: what happened, to what kind of thing, its name, and what of it.
pub fn changed(event: &str, kind: &str, name: &str, what: &str) {
    tracing::info!(target: TARGET, event, kind, name, changed = what, "the rules were changed");
}

/// A file of the log: that of the audit log, or that for people.
#[derive(Debug)]
pub struct File {
    setting: &'static str,
    path: PathBuf,
    open: Mutex<std::fs::File>,
}

impl File {
    /// Opens the file that this setting names.
    pub(super) fn open(setting: &'static str, path: &Path) -> Result<Self, String> {
        Ok(Self { setting, path: path.to_owned(), open: Mutex::new(open(setting, path)?) })
    }

    pub(super) fn reopen(&self) -> Result<(), String> {
        let file = open(self.setting, &self.path)?;
        *self.open.lock().unwrap_or_else(PoisonError::into_inner) = file;
        Ok(())
    }
}

fn open(setting: &str, path: &Path) -> Result<std::fs::File, String> {
    // Others may write in the folder, and a link of theirs must not lead the log elsewhere.
    let file = std::fs::File::options().create(true).append(true).mode(0o640).custom_flags(libc::O_NOFOLLOW).open(path);
    file.map_err(|error| format!("{setting}: {}: {error}", path.display()))
}

impl Write for &File {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner).write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner).flush()
    }
}
