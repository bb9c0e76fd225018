//! User ids for sessions, where each has its own.

use std::{
    collections::HashSet,
    fs::File,
    ops::RangeInclusive,
    os::{
        fd::{AsFd, BorrowedFd},
        unix::fs::{MetadataExt, OpenOptionsExt},
    },
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use crate::{
    config,
    worker::{confine, fork},
};

/// Where servers on one machine tell each other which ids they use: by locks on single bytes.
const LOCKS: &str = "/run/offshoot.users";

/// The ids that sessions may have; cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Users(Option<Arc<Range>>);

#[derive(Debug)]
struct Range {
    ids: RangeInclusive<u32>,
    locks: File,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    used: HashSet<u32>,
    /// Ids of sessions that are over, with processes that are not. Whoever got such an id would be ended with them.
    leaving: Vec<u32>,
    /// How many have been given out: ids come back late, so that what an earlier session may have left behind
    /// is not a later one's.
    given: u32,
}

/// The id of one session; given back when it is dropped and no process has it any more.
#[derive(Debug)]
pub struct User {
    id: u32,
    range: Arc<Range>,
}

impl Users {
    /// The ids that the configuration gives to sessions whose folders are in `folder`.
    ///
    /// # Errors
    /// When it asks for ids, and there can be none.
    pub fn configured(config: &config::Sessions, folder: &Path) -> Result<Self, String> {
        let Some(range) = config.user_range()? else { return Ok(Self::default()) };
        let obstacle = if let Some(obstacle) = obstacle(folder) {
            obstacle
        } else {
            let locks = open_locks(Path::new(LOCKS)).or_else(|error| {
                tracing::warn!("{}", not_shared(&error));
                open_locks(&folder.join("users"))
            });
            match locks {
                Ok(locks) => return Ok(Self(Some(Arc::new(Range { ids: range, locks, state: Mutex::default() })))),
                Err(error) => format!("{LOCKS}: {error}"),
            }
        };
        if config.users != "auto" {
            return Err(format!("sessions.users: sessions cannot have users of their own, as {obstacle}"));
        }
        tracing::warn!("sessions run as the server does, and can see each other's files and the store: {obstacle}");
        Ok(Self::default())
    }

    /// The file whose locks reserve the ids, where there are any: they hold for as long as anybody has it open.
    #[must_use]
    pub fn reservations(&self) -> Option<BorrowedFd<'_>> {
        self.0.as_ref().map(|range| range.locks.as_fd())
    }

    /// Takes an id; `Ok(None)` when sessions have none of their own.
    ///
    /// # Errors
    /// When all are in use.
    pub fn take(&self) -> Result<Option<User>, &'static str> {
        let Some(range) = &self.0 else { return Ok(None) };
        let mut state = range.lock();
        for id in std::mem::take(&mut state.leaving) {
            range.give_back(&mut state, id);
        }
        let count = range.ids.end() - range.ids.start() + 1;
        for _ in 0..count {
            let id = range.ids.start() + state.given % count;
            state.given = state.given.wrapping_add(1);
            if !state.used.contains(&id) && confine::reserve(&range.locks, id) {
                state.used.insert(id);
                return Ok(Some(User { id, range: Arc::clone(range) }));
            }
        }
        Err("all user ids of sessions.users are in use")
    }
}

fn open_locks(path: &Path) -> std::io::Result<File> {
    File::options().read(true).write(true).create(true).truncate(false).mode(0o600).custom_flags(libc::O_NOFOLLOW).open(path)
}

impl User {
    /// The id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.id
    }
}

impl Range {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives an id back, or notes that it has to wait.
    fn give_back(&self, state: &mut State, id: u32) {
        if fork::has_processes(id) {
            state.leaving.push(id);
        } else {
            confine::release(&self.locks, id);
            state.used.remove(&id);
        }
    }
}

impl Drop for User {
    fn drop(&mut self) {
        let mut state = self.range.lock();
        self.range.give_back(&mut state, self.id);
    }
}

/// Why sessions whose folders are in `folder` cannot have users of their own, if they cannot.
#[must_use]
pub fn obstacle(folder: &Path) -> Option<String> {
    if !rustix::process::geteuid().is_root() {
        return Some("the server does not run as root".to_owned());
    }
    let closed = folder.ancestors().find(|folder| !is_open_for_passing(folder))?;
    Some(format!("{} is closed to other users", closed.display()))
}

/// Why other servers on this machine may give the same ids to their sessions, if they may.
#[must_use]
pub fn conflict() -> Option<String> {
    open_locks(Path::new(LOCKS)).err().map(|error| not_shared(&error))
}

fn not_shared(error: &std::io::Error) -> String {
    format!("{LOCKS}: {error}: another server on this machine may give the same user ids to its sessions, and end these with its own")
}

/// Whether everybody can pass through a folder.
fn is_open_for_passing(folder: &Path) -> bool {
    folder.metadata().is_ok_and(|metadata| metadata.mode() & 0o001 != 0)
}
