//! Operations that no caller waits for. They are submitted, looked at, fetched and forgotten.
//!
//! Their inputs and results are in the server's memory until somebody fetches them, and count to the session's [`Allowance`]. When that is
//! used up, results that have been fetched are forgotten first; if that is not enough, no more operations are taken.

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
    queue::{Pending, Ticket, lock},
    terms::{Completion, OperationError, Stop},
};
use crate::link::command::Ending;

/// The most operations that are kept for a session. If there are more, the oldest finished ones are forgotten.
const KEPT: usize = 1_000;
/// The longest label that is kept, in bytes.
const LABEL: usize = 2_000;

/// A session's operations that no caller waits for, in the order in which they were submitted.
#[derive(Debug)]
pub struct Deferred {
    list: Mutex<List>,
    allowance: Allowance,
}

#[derive(Debug, Default)]
struct List {
    /// The number of the last operation.
    last: u64,
    operations: Vec<Arc<Operation>>,
}

/// An operation that no caller waits for.
#[derive(Debug)]
pub struct Operation {
    /// Its number within the session, from 1.
    pub number: u64,
    /// What the operation does, in the words of its submitter.
    pub label: String,
    /// A note for the submitter's own use.
    pub note: u8,
    /// When it was submitted.
    pub created: Timestamp,
    ticket: Arc<Ticket>,
    /// Whether somebody has fetched the result.
    fetched: AtomicBool,
    outcome: OnceLock<Outcome>,
    /// Cancelled when there is an outcome, or when it is certain that there will be none.
    settled: CancellationToken,
}

/// How an operation ended.
#[derive(Debug)]
pub struct Outcome {
    /// When it ended.
    pub ended: Timestamp,
    /// The result.
    pub result: Result<Done, OperationError>,
    /// The share for an error; that of a value is tied to its bytes.
    _share: Option<Share>,
}

/// The result of an operation, which can be fetched more than once.
#[derive(Debug, Clone)]
pub struct Done {
    /// How it ended.
    pub ending: Ending,
    /// The value, if it has one.
    pub payload: Bytes,
    /// Why the operation was stopped, if it was.
    pub stopped: Option<Stop>,
}

impl From<Completion<Ending>> for Done {
    fn from(answer: Completion<Ending>) -> Self {
        Self { ending: answer.reply, payload: answer.payload, stopped: answer.stopped }
    }
}

impl Done {
    /// How much memory it takes to keep this, in bytes.
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
    /// When the operation began to run; `None` while it waits.
    #[must_use]
    pub fn begun(&self) -> Option<Timestamp> {
        self.ticket.begun()
    }

    /// How the operation ended; `None` while it waits or runs.
    #[must_use]
    pub fn outcome(&self) -> Option<&Outcome> {
        self.outcome.get()
    }

    /// Notes that somebody has fetched the result, which may now be forgotten if memory is needed.
    pub fn fetched(&self) {
        self.fetched.store(true, Ordering::Release);
    }

    /// Waits for the end of the operation; `None` when it was removed before that.
    pub async fn ended(&self) -> Option<&Outcome> {
        self.settled.cancelled().await;
        self.outcome()
    }
}

impl Deferred {
    /// A list without operations.
    #[must_use]
    pub fn new(allowance: Allowance) -> Self {
        Self { list: Mutex::default(), allowance }
    }

    /// Takes a share of the allowance. If necessary, it forgets operations whose results have been fetched.
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

    /// All operations.
    #[must_use]
    pub fn list(&self) -> Vec<Arc<Operation>> {
        lock(&self.list).operations.clone()
    }

    /// The operation with this number.
    #[must_use]
    pub fn get(&self, number: u64) -> Option<Arc<Operation>> {
        lock(&self.list).operations.iter().find(|operation| operation.number == number).cloned()
    }

    /// Forgets an operation; false when there is none with this number. A waiting operation will not run, and a running one goes on.
    /// Callers that wait for its end are told.
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
    /// Puts an operation in the queue by `submit` and returns at once. [`Deferred`] has the operation and, later, its result. `size` is
    /// that of the operation's payload, in bytes.
    ///
    /// # Errors
    /// [`OperationError`]
    pub fn defer(
        self: &Arc<Self>,
        size: usize,
        submit: impl FnOnce() -> Result<Pending<Ending>, OperationError>,
        label: String,
        note: u8,
    ) -> Result<Arc<Operation>, OperationError> {
        let payload_share = self.deferred.make_room(size).ok_or(OperationError::NothingKept(size))?;
        let label = shortened(label);
        // Locked until the end, so that operations run in the order of their numbers.
        let mut list = lock(&self.deferred.list);
        let pending = submit()?;
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
            // An operation that was removed before it began is given up, and gets no answer.
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
            let share = match (session.deferred.make_room(size), &mut result) {
                (None, result) => {
                    *result = Err(OperationError::NothingKept(size));
                    None
                }
                (Some(share), Ok(done)) => {
                    done.payload = share.of(std::mem::take(&mut done.payload));
                    None
                }
                (share, Err(_)) => share,
            };
            let _ = waiting.outcome.set(Outcome { ended: Timestamp::now(), result, _share: share });
            waiting.settled.cancel();
        });
        Ok(operation)
    }
}

/// Cuts a label to the length that is kept.
fn shortened(mut label: String) -> String {
    if label.len() > LABEL {
        label.truncate(label.floor_char_boundary(LABEL));
        label.push_str(" [...]");
        label.shrink_to_fit();
    }
    label
}
