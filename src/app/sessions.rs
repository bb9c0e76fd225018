//! R sessions: opened, found, listed and closed for the principals who may do so.

use std::{sync::Arc, time::Duration};

use uuid::Uuid;

use super::App;
use crate::{
    auth::{Login, Principal, sources::system::UnixUser},
    link::messages::RunAs,
    session::{LimitOverrides, Opening, Purpose},
    store::{boundaries, policies::Policy, rules::Rules},
    system::usage,
};
pub use crate::{
    session::{Found, LookupError, OpenError, OperationError, Session, StartError, Stop, Tombstone},
    system::usage::Usage,
};

/// Seconds that a script may run for a caller without a login, unless the policy says otherwise.
const ANONYMOUS_SECONDS: u64 = 900;

/// Who has written the code of a session for one run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Author {
    /// Whoever it is run for.
    Caller,
    /// Somebody else: it is a script of the server's, or a service.
    Another,
}

/// The state of R.
#[derive(Debug, Clone, Copy)]
pub struct Runtime<'a> {
    /// Its version: "4.2.2".
    pub version: &'a str,
    /// Whether the zygote is running.
    pub is_running: bool,
    /// Sessions that users can work in.
    pub sessions: usize,
    /// Sessions among them that are running something.
    pub busy: usize,
    /// Workers that are ready for the next sessions.
    pub ready: usize,
}

impl App {
    /// Opens a session that ends with its owner's login.
    ///
    /// # Errors
    /// [`OpenError`]
    pub async fn session_open(&self, principal: &Principal) -> Result<Arc<Session>, OpenError> {
        self.session_open_as(principal, None).await
    }

    /// Opens a session with this identity, which it had before; a new one if there is none.
    pub(super) async fn session_open_as(&self, principal: &Principal, id: Option<Uuid>) -> Result<Arc<Session>, OpenError> {
        let boundary = boundary(&self.rules.now(), principal.name(), None);
        let login = principal.login().map(|login| login.id);
        self.open(Opening { owner: principal.name(), login, id, boundary, ..Opening::default() }).await
    }

    /// Opens a session that ends when it has not been used for this many seconds; 0 is never. The name may be empty.
    ///
    /// # Errors
    /// [`OpenError`]
    pub async fn session_open_idle(&self, principal: &Principal, name: &str, idle_seconds: u64) -> Result<Arc<Session>, OpenError> {
        let owner = principal.name();
        let boundary = boundary(&self.rules.now(), owner, None);
        self.open(Opening { owner, name, boundary, idle_seconds: Some(idle_seconds), ..Opening::default() }).await
    }

    /// Opens a session for one run; it ends with the answer. `limits` names a boundary to use instead of the account's. The code of
    /// another does not run as the person that the principal is for the operating system: it has to reach nothing of theirs.
    ///
    /// # Errors
    /// [`OpenError`]
    pub async fn session_open_ephemeral(
        self: &Arc<Self>,
        principal: &Principal,
        limits: Option<&str>,
        author: Author,
    ) -> Result<Ephemeral, OpenError> {
        let opening = self.opening_of_run(principal, limits);
        let opened = match author {
            Author::Caller => self.open(opening).await,
            Author::Another => self.open_with(opening).await,
        };
        Ok(Ephemeral { app: Arc::clone(self), session: opened? })
    }

    /// The same, for code of another, by taking over a session that was prepared for such a run; `None` if that one has ended, or has not the
    /// limits that the principal's have.
    ///
    /// # Errors
    /// [`OpenError`]
    pub(super) async fn session_take_over(
        self: &Arc<Self>,
        principal: &Principal,
        prepared: &Session,
    ) -> Result<Option<Ephemeral>, OpenError> {
        let opening = self.opening_of_run(principal, None);
        let Some(session) = self.sessions.take_over(opening, prepared).await? else { return Ok(None) };
        self.end_with_login(&session)?;
        Ok(Some(Ephemeral { app: Arc::clone(self), session }))
    }

