//! Leases user ids to processes, so that each can run as a user of its own.
//!
//! An id is used again and again, but no user may find a process or a file of an earlier one. It is leased only when no process has it, and
//! leased again only after the janitor has removed everything that was left under it on the machine. For that, the janitor has to search
//! folders that are open to everybody, so it cleans up all ids together that were given back meanwhile. An id that was leased and has not
//! been cleaned up since is marked in the file of the locks, for later servers.

use std::{
    collections::HashSet,
    fs::File,
    ops::RangeInclusive,
    os::{
        fd::{AsFd, BorrowedFd},
        unix::fs::{FileExt, MetadataExt, OpenOptionsExt},
    },
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use tokio::sync::Notify;

use super::{janitor::Janitor, leftovers, locks, processes};

/// The file by which servers on one machine tell each other which ids they use: by locks on single bytes.
const LOCKS: &str = "/run/offshoot.users";

/// After ids were cleaned up, this many times the duration passes before it is done again.
const RATIO: u32 = 20;
/// How long a caller waits for an id to be cleaned up.
const PATIENCE: Duration = Duration::from_secs(10);
/// The least time between two cleanups.
const PAUSE: Duration = Duration::from_millis(50);

/// Why no ids can be leased; the end of a sentence.
#[derive(Debug, thiserror::Error)]
pub enum LeaseError {
    /// Only root can run processes as other users.
    #[error("the server does not run as root")]
    NotRoot,
    /// Other users could not reach their folders.
    #[error("{} is closed to other users", .0.display())]
    Closed(PathBuf),
    /// The file of the locks cannot be used.
    #[error("{LOCKS}: {0}")]
    Locks(std::io::Error),
}

/// The ids that can be leased; cheap to clone. By default, there are none.
#[derive(Debug, Clone, Default)]
pub struct Users(Option<Arc<Range>>);

#[derive(Debug)]
struct Range {
    ids: RangeInclusive<u32>,
    locks: File,
    janitor: Janitor,
    state: Mutex<State>,
    /// Notified when ids have become free.
    freed: Notify,
}

#[derive(Debug, Default)]
struct State {
    /// Ids that cannot be leased now: they are leased, or something was left under them.
    used: HashSet<u32>,
    /// Ids for which the log already says that another program uses them.
    told: HashSet<u32>,
    /// Ids that were given back and have not been cleaned up yet.
    returned: Vec<u32>,
    /// Whether the cleanup is running.
    clearing: bool,
    /// How many ids have been tried. Continuing from there uses ids again as late as possible, which leaves time to clean up.
    given: u32,
}

/// A leased id. It is given back when this is dropped.
#[derive(Debug)]
pub struct User {
    id: u32,
    range: Arc<Range>,
}

impl Users {
    /// Leases the ids of a range, for processes whose folders are in `folder`. Ids under which an earlier run has left something are
    /// cleaned up first.
    ///
    /// # Errors
    /// [`LeaseError`]
    pub fn lease(ids: RangeInclusive<u32>, folder: &Path, janitor: &Janitor) -> Result<Self, LeaseError> {
        if let Some(obstacle) = obstacle(folder) {
            return Err(obstacle);
        }
        let locks = open_locks(Path::new(LOCKS)).or_else(|error| {
            tracing::warn!("{}", not_shared(&error));
            // Beside the folder, because the content of the folder is removed when the server starts.
            open_locks(&folder.with_extension("users"))
        });
        let locks = locks.map_err(LeaseError::Locks)?;
        let range = Arc::new(Range { ids, locks, janitor: janitor.clone(), state: Mutex::default(), freed: Notify::new() });
        range.take_left();
        Ok(Self(Some(range)))
    }

    /// The file whose locks reserve the ids, if there are any. The locks hold as long as any process has it open.
    #[must_use]
    pub fn reservations(&self) -> Option<BorrowedFd<'_>> {
        self.0.as_ref().map(|range| range.locks.as_fd())
    }

    /// Leases an id, for which it may have to wait until one is cleaned up; `Ok(None)` if there are no ids to lease.
    ///
    /// # Errors
    /// When all are in use.
    pub async fn take(&self) -> Result<Option<User>, &'static str> {
        let Some(range) = &self.0 else { return Ok(None) };
        let deadline = Instant::now() + PATIENCE;
        loop {
            let freed = range.freed.notified();
            if let Some(user) = range.take() {
                return Ok(Some(user));
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if !range.lock().clearing || tokio::time::timeout(left, freed).await.is_err() {
                return Err("all user ids of the range are in use");
            }
        }
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
    /// Leases an id that is free now.
    fn take(self: &Arc<Self>) -> Option<User> {
        let mut state = self.lock();
        let count = self.ids.end() - self.ids.start() + 1;
        for _ in 0..count {
            let id = self.ids.start() + state.given % count;
            state.given = state.given.wrapping_add(1);
            if state.used.contains(&id) || !locks::reserve(&self.locks, id) {
                continue;
            }
            state.used.insert(id);
            if self.is_marked(id) {
                // A server has ended without cleaning up this id.
                self.give_back(&mut state, id);
            } else if processes::has_processes(id) {
                // The processes belong to another program. They would be killed together with ours, and could do to ours what they like.
                // They may have gone when this id is tried again.
                if state.told.insert(id) {
                    tracing::warn!(id, "a user id of the range has processes that are somebody else's, and is not used");
                }
                state.used.remove(&id);
                locks::release(&self.locks, id);
            } else {
                self.mark(id, true);
                return Some(User { id, range: Arc::clone(self) });
            }
        }
        None
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reserves the ids under which something exists already. Ids that an earlier run has marked are cleaned up; the others are left alone.
    fn take_left(self: &Arc<Self>) {
        let mut left: Vec<u32> = leftovers::owners().into_iter().filter(|id| self.ids.contains(id)).collect();
        left.retain(|&id| locks::reserve(&self.locks, id));
        self.lock().used.extend(&left);
        let (ours, others): (Vec<u32>, Vec<u32>) = left.into_iter().partition(|&id| self.is_marked(id));
        if !others.is_empty() {
            tracing::warn!(ids = ?others, "user ids of the range that have files or processes already are not used");
        }
        if !ours.is_empty() {
            tracing::info!(ids = ours.len(), "what an earlier run has left under its user ids is removed");
            let mut state = self.lock();
            ours.into_iter().for_each(|id| self.give_back(&mut state, id));
        }
    }

    /// Marks for later servers whether things found under an id were left by a lease. The mark is the byte that is also locked.
    fn mark(&self, id: u32, left: bool) {
        if let Err(error) = self.locks.write_at(&[u8::from(left)], id.into()) {
            tracing::debug!(%error, "a user id could not be noted");
        }
    }

    fn is_marked(&self, id: u32) -> bool {
        let mut mark = [0];
        self.locks.read_at(&mut mark, id.into()).is_ok_and(|count| count == 1 && mark == [1])
    }

    /// Takes an id back, and starts the cleanup.
    fn give_back(self: &Arc<Self>, state: &mut State, id: u32) {
        state.returned.push(id);
        // Without a runtime, this server has ended, and the next one cleans up.
        if !state.clearing
            && let Ok(runtime) = tokio::runtime::Handle::try_current()
        {
            state.clearing = true;
            runtime.spawn(Arc::clone(self).clear());
        }
    }

    /// Cleans up the ids that were given back, and makes them free, until there are no more.
    async fn clear(self: Arc<Self>) {
        loop {
            let returned = {
                let mut state = self.lock();
                let returned = std::mem::take(&mut state.returned);
                state.clearing = !returned.is_empty();
                returned
            };
            if returned.is_empty() {
                return;
            }
            let begun = Instant::now();
            let cleared = self.janitor.clear(returned.clone()).await;
            let took = begun.elapsed();
            match cleared {
                Ok(()) => {
                    let mut state = self.lock();
                    for id in returned {
                        self.mark(id, false);
                        locks::release(&self.locks, id);
                        state.used.remove(&id);
                    }
                    self.freed.notify_waiters();
                }
                Err(error) => {
                    tracing::warn!(%error, "user ids stay in use");
                    self.lock().returned.extend(returned);
                }
            }
            // A cleanup that takes long or fails is repeated less often.
            tokio::time::sleep((took * RATIO).max(PAUSE)).await;
        }
    }
}

impl Drop for User {
    fn drop(&mut self) {
        let mut state = self.range.lock();
        self.range.give_back(&mut state, self.id);
    }
}

/// The reason why processes whose folders are in `folder` cannot have users of their own, if there is one.
#[must_use]
pub fn obstacle(folder: &Path) -> Option<LeaseError> {
    if !rustix::process::geteuid().is_root() {
        return Some(LeaseError::NotRoot);
    }
    let closed = folder.ancestors().find(|folder| !is_open_for_passing(folder))?;
    Some(LeaseError::Closed(closed.to_owned()))
}

/// The reason why other servers on this machine may lease the same ids, if there is one.
#[must_use]
pub fn conflict() -> Option<String> {
    open_locks(Path::new(LOCKS)).err().map(|error| not_shared(&error))
}

fn not_shared(error: &std::io::Error) -> String {
    format!("{LOCKS}: {error}: another server on this machine may give the same user ids to its processes, and end these with its own")
}

/// Whether every user can pass through a folder.
fn is_open_for_passing(folder: &Path) -> bool {
    folder.metadata().is_ok_and(|metadata| metadata.mode() & 0o001 != 0)
}
