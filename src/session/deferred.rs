//! Operations that nobody waits for: submitted, looked at, fetched and forgotten.
//!
//! What they bring and what they give is in the server's memory until somebody fetches it, and counts to the session's
//! [`Allowance`]. When that is used up, what has been fetched already goes first, and then nothing more is taken.

use std::sync::{
    Arc, Mutex, OnceLock,
    atomic::{AtomicBool, Ordering},
};

use bytes::Bytes;
use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

use super::{
    allowance::{Allowance, Share},
    handle::Session,
    queue::{Ticket, lock},
    terms::{Admission, Answer, OperationError, Stop},
};
use crate::link::command::{Command, Ending};

/// Operations kept of one session. Of more, the oldest that have ended are forgotten.
const KEPT: usize = 1_000;
/// What is kept of a label, in bytes.
const LABEL: usize = 2_000;

/// The operations of a session that nobody waits for, in the order in which they were submitted.
#[derive(Debug)]
pub struct Deferred {
    list: Mutex<List>,
    allowance: Allowance,
}

#[derive(Debug, Default)]
struct List {
    /// The number of the last one.
    last: u64,
    operations: Vec<Arc<Operation>>,
}

/// One of them.
#[derive(Debug)]
pub struct Operation {
    /// Its number within the session, from 1.
    pub number: u64,
    /// What it does, in words of whoever submitted it.
    pub label: String,
    /// What whoever submitted it wants to find again with it.
    pub note: u8,
    /// When it was submitted.
    pub created: Timestamp,
    ticket: Arc<Ticket>,
    /// Somebody has fetched what it gave.
    fetched: AtomicBool,
    outcome: OnceLock<Outcome>,
    /// Cancelled when there is an outcome, or will be none.
    settled: CancellationToken,
}

/// How an operation ended.
#[derive(Debug)]
pub struct Outcome {
    /// When.
    pub ended: Timestamp,
    /// What it gave.
    pub result: Result<Done, OperationError>,
    /// What an error takes; that of a value goes with it.
    _share: Option<Share>,
}

/// What an operation gave, to be fetched more than once.
#[derive(Debug, Clone)]
pub struct Done {
    /// How it ended.
    pub ending: Ending,
    /// The value, if it has one.
    pub payload: Bytes,
    /// Why it was stopped, if it was.
    pub stopped: Option<Stop>,
}

impl From<Answer<Ending>> for Done {
    fn from(answer: Answer<Ending>) -> Self {
        Self { ending: answer.reply, payload: answer.payload, stopped: answer.stopped }
    }
}

impl Done {
    /// What keeping it takes, in bytes.
    fn size(&self) -> usize {
        let text = match &self.ending {
            Ending::Failed(condition) => condition.size(),
            Ending::SyntaxError { message, .. } => message.len(),
            _ => 0,
        };
        self.payload.len() + text
    }
}

impl Operation {
    /// When it began to run; `None` while it waits.
    #[must_use]
    pub fn begun(&self) -> Option<Timestamp> {
        self.ticket.begun()
    }

    /// How it ended; `None` while it waits or runs.
    #[must_use]
    pub fn outcome(&self) -> Option<&Outcome> {
        self.outcome.get()
    }

    /// Notes that somebody has fetched what it gave: it may be forgotten when there is need.
    pub fn fetched(&self) {
        self.fetched.store(true, Ordering::Release);
    }

    /// Waits for its end; `None` when it was removed before.
    pub async fn ended(&self) -> Option<&Outcome> {
        self.settled.cancelled().await;
        self.outcome()
    }
}

impl Deferred {
    /// None yet.
    #[must_use]
    pub fn new(allowance: Allowance) -> Self {
        Self { list: Mutex::default(), allowance }
    }

    /// Takes a share of what may be kept, for which operations whose result has been fetched are forgotten.
    fn make_room(&self, bytes: usize) -> Option<Share> {
        loop {
            if let Some(share) = self.allowance.take(bytes) {
                return Some(share);
            }
            let list = &mut lock(&self.list).operations;
            let oldest = list.iter().position(|operation| operation.fetched.load(Ordering::Acquire))?;
            list.remove(oldest);
        }
    }

    /// All of them.
    #[must_use]
    pub fn list(&self) -> Vec<Arc<Operation>> {
        lock(&self.list).operations.clone()
    }

    /// The operation of that number.
    #[must_use]
    pub fn get(&self, number: u64) -> Option<Arc<Operation>> {
        lock(&self.list).operations.iter().find(|operation| operation.number == number).cloned()
    }

    /// Forgets an operation; false when there is none of that number. One that waits will not run, one that runs
    /// goes on, and whoever waits for its end is told.
    pub fn remove(&self, number: u64) -> bool {
        let removed = {
            let operations = &mut lock(&self.list).operations;
            operations.iter().position(|operation| operation.number == number).map(|at| operations.remove(at))
        };
        let Some(operation) = removed else { return false };
        operation.ticket.give_up();
        operation.settled.cancel();
        true
    }
}

impl List {
    fn add(&mut self, operation: &Arc<Operation>) {
        self.operations.push(Arc::clone(operation));
        if self.operations.len() > KEPT
            && let Some(oldest) = self.operations.iter().position(|operation| operation.outcome().is_some())
        {
            self.operations.remove(oldest);
        }
    }
}

impl Session {
    /// Puts an operation in the queue and returns at once; [`Deferred`] tells what becomes of it.
    ///
    /// # Errors
    /// [`OperationError`]
    pub fn defer<C: Command<Reply = Ending> + 'static>(
        self: &Arc<Self>,
        command: C,
        payload: Bytes,
        label: String,
        note: u8,
    ) -> Result<Arc<Operation>, OperationError> {
        let payload_share = self.deferred.make_room(payload.len()).ok_or(OperationError::NothingKept(payload.len()))?;
        let label = shortened(label);
        // Held meanwhile, so that operations run in the order of their numbers.
        let mut list = lock(&self.deferred.list);
        let pending = self.submit(command, payload, Admission::Queued)?;
        list.last += 1;
        let operation = Arc::new(Operation {
            number: list.last,
            label,
            note,
            created: Timestamp::now(),
            ticket: Arc::clone(pending.ticket()),
            fetched: AtomicBool::new(false),
            outcome: OnceLock::new(),
            settled: CancellationToken::new(),
        });
        list.add(&operation);
        drop(list);
        let (waiting, session) = (Arc::clone(&operation), Arc::clone(self));
        tokio::spawn(async move {
            // One that was removed before it began is given up, and never answered.
            let answered = tokio::select! {
                answered = pending.answer() => answered,
                () = waiting.settled.cancelled() => return,
            };
            drop(payload_share);
            let mut result = answered.map(Done::from);
            let size = match &result {
                Ok(done) => done.size(),
                Err(OperationError::Refused(message)) => message.len(),
                Err(_) => 0,
            };
            let mut share = session.deferred.make_room(size);
            if share.is_none() {
                result = Err(OperationError::NothingKept(size));
            } else if let Ok(done) = &mut result {
                let payload = std::mem::take(&mut done.payload);
                done.payload = share.take().map_or(payload.clone(), |share| share.of(payload));
            }
            let _ = waiting.outcome.set(Outcome { ended: Timestamp::now(), result, _share: share });
            waiting.settled.cancel();
        });
        Ok(operation)
    }
}

/// A label that can be kept.
fn shortened(mut label: String) -> String {
    if label.len() > LABEL {
        label.truncate(label.floor_char_boundary(LABEL));
        label.push_str(" [...]");
        label.shrink_to_fit();
    }
    label
}
