//! An R session as its callers see it.

use std::{
    path::PathBuf,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use jiff::Timestamp;
use tokio::{
    sync::{Notify, mpsc, oneshot},
    time::Instant,
};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{
    actor::Actor,
    allowance::Allowance,
    deferred::Deferred,
    host::{Host, Terms},
    live::Live,
    queue::{Job, Message, Pending, Ticket, Turn, Work},
    record::SessionRecord,
    terms::{Admission, Completion, Opening, OperationError, Purpose},
    tombstone::{Cause, Tombstone},
    worker::{Unclaimed, Worker},
};
use crate::{
    config,
    link::{
        command::{Command, Request},
        frame::MAX_HEADER,
        messages::{self, Limits},
    },
};

/// How much of the last output a tombstone contains, in bytes.
const LAST_OUTPUT: usize = 2_000;

/// The most operations that may be given up while another runs.
const GIVEN_UP: usize = 10_000;

/// An R session.
#[derive(Debug)]
pub struct Session {
    /// Its identity.
    pub id: Uuid,
    /// The user name of its owner.
    pub owner: String,
    /// What its owner calls it; empty if it has no name.
    pub name: String,
    /// The login that the session ends with, if there is one.
    pub login: Option<Uuid>,
    /// What the session is for.
    pub purpose: Purpose,
    /// Its worker's process id.
    pub pid: i32,
    /// The folder with the session's folders. Only the server can move this one; its content belongs to the session.
    pub folder: PathBuf,
    /// R's `tempdir()`, below the folder.
    pub temporary: PathBuf,
    /// The user that nobody else has and that the session runs as, if it has one.
    pub user: Option<u32>,
    /// The user and the group that its folders belong to; `None` for the server's.
    pub ids: Option<(u32, u32)>,
    /// Its limits.
    pub limits: Limits,
    /// Seconds without use after which the session ends; 0 is never.
    pub idle_seconds: u64,
    /// When it was opened.
    pub created: Timestamp,
    /// Its operations that no caller waits for.
    pub deferred: Deferred,
    /// Its console.
    pub console: Live,
    messages: mpsc::UnboundedSender<Message>,
    /// The number of operations that run or wait.
    pub(super) pending: AtomicUsize,
    queue: usize,
    /// The number of operations that the task has not taken yet, including those that were given up.
    pub(super) waiting: AtomicUsize,
    pub(super) interrupted: Notify,
    pub(super) closing: CancellationToken,
    /// Whether the session has to end at once, without asking R.
    pub(super) condemned: AtomicBool,
    /// Milliseconds since `started`.
    last_used: AtomicU64,
    started: Instant,
    /// Its history and the other things that the server remembers.
    pub record: SessionRecord,
    /// Set before callers learn that the session has ended by itself.
    pub(super) tombstone: OnceLock<Tombstone>,
    /// Why the session was closed; not set if its owner closed it.
    reason: OnceLock<Tombstone>,
}

impl Session {
    /// Starts a session with this worker. The second value is its task, which ends with the session.
    pub(super) fn start(
        id: Uuid,
        opening: &Opening<'_>,
        worker: Worker,
        limits: Limits,
        config: &config::SessionSettings,
        [results, unread]: [Allowance; 2],
    ) -> (Arc<Self>, impl Future<Output = ()> + Send + 'static) {
        let (messages, received) = mpsc::unbounded_channel();
        let session = Arc::new(Self {
            id,
            owner: opening.owner.to_owned(),
            name: opening.name.to_owned(),
            login: opening.login,
            purpose: opening.purpose,
            pid: worker.pid(),
            folder: worker.folder.clone(),
            temporary: worker.temporary.clone(),
            user: worker.user(),
            ids: worker.ids,
            limits,
            idle_seconds: config.idle_seconds,
            created: Timestamp::now(),
            deferred: Deferred::new(results),
            console: Live::new(usize::try_from(config.console_kib).unwrap_or(0) << 10),
            messages,
            pending: AtomicUsize::new(0),
            queue: config.queue,
            waiting: AtomicUsize::new(0),
            interrupted: Notify::new(),
            closing: CancellationToken::new(),
            condemned: AtomicBool::new(false),
            last_used: AtomicU64::new(0),
            started: Instant::now(),
            record: SessionRecord::default(),
            tombstone: OnceLock::new(),
            reason: OnceLock::new(),
        });
        let actor = Actor {
            session: Arc::clone(&session),
            worker,
            messages: received,
            unread,
            limit: Some(config.operation_seconds).filter(|&seconds| seconds > 0),
            grace: Duration::from_secs(config.grace_seconds),
        };
        (session, actor.run())
    }

    /// Runs one operation. If the caller goes away before the operation has begun, it is given up.
    ///
    /// # Errors
    /// [`OperationError`]
    pub async fn operate<C: Command>(
        self: &Arc<Self>,
        command: C,
        payload: Bytes,
        admission: Admission,
    ) -> Result<Completion<C::Reply>, OperationError> {
        self.submit(command, payload, admission)?.answer().await
    }

    /// Puts an operation in the queue without waiting. Operations run in the order of these calls.
    ///
    /// # Errors
    /// [`OperationError`]
    pub fn submit<C: Command>(
        self: &Arc<Self>,
        command: C,
        payload: Bytes,
        admission: Admission,
    ) -> Result<Pending<C::Reply>, OperationError> {
        let turn = self.turn(admission)?;
        self.send(command, payload, turn)
    }

    pub(super) fn send<C: Command>(&self, command: C, payload: Bytes, turn: Turn) -> Result<Pending<C::Reply>, OperationError> {
        let request = command.into_request();
        let header = messages::encode(&request);
        if header.len() > MAX_HEADER {
            return Err(OperationError::TooLong(header.len(), MAX_HEADER));
        }
        // Operations that were given up stay in the queue until the running one has ended.
        if self.waiting.fetch_add(1, Ordering::AcqRel) >= self.queue + GIVEN_UP {
            self.waiting.fetch_sub(1, Ordering::AcqRel);
            return Err(OperationError::QueueFull);
        }
        let (answer, answered) = oneshot::channel();
        let ticket = Ticket::new(turn, Work { header, payload });
        let runs_code = matches!(request, Request::Execute(_) | Request::Evaluate(_));
        let job = Job { runs_code, is_answered_by: C::is_answered_by, answer, ticket: Arc::clone(&ticket) };
        let pending = Pending::new::<C>(ticket, answered);
        self.messages.send(Message::Operate(job)).map_err(|_| self.gone())?;
        Ok(pending)
    }

    /// Ends the session, and returns its worker, with all that is in it, for another session; `None` if it has ended already.
    pub(super) async fn pass_on(&self) -> Option<Worker> {
        let (heir, worker) = oneshot::channel();
        self.messages.send(Message::PassOn(heir)).ok()?;
        // If the session ends first, the message is dropped, unread.
        worker.await.ok().map(Unclaimed::claim)
    }

    /// Makes the session's R interactive. From then on it takes no operations.
    ///
    /// # Errors
    /// [`OperationError`]: the session has ended.
    pub(super) fn host(self: &Arc<Self>, terms: Terms) -> Result<Host, OperationError> {
        let (host, ends) = Host::new(Arc::clone(self), terms);
        self.messages.send(Message::Host(Box::new(ends))).map_err(|_| self.gone())?;
        Ok(host)
    }

    /// Takes a turn for several operations that belong together.
    ///
    /// # Errors
    /// [`OperationError`]
    pub fn turn(self: &Arc<Self>, admission: Admission) -> Result<Turn, OperationError> {
        if self.closing.is_cancelled() {
            return Err(self.gone());
        }
        let (most, refusal) = match admission {
            Admission::Immediate => (0, OperationError::Busy),
            Admission::Queued => (self.queue, OperationError::QueueFull),
        };
        let entered = self.pending.fetch_update(Ordering::AcqRel, Ordering::Acquire, |pending| (pending <= most).then_some(pending + 1));
        self.touch();
        entered.map(|_| Turn::new(Arc::clone(self))).map_err(|_| refusal)
    }

    /// The error of operations after the session's end.
    pub(super) fn gone(&self) -> OperationError {
        self.tombstone().cloned().map_or_else(|| OperationError::Closed(self.reason.get().cloned()), OperationError::Dead)
    }

    /// How the session ended, if it ended by itself.
    #[must_use]
    pub fn tombstone(&self) -> Option<&Tombstone> {
        self.tombstone.get()
    }

    /// Whether the session counts to the limits on the number of sessions.
    #[must_use]
    pub fn counts(&self) -> bool {
        matches!(self.purpose, Purpose::Work | Purpose::Run | Purpose::Prompt)
    }

    /// Whether the session takes operations: it has not ended, and is not being closed.
    #[must_use]
    pub fn is_open(&self) -> bool {
        !self.closing.is_cancelled()
    }

    /// Whether an operation runs or waits.
    #[must_use]
    pub fn is_busy(&self) -> bool {
        self.pending.load(Ordering::Acquire) > 0
    }

    /// How many operations wait for the running one.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.pending.load(Ordering::Acquire).saturating_sub(1)
    }

    /// Stops the running operation, if there is one. The session lives on.
    pub fn interrupt(&self) {
        if self.is_busy() {
            self.interrupted.notify_one();
        }
    }

    /// Closes the session: the running operation is stopped, and waiting ones are refused. Returns at once.
    pub fn close(&self) {
        self.closing.cancel();
    }

    /// Closes the session, and tells waiting callers why.
    pub(super) fn close_because(&self, cause: Cause) -> Tombstone {
        let tombstone = self.reason.get_or_init(|| Tombstone { cause, last_output: self.last_output() }).clone();
        self.close();
        tombstone
    }

    /// From now on, the session is ended without asking R first.
    pub(super) fn condemn(&self) {
        self.condemned.store(true, Ordering::Release);
    }

    /// Why the session was closed; `None` if its owner closed it.
    pub(super) fn reason(&self) -> Option<&Tombstone> {
        self.reason.get()
    }

    /// Marks the session as used now.
    pub fn touch(&self) {
        let elapsed = u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.last_used.store(elapsed, Ordering::Relaxed);
    }

    /// Whether the session has not been used for as long as is allowed. A busy session is in use.
    #[must_use]
    pub fn is_expired(&self) -> bool {
        let idle = self.started.elapsed().saturating_sub(self.used_after());
        self.idle_seconds > 0 && !self.is_busy() && idle >= Duration::from_secs(self.idle_seconds)
    }

    /// When the session was last used.
    #[must_use]
    pub fn last_used(&self) -> Timestamp {
        self.created.checked_add(self.used_after()).unwrap_or(self.created)
    }

    fn used_after(&self) -> Duration {
        Duration::from_millis(self.last_used.load(Ordering::Relaxed))
    }

    /// The end of the text printed since the last execution or, if there is none, of the text that the execution printed.
    #[must_use]
    pub fn last_output(&self) -> String {
        let since = self.console.last(LAST_OUTPUT);
        if !since.is_empty() {
            return since;
        }
        let last = self.record.output();
        last[last.floor_char_boundary(last.len().saturating_sub(LAST_OUTPUT))..].to_owned()
    }
}
