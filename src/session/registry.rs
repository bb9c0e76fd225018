//! The table of sessions: those that are there, those that are being opened, and what is left of those that have ended.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard},
};

use uuid::Uuid;

use super::{
    allowance::{self, Allowance},
    handle::Session,
    queue::lock,
    terms::{Found, OpenError, Purpose},
    tombstone::{Cause, Tombstone},
};
use crate::config;

/// How many tombstones are kept.
const TOMBSTONES: usize = 10_000;

/// All sessions, by identity.
#[derive(Debug)]
pub(super) struct Registry {
    /// How many there may be, and of one user; 0 is no limit.
    max: usize,
    max_per_user: usize,
    table: Mutex<Table>,
}

#[derive(Debug, Default)]
struct Table {
    live: HashMap<Uuid, Arc<Session>>,
    /// Sessions that are being opened, by owner.
    opening: HashMap<String, usize>,
    /// Results of commands, until somebody fetches them.
    results: allowance::Users,
    /// Large answers that are on their way.
    unread: allowance::Users,
    dead: HashMap<Uuid, (String, Tombstone)>,
    /// The dead in the order in which they died.
    graves: VecDeque<Uuid>,
}

/// A place for a session that is being opened; free again when this goes.
pub(super) struct Place<'r> {
    registry: &'r Registry,
    /// `None` for a session that does not count.
    owner: Option<&'r str>,
}

impl Registry {
    /// None yet.
    pub(super) fn new(config: &config::Sessions) -> Self {
        Self { max: config.max, max_per_user: config.max_per_user, table: Mutex::default() }
    }

    /// Takes a place among the sessions, for as long as the answer lives.
    pub(super) fn reserve<'r>(&'r self, owner: &'r str, purpose: Purpose) -> Result<Place<'r>, OpenError> {
        if purpose == Purpose::Question {
            return Ok(Place { registry: self, owner: None });
        }
        let mut table = self.table();
        if self.max > 0 && table.taken() >= self.max {
            return Err(OpenError::TooMany(self.max));
        }
        let opening = table.opening.get(owner).copied().unwrap_or(0);
        let of_user = opening + table.live.values().filter(|session| session.counts() && session.owner == owner).count();
        if self.max_per_user > 0 && of_user >= self.max_per_user {
            let (user, limit) = (owner.to_owned(), self.max_per_user);
            return Err(if user.is_empty() { OpenError::TooManyOfNobody(limit) } else { OpenError::TooManyOfUser { user, limit } });
        }
        *table.opening.entry(owner.to_owned()).or_default() += 1;
        Ok(Place { registry: self, owner: Some(owner) })
    }

    /// What a session of an owner may keep of results, and of answers that nobody has read yet.
    pub(super) fn allowances(&self, owner: &str, config: &config::Sessions) -> [Allowance; 2] {
        self.table().allowances(owner, config)
    }

    /// How many more sessions there can be; `None` is no limit.
    pub(super) fn free(&self) -> Option<usize> {
        let taken = self.table().taken();
        Some(self.max).filter(|&max| max > 0).map(|max| max.saturating_sub(taken))
    }

    /// Finds a session that is there to be worked in, or what is left of it.
    pub(super) fn find(&self, id: Uuid) -> Option<Found> {
        let table = self.table();
        if let Some(session) = table.live.get(&id).filter(|session| session.purpose == Purpose::Work) {
            return Some(match session.tombstone() {
                None => Found::Live(Arc::clone(session)),
                Some(tombstone) => Found::Dead { owner: session.owner.clone(), tombstone: tombstone.clone() },
            });
        }
        let (owner, tombstone) = table.dead.get(&id)?.clone();
        Some(Found::Dead { owner, tombstone })
    }

    /// The live sessions of which something is so.
    pub(super) fn all(&self, which: impl Fn(&Session) -> bool) -> Vec<Arc<Session>> {
        self.table().live.values().filter(|session| which(session)).cloned().collect()
    }

    /// Takes out a session that is closed by its owner: nothing is left of it.
    pub(super) fn forget(&self, session: &Session) {
        self.table().take(session);
    }

    /// Takes out the sessions of which something is so, likewise.
    pub(super) fn forget_all(&self, which: impl Fn(&Session) -> bool) -> Vec<Arc<Session>> {
        self.table().live.extract_if(|_, session| which(session)).map(|(_, session)| session).collect()
    }

    /// Takes out a session that has ended, and keeps how.
    pub(super) fn ended(&self, session: &Session) {
        let mut table = self.table();
        if !table.take(session) {
            return;
        }
        let Some(tombstone) = session.tombstone().cloned() else { return };
        tracing::warn!(session.id = %session.id, user.name = session.owner, cause = %tombstone.cause, "session ended");
        table.bury(session, tombstone);
    }

    /// Closes a session, if it is still there; whoever asks for it is told why.
    pub(super) fn end(&self, session: &Session, cause: Cause) {
        let mut table = self.table();
        if table.take(session) {
            let tombstone = session.close_because(cause);
            table.bury(session, tombstone);
        }
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        lock(&self.table)
    }
}

impl Table {
    /// What a session may keep of results, and of answers that nobody has read yet: as much as it may have in memory and
    /// keep as results.
    fn allowances(&mut self, owner: &str, config: &config::Sessions) -> [Allowance; 2] {
        let mebibytes = |mib: u64| usize::try_from(mib).unwrap_or(usize::MAX).saturating_mul(1 << 20);
        let results = mebibytes(config.results_mib);
        let unread = if results == 0 || config.memory_mib == 0 { 0 } else { results.saturating_add(mebibytes(config.memory_mib)) };
        let unread_of_user = unread.saturating_mul(config.max_per_user);
        [
            Allowance::new(results, self.results.of(owner, mebibytes(config.results_per_user_mib))),
            Allowance::new(unread, self.unread.of(owner, unread_of_user)),
        ]
    }

    /// How many sessions there are that count, those that are being opened included.
    fn taken(&self) -> usize {
        self.live.values().filter(|session| session.counts()).count() + self.opening.values().sum::<usize>()
    }

    /// Takes a session out; false when it is not there. Another may have its identity by now.
    fn take(&mut self, session: &Session) -> bool {
        let is_there = self.live.get(&session.id).is_some_and(|live| std::ptr::eq(Arc::as_ptr(live), session));
        is_there && self.live.remove(&session.id).is_some()
    }

    /// One session of `owner` is no longer being opened.
    fn opened(&mut self, owner: &str) {
        if let Some(count) = self.opening.get_mut(owner) {
            *count -= 1;
            if *count == 0 {
                self.opening.remove(owner);
            }
        }
    }

    fn bury(&mut self, session: &Session, tombstone: Tombstone) {
        if session.purpose != Purpose::Work {
            return;
        }
        self.dead.insert(session.id, (session.owner.clone(), tombstone));
        self.graves.push_back(session.id);
        if self.graves.len() > TOMBSTONES
            && let Some(oldest) = self.graves.pop_front()
        {
            self.dead.remove(&oldest);
        }
    }
}

impl Place<'_> {
    /// Gives the place to the session.
    pub(super) fn fill(self, session: &Arc<Session>) {
        // An earlier one of the same identity, if it is still there, has been saved.
        let replaced = self.registry.table().live.insert(session.id, Arc::clone(session));
        replaced.iter().for_each(|session| session.close());
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        if let Some(owner) = self.owner {
            self.registry.table().opened(owner);
        }
    }
}
