//! The table of sessions: live ones, those that are being opened, and the tombstones of those that have ended.

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

/// How many ended sessions are remembered: those that were closed, and those that have ended otherwise.
const REMEMBERED: usize = 10_000;

/// All sessions, by identity.
#[derive(Debug)]
pub(super) struct Registry {
    /// The most sessions that there may be, in all and of one user; 0 is no limit.
    max: usize,
    max_per_user: usize,
    table: Mutex<Table>,
}

#[derive(Debug, Default)]
struct Table {
    live: HashMap<Uuid, Arc<Session>>,
    /// The number of sessions that are being opened, by owner.
    opening: HashMap<String, usize>,
    /// The memory for results that somebody will fetch later.
    results: allowance::UserBudgets,
    /// The memory for large answers that are on their way.
    unread: allowance::UserBudgets,
    /// Sessions that have ended by themselves: their owners, and what is known of the end.
    dead: Ended<(String, Tombstone)>,
    /// Sessions that their owners have closed: their owners.
    closed: Ended<String>,
}

/// What is remembered of the last sessions that have ended.
#[derive(Debug)]
struct Ended<T> {
    known: HashMap<Uuid, T>,
    /// In the order in which they ended.
    order: VecDeque<Uuid>,
}

impl<T> Default for Ended<T> {
    fn default() -> Self {
        Self { known: HashMap::new(), order: VecDeque::new() }
    }
}

impl<T> Ended<T> {
    /// Remembers a session, and forgets the oldest where there are too many.
    fn insert(&mut self, session: Uuid, known: T) {
        if self.known.insert(session, known).is_none() {
            self.order.push_back(session);
        }
        if self.order.len() > REMEMBERED
            && let Some(oldest) = self.order.pop_front()
        {
            self.known.remove(&oldest);
        }
    }
}

/// A place for a session that is being opened. It is free again when this is dropped.
pub(super) struct Reservation<'r> {
    registry: &'r Registry,
    /// `None` for a session that does not count to the limits.
    owner: Option<&'r str>,
}

impl Registry {
    /// A table without sessions.
    pub(super) fn new(config: &config::SessionSettings) -> Self {
        Self { max: config.max, max_per_user: config.max_per_user, table: Mutex::default() }
    }

    /// Takes a place for a session, which is kept as long as the result lives. Sessions that were prepared ahead of their runs count for those
    /// of their kind only: where there is no place left for another, one of them gives way, but not `prepared`, which the new one takes over.
    pub(super) fn reserve<'r>(&'r self, owner: &'r str, purpose: Purpose, prepared: Option<Uuid>) -> Result<Reservation<'r>, OpenError> {
        if purpose == Purpose::Question {
            return Ok(Reservation { registry: self, owner: None });
        }
        let mut table = self.table();
        let is_ahead = purpose == Purpose::Ahead;
        let (ahead, ahead_of_user) = (table.ahead(None, prepared).count(), table.ahead(Some(owner), prepared).count());
        let taken = table.taken();
        if self.max > 0 && taken + if is_ahead { ahead } else { 0 } >= self.max {
            return Err(OpenError::TooMany(self.max));
        }
        let opening = table.opening.get(owner).copied().unwrap_or(0);
        let of_user = opening + table.live.values().filter(|session| session.counts() && session.owner == owner).count();
        if self.max_per_user > 0 && of_user + if is_ahead { ahead_of_user } else { 0 } >= self.max_per_user {
            let (user, limit) = (owner.to_owned(), self.max_per_user);
            return Err(if user.is_empty() { OpenError::TooManyOfNobody(limit) } else { OpenError::TooManyOfUser { user, limit } });
        }
        if is_ahead {
            return Ok(Reservation { registry: self, owner: None });
        }
        if self.max_per_user > 0 && of_user + ahead_of_user >= self.max_per_user {
            table.give_up_oldest(Some(owner), prepared);
        } else if self.max > 0 && taken + ahead >= self.max {
            table.give_up_oldest(None, prepared);
        }
        *table.opening.entry(owner.to_owned()).or_default() += 1;
        Ok(Reservation { registry: self, owner: Some(owner) })
    }

    /// A session's allowances for results that are kept, and for answers that nobody has read yet.
    pub(super) fn allowances(&self, owner: &str, config: &config::SessionSettings) -> [Allowance; 2] {
        self.table().allowances(owner, config)
    }

    /// How many more sessions can be opened; `None` is no limit.
    pub(super) fn free(&self) -> Option<usize> {
        let taken = self.table().taken();
        Some(self.max).filter(|&max| max > 0).map(|max| max.saturating_sub(taken))
    }