    /// The limits that replace the configuration's for a principal.
    pub(super) fn session_boundary(&self, principal: &Principal) -> Option<LimitOverrides> {
        boundary(&self.rules.now(), principal.name(), None)
    }

    fn opening_of_run<'a>(&self, principal: &'a Principal, limits: Option<&str>) -> Opening<'a> {
        let rules = self.rules.now();
        let boundary = boundary(&rules, principal.name(), limits);
        let is_nobody = principal.account().is_none();
        let operation_seconds = is_nobody.then(|| rules.policies.number(Policy::AnonymousSeconds, ANONYMOUS_SECONDS));
        let login = principal.login().map(|login| login.id);
        Opening { owner: principal.name(), login, purpose: Purpose::Run, boundary, operation_seconds, ..Opening::default() }
    }

    /// Opens a session in which the server asks R something.
    ///
    /// # Errors
    /// [`OpenError`]
    pub(super) async fn session_open_for_question(self: &Arc<Self>) -> Result<Ephemeral, OpenError> {
        let session = self.open(Opening { purpose: Purpose::Question, ..Opening::default() }).await?;
        Ok(Ephemeral { app: Arc::clone(self), session })
    }

    /// Opens a session, as the person that its owner is for the operating system, if the settings say so. If its login ends meanwhile, the
    /// session is closed again.
    async fn open(&self, opening: Opening<'_>) -> Result<Arc<Session>, OpenError> {
        let run_as = self.person(opening.owner).await?;
        self.open_with(Opening { run_as: run_as.as_ref(), ..opening }).await
    }

    /// The person that an account is for the operating system, if sessions are to run as that.
    pub(super) async fn person(&self, owner: &str) -> Result<Option<RunAs>, OpenError> {
        let user = self.accounts.unix_user(owner).await.map_err(|error| OpenError::Person(error.to_string()))?;
        Ok(user.map(|UnixUser { name, user, group, groups, home }| RunAs { name, user, group, groups, home }))
    }

    async fn open_with(&self, opening: Opening<'_>) -> Result<Arc<Session>, OpenError> {
        let session = self.sessions.open(opening).await?;
        self.end_with_login(&session)?;
        Ok(session)
    }

    /// Closes a session that is new, if its login has ended meanwhile.
    fn end_with_login(&self, session: &Session) -> Result<(), OpenError> {
        let is_over = |login: Uuid| self.logins.find(login).is_none_or(|login| login.is_closing());
        if session.login.is_some_and(is_over) {
            // The end of the login closed its sessions before this one was there.
            self.sessions.close(session);
            return Err(OpenError::LoginOver);
        }
        Ok(())
    }

    /// One of the principal's own sessions, marked as used.
    ///
    /// # Errors
    /// [`LookupError`]
    pub fn session(&self, id: Uuid, principal: &Principal) -> Result<Arc<Session>, LookupError> {
        self.sessions.get(id, principal.name())
    }

    /// A session, or what is known of one that has ended. The caller has to check who may see it.
    #[must_use]
    pub fn session_find(&self, id: Uuid) -> Option<Found> {
        self.sessions.find(id)
    }

    /// All sessions that users can work in, of all owners.
    #[must_use]
    pub fn session_list(&self) -> Vec<Arc<Session>> {
        self.sessions.list()
    }

    /// The sessions of a principal.
    #[must_use]
    pub fn session_list_of(&self, principal: &Principal) -> Vec<Arc<Session>> {
        let mut sessions = self.sessions.list();
        sessions.retain(|session| session.owner == principal.name());
        sessions
    }

    /// Closes a session: running code is interrupted, and killed if it does not stop. If somebody else than the owner does this, the owner
    /// is told who.
    pub fn session_close(&self, session: &Session, principal: &Principal) {
        if session.owner == principal.name() {
            self.sessions.close(session);
        } else {
            self.sessions.close_as(session, principal.name());
        }
    }

    /// Ends a session at once, whatever it is running. If somebody else than the owner does this, the owner is told who.
    pub fn session_kill(&self, session: &Session, principal: &Principal) {
        if session.owner == principal.name() {
            self.sessions.kill(session);
        } else {
            self.sessions.kill_as(session, principal.name());
        }
    }

    /// The resources that each of these sessions uses; `None` for a session that has ended.
    pub async fn session_usage(&self, sessions: &[Arc<Session>]) -> Vec<Option<Usage>> {
        let zygote = self.sessions.zygote_pid();
        let processes: Vec<_> = sessions.iter().map(|session| session.pid).collect();
        let look = move || {
            let forked_with = usage::forked_with(zygote);
            processes.into_iter().map(|pid| Usage::of(pid, forked_with)).collect::<Vec<_>>()
        };
        // For one process this takes no time; for thousands it would block other tasks.
        if sessions.len() == 1 {
            return look();
        }
        tokio::task::spawn_blocking(look).await.unwrap_or_else(|_| vec![None; sessions.len()])
    }

    /// The present state of R.
    #[must_use]
    pub fn runtime(&self) -> Runtime<'_> {
        let sessions = self.sessions.list();
        Runtime {
            version: self.sessions.r_version(),
            is_running: self.sessions.is_running(),
            busy: sessions.iter().filter(|session| session.is_busy()).count(),
            sessions: sessions.len(),
            ready: self.sessions.ready(),
        }
    }

    /// The machine's free memory, in bytes.
    #[must_use]
    pub fn free_memory(&self) -> Option<u64> {
        usage::available_memory()
    }

    /// Starts R, if it was stopped.
    ///
    /// # Errors
    /// Why it did not start.
    pub async fn runtime_start(&self) -> Result<(), StartError> {
        self.sessions.start_r().await
    }

    /// Ends all sessions, and R, which has `patience` to stop. Sessions of logins with autosave are saved first. This goes on when the
    /// caller goes away.
    pub async fn runtime_stop(self: &Arc<Self>, patience: Duration) {
        let app = Arc::clone(self);
        let stopped = async move {
            app.suspend_all(patience, std::future::ready(())).await;
            app.sessions.stop_r(patience).await;
        };
        let _ = tokio::spawn(stopped).await;
    }

    /// Checks that a session could be opened.
    ///
    /// # Errors
    /// Why none could be.
    pub async fn runtime_check(&self) -> Result<(), OpenError> {
        self.sessions.check().await
    }

    /// Adds code to a session's history.
    pub fn history_add(&self, session: &Session, code: &str) {
        let rules = self.rules.now();
        let depth = rules.policies.number(Policy::HistoryDepth, 0);
        let bytes = rules.policies.number(Policy::HistoryMib, HISTORY_MIB) << 20;
        session.record.remember(code, usize::try_from(depth).unwrap_or(0), usize::try_from(bytes).unwrap_or(0));
    }
}

