//! Opens, finds and closes sessions.

use std::{
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tokio_util::{sync::CancellationToken, task::TaskTracker};
use uuid::Uuid;

use super::{
    failure::StartError,
    handle::Session,
    host::{Host, Terms},
    pool::Pool,
    registry::{Registry, Reservation},
    setup::{clear, janitor_program, limits, sandbox, users, warn_of_another_r},
    terms::{Found, LimitOverrides, LookupError, OpenError, Opening, Purpose},
    tombstone::Cause,
    watch,
    worker::{Worker, WorkerFactory},
    zygote::Zygote,
};
use crate::{
    config::{self, NetworkMode},
    link::messages::{Limits, Walls},
    system::{cgroup::Delegated, janitor::Janitor, users::Users},
};

/// All sessions; cheap to clone.
#[derive(Debug, Clone)]
pub struct Sessions(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    config: config::SessionSettings,
    zygote: Zygote,
    janitor: Janitor,
    pool: Arc<Pool>,
    registry: Registry,
    tasks: TaskTracker,
    stopping: CancellationToken,
    /// Locked while R is stopped or started.
    switch: tokio::sync::Mutex<()>,
    halted: AtomicBool,
}

impl Sessions {
    /// Starts R and the pool. Sessions have their folders in `folder`, and do not reach the `hidden` places.
    ///
    /// # Errors
    /// Why R did not start.
    pub async fn start(
        config: config::SessionSettings,
        r: config::RSettings,
        folder: &Path,
        hidden: Vec<PathBuf>,
    ) -> Result<Self, StartError> {
        // Before there are other processes, because these would not move to the new group with this one.
        let groups = Delegated::take();
        let janitor = Janitor::start(janitor_program(&r));
        clear(folder, &janitor)?;
        let users = users(&config, folder, &janitor)?;
        if let Some(groups) = &groups {
            let (memory, processes) = (groups.limits_memory(), groups.limits_processes());
            tracing::info!(memory, processes, "sessions have control groups of their own");
        }
        let zygote = Zygote::start(r, sandbox(&config, hidden), users.clone(), folder).await?;
        warn_of_another_r(zygote.r_version());
        let factory = WorkerFactory { zygote: zygote.clone(), folder: folder.to_owned(), users, groups, janitor: janitor.clone() };
        if config.network == NetworkMode::Outbound {
            // Whether there can be such sessions is seen by one.
            factory.worker(&limits(&config), None).await.map_err(StartError::Network)?.bury().await;
        }
        let pool = Pool::new(factory, limits(&config), config.pool);
        let inner = Inner {
            registry: Registry::new(&config),
            config,
            zygote,
            janitor,
            pool,
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
        let place = self.place(&opening, None)?;
        let terms = self.terms(&opening);
        let worker = self.0.pool.take(&terms.1, opening.run_as).await.map_err(OpenError::NoWorker)?;
        Ok(self.begin(&opening, place, terms, worker))
    }

    /// Opens a session whose R is interactive. It ends with the connection to it.
    ///
    /// # Errors
    /// [`OpenError`]
    pub async fn open_prompt(&self, opening: Opening<'_>, terms: Terms) -> Result<Host, OpenError> {
        let session = self.open(Opening { purpose: Purpose::Prompt, ..opening }).await?;
        session.host(terms).map_err(|_| OpenError::Stopping)
    }

    /// Opens a session that takes over one that was prepared for it; `None` if that one has ended, or has other limits.
    ///
    /// # Errors
    /// [`OpenError`]
    pub async fn take_over(&self, opening: Opening<'_>, prepared: &Session) -> Result<Option<Arc<Session>>, OpenError> {
        let place = self.place(&opening, Some(prepared.id))?;
        let terms = self.terms(&opening);
        if terms.1 != prepared.limits {
            return Ok(None);
        }
        match prepared.pass_on().await {
            Some(worker) if worker.is_alive() => Ok(Some(self.begin(&opening, place, terms, worker))),
            Some(dead) => {
                tokio::spawn(dead.bury());
                Ok(None)
            }
            None => Ok(None),
        }
    }

    /// A place for a session that is to be opened.
    fn place<'r>(&'r self, opening: &Opening<'r>, prepared: Option<Uuid>) -> Result<Reservation<'r>, OpenError> {
        if self.0.stopping.is_cancelled() {
            return Err(OpenError::Stopping);
        }
        if self.0.halted.load(Ordering::Acquire) {
            return Err(OpenError::Stopped);
        }
        self.0.registry.reserve(opening.owner, opening.purpose, prepared)
    }

    /// The settings and the limits of a session that is to be opened.
    fn terms(&self, opening: &Opening<'_>) -> (config::SessionSettings, Limits) {
        let mut config = self.0.config.clone();
        let Opening { boundary, idle_seconds, operation_seconds, .. } = *opening;
        if let Some(LimitOverrides { cpu_seconds, memory_mib, network }) = boundary {
            config.cpu_seconds = cpu_seconds.unwrap_or(config.cpu_seconds);
            config.memory_mib = memory_mib.unwrap_or(config.memory_mib);
            config.network = network.unwrap_or(config.network);
        }
        config.operation_seconds = operation_seconds.unwrap_or(config.operation_seconds);
        config.idle_seconds = idle_seconds.unwrap_or(config.idle_seconds);
        let limits = limits(&config);
        (config, limits)
    }

    /// Begins a session with this worker.
    fn begin(
        &self,
        opening: &Opening<'_>,
        place: Reservation<'_>,
        (config, limits): (config::SessionSettings, Limits),
        worker: Worker,
    ) -> Arc<Session> {
        let Opening { owner, purpose, .. } = *opening;
        let id = opening.id.unwrap_or_else(Uuid::new_v4);
        let allowances = self.0.registry.allowances(owner, &config);
        let (session, task) = Session::start(id, opening, worker, limits, &config, allowances);
        place.fill(&session);
        let (sessions, ended) = (self.clone(), Arc::clone(&session));
        self.0.tasks.spawn(async move {
            task.await;
            sessions.0.registry.ended(&ended);
        });
        if self.0.stopping.is_cancelled() || self.0.halted.load(Ordering::Acquire) {
            session.close();
        }
        if purpose != Purpose::Ahead {
            metrics::counter!("offshoot_sessions_opened_total").increment(1);
            tracing::info!(session.id = %id, user.name = owner, pid = session.pid, "session opened");
        }
        session
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

    /// Finds a session, or what is known of one that has ended, of any owner.
    #[must_use]
    pub fn find(&self, id: Uuid) -> Option<Found> {
        self.0.registry.find(id)
    }

    /// Closes a session. For callers it is gone at once, while R takes its time to end.
    pub fn close(&self, session: &Session) {
        self.0.registry.forget(session);
        session.close();
    }

    /// Closes a session on behalf of somebody else than its owner, who is told when asking for it.
    pub fn close_as(&self, session: &Session, name: &str) {
        self.0.registry.end(session, Cause::Closed(name.to_owned()));
    }

    /// Closes a session at once, without asking R.
    pub fn kill(&self, session: &Session) {
        session.condemn();
        self.close(session);
    }

    /// The same on behalf of somebody else than its owner, who is told when asking for it.
    pub fn kill_as(&self, session: &Session, name: &str) {
        self.condemn(session, Cause::Closed(name.to_owned()));
    }

    /// Closes all sessions of a login but those in `kept`.
    pub fn close_login(&self, login: Uuid, kept: &[Uuid]) {
        let ends = |session: &Session| session.login == Some(login) && !kept.contains(&session.id);
        self.0.registry.forget_all(ends).iter().for_each(|session| session.close());
    }

    /// All live sessions that users can work in.
    #[must_use]
    pub fn list(&self) -> Vec<Arc<Session>> {
        self.0.registry.all(|session| session.purpose == Purpose::Work)
    }

    /// All live sessions, for whatever purpose.
    #[must_use]
    pub fn all(&self) -> Vec<Arc<Session>> {
        self.0.registry.all(|_| true)
    }

    /// How many workers are ready for the next sessions.
    #[must_use]
    pub fn ready(&self) -> usize {
        self.0.pool.ready()
    }

    /// How many more sessions can be opened; `None` is no limit.
    #[must_use]
    pub fn free(&self) -> Option<usize> {
        self.0.registry.free()
    }

    /// The process id of the zygote; 0 while none can fork.
    #[must_use]
    pub fn zygote_pid(&self) -> i32 {
        self.0.zygote.pid()
    }

    /// The user ids for sessions, each of which gets one.
    #[must_use]
    pub fn users(&self) -> Users {
        self.0.pool.users().clone()
    }

    /// The janitor, which removes the files and processes that sessions leave.
    #[must_use]
    pub fn janitor(&self) -> &Janitor {
        &self.0.janitor
    }

    /// The walls around sessions.
    #[must_use]
    pub fn walls(&self) -> &Walls {
        self.0.zygote.walls()
    }

    /// R's version.
    #[must_use]
    pub fn r_version(&self) -> &str {
        self.0.zygote.r_version()
    }

    /// Whether R is running, so that sessions can be opened.
    #[must_use]
    pub fn is_running(&self) -> bool {
        !self.0.halted.load(Ordering::Acquire) && self.zygote_pid() != 0
    }

    /// Whether the zygote answers within this time.
    pub async fn zygote_answers_within(&self, patience: Duration) -> bool {
        self.0.zygote.answers_within(patience).await
    }

    /// Checks that a session can be opened: a worker is ready, or can be made.
    ///
    /// # Errors
    /// Why none can be opened.
    pub async fn check(&self) -> Result<(), OpenError> {
        if self.0.halted.load(Ordering::Acquire) {
            return Err(OpenError::Stopped);
        }
        self.0.pool.probe().await.map_err(OpenError::NoWorker)
    }

    /// Closes all sessions and stops R, until it is [started again](Self::start_r). R may take `patience` to stop.
    pub async fn stop_r(&self, patience: Duration) {
        let _switch = self.0.switch.lock().await;
        if self.0.halted.swap(true, Ordering::AcqRel) {
            return;
        }
        tracing::info!("R is stopped");
        self.end_all(self.0.pool.pause(), patience).await;
        self.0.zygote.halt().await;
    }

    /// Starts R again after [`Self::stop_r`]; does nothing if R is running.
    ///
    /// # Errors
    /// Why R did not start.
    pub async fn start_r(&self) -> Result<(), StartError> {
        let _switch = self.0.switch.lock().await;
        if !self.0.halted.load(Ordering::Acquire) {
            return Ok(());
        }
        self.0.zygote.start_again().await?;
        if self.0.stopping.is_cancelled() {
            return Err(StartError::Stopping);
        }
        self.0.tasks.reopen();
        self.0.halted.store(false, Ordering::Release);
        self.0.pool.resume();
        tracing::info!("R is started again");
        Ok(())
    }

    /// Closes everything: sessions, pool, zygote. R may take `patience` to stop.
    pub async fn stop(&self, patience: Duration) {
        self.0.stopping.cancel();
        self.end_all(self.0.pool.close(), patience).await;
        self.0.zygote.end().await;
    }

    /// Closes all sessions, and waits until they and the pool have ended.
    async fn end_all(&self, pool: impl Future<Output = ()>, patience: Duration) {
        for session in self.all() {
            self.0.registry.end(&session, Cause::Stopped);
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

    /// Ends a session that has exceeded a limit: at once, without asking R.
    pub(super) fn condemn(&self, session: &Session, cause: Cause) {
        session.condemn();
        self.0.registry.end(session, cause);
    }

    /// Sessions that have not been used for as long as the configuration allows. A busy session is in use.
    #[must_use]
    pub fn idle(&self) -> Vec<Arc<Session>> {
        self.0.registry.all(Session::is_expired)
    }

    /// Closes a session that was idle for too long. Its owner is told when asking for it.
    pub fn expire(&self, session: &Session) {
        self.0.registry.end(session, Cause::Idle(session.idle_seconds));
    }
}