    /// Finds a session that users can work in, or what is known of one that has ended.
    pub(super) fn find(&self, id: Uuid) -> Option<Found> {
        let table = self.table();
        if let Some(session) = table.live.get(&id).filter(|session| session.purpose == Purpose::Work) {
            return Some(match session.tombstone() {
                None => Found::Live(Arc::clone(session)),
                Some(tombstone) => Found::Dead { owner: session.owner.clone(), tombstone: tombstone.clone() },
            });
        }
        if let Some((owner, tombstone)) = table.dead.known.get(&id).cloned() {
            return Some(Found::Dead { owner, tombstone });
        }
        table.closed.known.get(&id).cloned().map(|owner| Found::Closed { owner })
    }

    /// The live sessions that `which` selects.
    pub(super) fn all(&self, which: impl Fn(&Session) -> bool) -> Vec<Arc<Session>> {
        self.table().live.values().filter(|session| which(session)).cloned().collect()
    }

    /// Removes a session that its owner closes. It gets no tombstone.
    pub(super) fn forget(&self, session: &Session) {
        let mut table = self.table();
        if table.take(session) {
            table.close(session);
        }
    }

    /// Removes the sessions that `which` selects, without tombstones.
    pub(super) fn forget_all(&self, which: impl Fn(&Session) -> bool) -> Vec<Arc<Session>> {
        let mut table = self.table();
        let sessions: Vec<_> = table.live.extract_if(|_, session| which(session)).map(|(_, session)| session).collect();
        sessions.iter().for_each(|session| table.close(session));
        sessions
    }

    /// Removes a session that has ended, and keeps its tombstone.
    pub(super) fn ended(&self, session: &Session) {
        let mut table = self.table();
        if !table.take(session) {
            return;
        }
        let Some(tombstone) = session.tombstone().cloned() else { return };
        tracing::warn!(session.id = %session.id, user.name = session.owner, cause = %tombstone.cause, "session ended");
        table.bury(session, tombstone);
    }

    /// Closes a session, if it is still there. Callers that ask for it are told why.
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
    /// A session's allowances for results that are kept, and for unread answers. The latter is the session's limit on memory plus that on
    /// results.
    fn allowances(&mut self, owner: &str, config: &config::SessionSettings) -> [Allowance; 2] {
        let mebibytes = |mib: u64| usize::try_from(mib).unwrap_or(usize::MAX).saturating_mul(1 << 20);
        let results = mebibytes(config.results_mib);
        let unread = if results == 0 || config.memory_mib == 0 { 0 } else { results.saturating_add(mebibytes(config.memory_mib)) };
        let unread_of_user = unread.saturating_mul(config.max_per_user);
        [
            Allowance::new(results, self.results.of(owner, mebibytes(config.results_per_user_mib))),
            Allowance::new(unread, self.unread.of(owner, unread_of_user)),
        ]
    }

    /// The sessions that were prepared ahead of their runs, of one owner or of all, without one of them.
    fn ahead(&self, owner: Option<&str>, but: Option<Uuid>) -> impl Iterator<Item = &Arc<Session>> {
        let is_of = move |session: &Session| owner.is_none_or(|owner| session.owner == owner) && Some(session.id) != but;
        self.live.values().filter(move |session| session.purpose == Purpose::Ahead && is_of(session))
    }

    fn give_up_oldest(&mut self, owner: Option<&str>, but: Option<Uuid>) {
        if let Some(oldest) = self.ahead(owner, but).min_by_key(|session| session.created).cloned() {
            self.take(&oldest);
            oldest.close();
        }
    }

    /// How many sessions count to the limits, including those that are being opened.
    fn taken(&self) -> usize {
        self.live.values().filter(|session| session.counts()).count() + self.opening.values().sum::<usize>()
    }

    /// Removes a session; false when it is not there. Another session may have its identity by now.
    fn take(&mut self, session: &Session) -> bool {
        let is_there = self.live.get(&session.id).is_some_and(|live| std::ptr::eq(Arc::as_ptr(live), session));
        is_there && self.live.remove(&session.id).is_some()
    }

    /// Notes that one session of `owner` is no longer being opened.
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
    }

    /// Remembers that a session was closed.
    fn close(&mut self, session: &Session) {
        if session.purpose == Purpose::Work {
            self.closed.insert(session.id, session.owner.clone());
        }
    }
}

impl Reservation<'_> {
    /// Puts the opened session in this place.
    pub(super) fn fill(self, session: &Arc<Session>) {
        // If an earlier session with the same identity is still there, it has been saved.
        let replaced = self.registry.table().live.insert(session.id, Arc::clone(session));
        replaced.iter().for_each(|session| session.close());
    }
}

impl Drop for Reservation<'_> {
    fn drop(&mut self) {
        if let Some(owner) = self.owner {
            self.registry.table().opened(owner);
        }
    }
}
