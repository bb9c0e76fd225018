//! User ids for sessions, where each has its own.

use std::{
    collections::BTreeSet,
    ops::RangeInclusive,
    os::unix::fs::MetadataExt,
    path::Path,
    sync::{Arc, Mutex, PoisonError},
};

use crate::config;

/// The ids that no session uses.
#[derive(Debug, Clone, Default)]
pub struct Users(Option<Arc<Mutex<BTreeSet<u32>>>>);

/// The id of one session; given back when it is dropped.
#[derive(Debug)]
pub struct User {
    id: u32,
    users: Arc<Mutex<BTreeSet<u32>>>,
}

impl Users {
    /// The ids that the configuration gives to sessions whose folders are in `folder`.
    ///
    /// # Errors
    /// When it asks for ids, and there can be none.
    pub fn configured(config: &config::Sessions, folder: &Path) -> Result<Self, String> {
        let Some(range) = config.user_range()? else { return Ok(Self::default()) };
        let obstacle = if !rustix::process::geteuid().is_root() {
            "the server does not run as root".to_owned()
        } else if let Some(closed) = folder.ancestors().find(|folder| !is_open_for_passing(folder)) {
            format!("{} is closed to other users", closed.display())
        } else {
            return Ok(Self::new(Some(range)));
        };
        if config.users != "auto" {
            return Err(format!("sessions.users: sessions cannot have users of their own, as {obstacle}"));
        }
        tracing::warn!("sessions run as the server does, and can see each other's files and the store: {obstacle}");
        Ok(Self::default())
    }

    /// Ids from `range`; with `None`, sessions run as the server does.
    #[must_use]
    pub fn new(range: Option<RangeInclusive<u32>>) -> Self {
        Self(range.map(|range| Arc::new(Mutex::new(range.collect()))))
    }

    /// Takes an id; `Ok(None)` when sessions have none of their own.
    ///
    /// # Errors
    /// When all are in use.
    pub fn take(&self) -> Result<Option<User>, &'static str> {
        let Some(users) = &self.0 else { return Ok(None) };
        let id = users.lock().unwrap_or_else(PoisonError::into_inner).pop_first();
        id.map(|id| Some(User { id, users: Arc::clone(users) })).ok_or("all user ids of sessions.users are in use")
    }
}

impl User {
    /// The id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.id
    }
}

impl Drop for User {
    fn drop(&mut self) {
        self.users.lock().unwrap_or_else(PoisonError::into_inner).insert(self.id);
    }
}

/// Whether everybody can pass through a folder.
fn is_open_for_passing(folder: &Path) -> bool {
    folder.metadata().is_ok_and(|metadata| metadata.mode() & 0o001 != 0)
}
