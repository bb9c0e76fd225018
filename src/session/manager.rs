//! All sessions: opened, found, closed.

use std::{
    collections::{HashMap, VecDeque},
    path::Path,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tokio_util::{sync::CancellationToken, task::TaskTracker};
use uuid::Uuid;

use super::{
    allowance::{self, Allowance},
    handle::Session,
    pool::Pool,
    setup::{clear, janitor_program, limits, users, warn_of_another_r},
    terms::{Boundary, Found, LookupError, OpenError, Opening, Purpose},
    tombstone::{Cause, Tombstone},
    watch,
    worker::Nursery,
    zygote::Zygote,
};
use crate::{
    config,
    system::{cgroup::Delegated, janitor::Janitor, users::Users},
};

/// How many tombstones are kept.
const TOMBSTONES: usize = 10_000;

/// All sessions; cheap to clone.
#[derive(Debug, Clone)]
pub struct Sessions(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    config: config::Sessions,
    zygote: Zygote,
    janitor: Janitor,
    pool: Arc<Pool>,
    table: Mutex<Table>,
    tasks: TaskTracker,
    stopping: CancellationToken,
    /// Held while R is stopped or started.
    switch: tokio::sync::Mutex<()>,
    halted: AtomicBool,
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

impl Sessions {
    /// Starts R and the pool. Sessions have their folders in `folder`.
    ///
    /// # Errors
    /// Why R did not start.
    pub async fn start(config: config::Sessions, r: config::R, folder: &Path) -> Result<Self, String> {
        // Before there are other processes, which would not move with this one.
        let groups = Delegated::take();
        let janitor = Janitor::start(janitor_program(&r));
        clear(folder, &janitor)?;
        let users = users(&config, folder, &janitor)?;
        if let Some(groups) = &groups {
            let (memory, processes) = (groups.limits_memory(), groups.limits_processes());
            tracing::info!(memory, processes, "sessions have control groups of their own");
        }
        let zygote = Zygote::start(r, users.clone(), folder).await?;
        warn_of_another_r(zygote.r_version());
        let nursery = Nursery { zygote: zygote.clone(), folder: folder.to_owned(), users, groups, janitor: janitor.clone() };
        let pool = Pool::new(nursery, limits(&config), config.pool);
        let inner = Inner {
            config,
            zygote,
            janitor,
            pool,
            table: Mutex::default(),
            tasks: TaskTracker::new(),
            stopping: CancellationToken::new(),
            switch: tokio::sync::Mutex::default(),
            halted: AtomicBool::new(false),
        };
        let sessions = Self(Arc::new(inner));
        tokio::spawn(watch::run(sessions.clone()));
        Ok(sessions)
    }

    /// Waits until the server stops.
    pub(super) async fn stopped(&self) {
        self.0.stopping.cancelled().await;
    }

    /// Opens a session.
    ///
    /// # Errors
    /// [`OpenError`]
    pub async fn open(&self, opening: Opening<'_>) -> Result<Arc<Session>, OpenError> {
        let Opening { owner, id, purpose, boundary, idle_seconds, operation_seconds, .. } = opening;
        let place = self.reserve(owner, purpose)?;
        let mut config = self.0.config.clone();
        if let Some(Boundary { cpu_seconds, memory_mib }) = boundary {
            config.cpu_seconds = cpu_seconds.unwrap_or(config.cpu_seconds);
            config.memory_mib = memory_mib.unwrap_or(config.memory_mib);
        }
        config.operation_seconds = operation_seconds.unwrap_or(config.operation_seconds);
        config.idle_seconds = idle_seconds.unwrap_or(config.idle_seconds);
        let limits = limits(&config);
        let worker = self.0.pool.take(&limits).await.map_err(OpenError::NoWorker)?;
        let id = id.unwrap_or_else(Uuid::new_v4);
        let kept = self.table().kept(owner, &config);
        let (session, task) = Session::start(id, &opening, worker, limits, &config, kept);
        place.fill(&session);
        let (sessions, ended) = (self.clone(), Arc::clone(&session));
        self.0.tasks.spawn(async move {
            task.await;
            sessions.remove(&ended);
        });
        if self.0.stopping.is_cancelled() || self.0.halted.load(Ordering::Acquire) {
            session.close();
        }
        metrics::counter!("offshoot_sessions_opened_total").increment(1);
        tracing::info!(session.id = %id, user.name = owner, pid = session.pid, "session opened");
        Ok(session)
    }

    /// Finds a session of `owner`, and marks it as used.
    ///
    /// # Errors
    /// [`LookupError`]
    pub fn get(&self, id: Uuid, owner: &str) -> Result<Arc<Session>, LookupError> {
        match self.find(id) {
            Some(Found::Live(session)) if session.owner == owner => {
                session.touch();
                Ok(session)
            }
            Some(Found::Dead { owner: of, tombstone }) if of == owner => Err(LookupError::Dead(tombstone)),
            _ => Err(LookupError::Unknown),
        }
    }

    /// Finds a session, or what is left of it, whoever owns it.
    #[must_use]
    pub fn find(&self, id: Uuid) -> Option<Found> {
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

    /// Closes a session: it is gone for callers at once, while R ends in its own time.
    pub fn close(&self, session: &Session) {
        self.table().take(session);
        session.close();
    }

    /// Closes a session in somebody else's name: its owner is told when asking for it.
    pub fn close_as(&self, session: &Session, name: &str) {
        self.end(session, Cause::Closed(name.to_owned()));
    }

    /// Closes all sessions of a login.
    pub fn close_login(&self, login: Uuid) {
        let ended: Vec<_> = self.table().live.extract_if(|_, session| session.login == Some(login)).collect();
        for (_, session) in ended {
            session.close();
        }
    }

    /// All live sessions that are there to be worked in.
    #[must_use]
    pub fn list(&self) -> Vec<Arc<Session>> {
        self.table().live.values().filter(|session| session.purpose == Purpose::Work).cloned().collect()
    }

    /// All live sessions, whatever they are for.
    #[must_use]
    pub fn all(&self) -> Vec<Arc<Session>> {
        self.table().live.values().cloned().collect()
    }

    /// How many workers are ready for the next sessions.
    #[must_use]
    pub fn ready(&self) -> usize {
        self.0.pool.ready()
    }

    /// How many more sessions there can be; `None` is no limit.
    #[must_use]
    pub fn free(&self) -> Option<usize> {
        let taken = self.table().taken();
        Some(self.0.config.max).filter(|&max| max > 0).map(|max| max.saturating_sub(taken))
    }

    /// The process id of the zygote; 0 while there is none that forks.
    #[must_use]
    pub fn zygote_pid(&self) -> i32 {
        self.0.zygote.pid()
    }

    /// The user ids of which each session has one.
    #[must_use]
    pub fn users(&self) -> Users {
        self.0.pool.users().clone()
    }

    /// Removes what sessions leave.
    #[must_use]
    pub fn janitor(&self) -> &Janitor {
        &self.0.janitor
    }

    /// R's version.
    #[must_use]
    pub fn r_version(&self) -> &str {
        self.0.zygote.r_version()
    }

    /// Whether R runs, so that sessions can be opened.
    #[must_use]
    pub fn is_running(&self) -> bool {
        !self.0.halted.load(Ordering::Acquire) && self.zygote_pid() != 0
    }

    /// Whether the zygote does something within this time.
    pub async fn zygote_answers_within(&self, patience: Duration) -> bool {
        self.0.zygote.answers_within(patience).await
    }

    /// Whether a session can be opened: there is a worker, or one can be made.
    ///
    /// # Errors
    /// Why not.
    pub async fn check(&self) -> Result<(), String> {
        if self.0.halted.load(Ordering::Acquire) {
            return Err(OpenError::Stopped.to_string());
        }
        self.0.pool.probe().await
    }

    /// Closes all sessions and stops R, until it is [resumed](Self::resume). `patience` is what R gets to stop.
    pub async fn halt(&self, patience: Duration) {
        let _switch = self.0.switch.lock().await;
        if self.0.halted.swap(true, Ordering::AcqRel) {
            return;
        }
        tracing::info!("R is stopped");
        self.end_all(self.0.pool.pause(), patience).await;
        self.0.zygote.halt().await;
    }

    /// Starts R again after [`Self::halt`]; while it runs, does nothing.
    ///
    /// # Errors
    /// Why R did not start.
    pub async fn resume(&self) -> Result<(), String> {
        let _switch = self.0.switch.lock().await;
        if !self.0.halted.load(Ordering::Acquire) {
            return Ok(());
        }
        self.0.zygote.resume().await?;
        if self.0.stopping.is_cancelled() {
            return Err(OpenError::Stopping.to_string());
        }
        self.0.tasks.reopen();
        self.0.halted.store(false, Ordering::Release);
        self.0.pool.resume();
        tracing::info!("R is started again");
        Ok(())
    }

    /// Closes everything: sessions, pool, zygote. `patience` is what R gets to stop.
    pub async fn stop(&self, patience: Duration) {
        self.0.stopping.cancel();
        self.end_all(self.0.pool.close(), patience).await;
        self.0.zygote.end().await;
    }

    /// Closes all sessions and waits for their ends, and for that of the pool.
    async fn end_all(&self, pool: impl Future<Output = ()>, patience: Duration) {
        for session in self.all() {
            self.end(&session, Cause::Stopped);
        }
        self.0.tasks.close();
        let orderly = async {
            pool.await;
            self.0.tasks.wait().await;
        };
        if tokio::time::timeout(patience, orderly).await.is_err() {
            tracing::warn!("some sessions did not end in time, and are killed");
        }
    }

    /// Takes a place among the sessions, for as long as the answer lives.
    fn reserve<'s>(&'s self, owner: &'s str, purpose: Purpose) -> Result<Place<'s>, OpenError> {
        if self.0.stopping.is_cancelled() {
            return Err(OpenError::Stopping);
        }
        if self.0.halted.load(Ordering::Acquire) {
            return Err(OpenError::Stopped);
        }
        if purpose == Purpose::Question {
            return Ok(Place { sessions: self, owner: None });
        }
        let config = &self.0.config;
        let mut table = self.table();
        if config.max > 0 && table.taken() >= config.max {
            return Err(OpenError::TooMany(config.max));
        }
        let opening = table.opening.get(owner).copied().unwrap_or(0);
        let of_user = opening + table.live.values().filter(|session| session.counts() && session.owner == owner).count();
        if config.max_per_user > 0 && of_user >= config.max_per_user {
            let (user, limit) = (owner.to_owned(), config.max_per_user);
            return Err(if user.is_empty() { OpenError::TooManyOfNobody(limit) } else { OpenError::TooManyOfUser { user, limit } });
        }
        *table.opening.entry(owner.to_owned()).or_default() += 1;
        Ok(Place { sessions: self, owner: Some(owner) })
    }

    fn remove(&self, session: &Session) {
        let mut table = self.table();
        if !table.take(session) {
            return;
        }
        let Some(tombstone) = session.tombstone().cloned() else { return };
        tracing::warn!(session.id = %session.id, user.name = session.owner, cause = %tombstone.cause, "session ended");
        table.bury(session, tombstone);
    }

    /// Closes a session; whoever asks for it is told why.
    fn end(&self, session: &Session, cause: Cause) {
        let mut table = self.table();
        if table.take(session) {
            let tombstone = session.close_because(cause);
            table.bury(session, tombstone);
        }
    }

    /// Ends a session that has more than it may: at once, without asking it.
    pub(super) fn condemn(&self, session: &Session, cause: Cause) {
        session.condemn();
        self.end(session, cause);
    }

    /// Sessions that nobody has used for as long as the configuration allows. A busy one is in use.
    #[must_use]
    pub fn idle(&self) -> Vec<Arc<Session>> {
        self.table().live.values().filter(|session| session.is_expired()).cloned().collect()
    }

    /// Closes a session that was idle for too long; its owner is told when asking for it.
    pub fn expire(&self, session: &Session) {
        self.end(session, Cause::Idle(session.idle_seconds));
    }

    fn table(&self) -> std::sync::MutexGuard<'_, Table> {
        self.0.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Table {
    /// What a session may keep of results, and of answers that nobody has read yet: as much as it may have in memory and
    /// keep as results.
    fn kept(&mut self, owner: &str, config: &config::Sessions) -> [Allowance; 2] {
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

/// A place taken by a session that is being opened.
struct Place<'s> {
    sessions: &'s Sessions,
    /// `None` for a session that does not count.
    owner: Option<&'s str>,
}

impl Place<'_> {
    /// Gives the place to the session.
    fn fill(self, session: &Arc<Session>) {
        // An earlier one of the same identity, if it is still there, has been saved.
        let replaced = self.sessions.table().live.insert(session.id, Arc::clone(session));
        replaced.iter().for_each(|session| session.close());
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        if let Some(owner) = self.owner {
            self.sessions.table().opened(owner);
        }
    }
}