/// Size of a session's history, in MiB, unless the policy says otherwise.
const HISTORY_MIB: u64 = 16;

/// A session for one run or one question. It is closed when this is dropped, also when the caller goes away in the middle.
#[derive(Debug)]
pub struct Ephemeral {
    app: Arc<App>,
    /// The session.
    pub session: Arc<Session>,
}

impl Drop for Ephemeral {
    fn drop(&mut self) {
        self.app.sessions.close(&self.session);
    }
}

/// The boundary that is named for a script, or otherwise the account's.
fn boundary(rules: &Rules, user: &str, named: Option<&str>) -> Option<LimitOverrides> {
    named.and_then(|name| rules.boundary(name)).or_else(|| rules.boundary_of(user)).map(as_limits)
}

/// Converts a boundary of the store into a session's limits.
pub(super) fn as_limits(boundary: &boundaries::Boundary) -> LimitOverrides {
    let some = |value: i64| u64::try_from(value).ok();
    LimitOverrides { cpu_seconds: some(boundary.cpu_seconds), memory_mib: some(boundary.memory_mib), network: boundary.network }
}

/// The principal's login, for things that have to belong to one.
pub(super) fn login(principal: &Principal) -> Result<&Arc<Login>, super::Failure> {
    principal.login().ok_or_else(|| super::Failure::Forbidden("This needs a login.".to_owned()))
}
