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
use crate::link::messages::{Ending, Reply, Request};

/// Commands kept of one session. Of more, the oldest that have ended are forgotten.
const KEPT: usize = 1_000;
/// What is kept of a label, in bytes.
const LABEL: usize = 2_000;

/// The commands of a session, in the order in which they were submitted.
#[derive(Debug)]
pub struct Commands {
    list: Mutex<List>,
    allowance: Allowance,
}

#[derive(Debug, Default)]
struct List {
    /// The number of the last one.
    last: u64,
    commands: Vec<Arc<Command>>,
}

/// One command.
#[derive(Debug)]
pub struct Command {
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

/// How a command ended.
#[derive(Debug)]
pub struct Outcome {
    /// When.
    pub ended: Timestamp,
    /// What it gave.
    pub result: Result<Done, OperationError>,
}

/// What an operation gave, to be fetched more than once.
#[derive(Debug, Clone)]
pub struct Done {
    /// The worker's reply.
    pub reply: Reply,
    /// What came with it.
    pub payload: Bytes,
    /// Why it was stopped, if it was.
    pub stopped: Option<Stop>,
}

impl From<Answer> for Done {
    fn from(answer: Answer) -> Self {
        Self { reply: answer.reply, payload: answer.payload, stopped: answer.stopped }
    }
}

impl Done {
    /// What keeping it takes, in bytes.
    fn size(&self) -> usize {
        let text = match &self.reply {
            Reply::Evaluated(Ending::Failed(condition)) => condition.size(),
            Reply::Evaluated(Ending::SyntaxError { message, .. }) | Reply::Refused(message) => message.len(),
            _ => 0,
        };
        self.payload.len() + text
    }
}

impl Command {
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

impl Commands {
    /// None yet.
    #[must_use]
    pub fn new(allowance: Allowance) -> Self {
        Self { list: Mutex::default(), allowance }
    }

    /// Takes a share of what may be kept, for which commands whose result has been fetched are forgotten.
    fn make_room(&self, bytes: usize) -> Option<Share> {
        loop {
            if let Some(share) = self.allowance.take(bytes) {
                return Some(share);
            }
            let list = &mut lock(&self.list).commands;
            let oldest = list.iter().position(|command| command.fetched.load(Ordering::Acquire))?;
            list.remove(oldest);
        }
    }

    /// All commands.
    #[must_use]
    pub fn list(&self) -> Vec<Arc<Command>> {
        lock(&self.list).commands.clone()
    }

    /// The command of that number.
    #[must_use]
    pub fn get(&self, number: u64) -> Option<Arc<Command>> {
        lock(&self.list).commands.iter().find(|command| command.number == number).cloned()
    }

    /// Forgets a command; false when there is none of that number. One that waits will not run, one that runs
    /// goes on, and whoever waits for its end is told.
    pub fn remove(&self, number: u64) -> bool {
        let removed = {
            let commands = &mut lock(&self.list).commands;
            commands.iter().position(|command| command.number == number).map(|at| commands.remove(at))
        };
        let Some(command) = removed else { return false };
        command.ticket.give_up();
        command.settled.cancel();
        true
    }
}

impl List {
    fn add(&mut self, command: &Arc<Command>) {
        self.commands.push(Arc::clone(command));
        if self.commands.len() > KEPT
            && let Some(oldest) = self.commands.iter().position(|command| command.outcome().is_some())
        {
            self.commands.remove(oldest);
        }
    }
}

impl Session {
    /// Puts an operation in the queue and returns at once; [`Commands`] tell what becomes of it.
    ///
    /// # Errors
    /// [`OperationError`]
    pub fn command(self: &Arc<Self>, request: &Request, payload: Bytes, label: String, note: u8) -> Result<Arc<Command>, OperationError> {
        let payload_share = self.commands.make_room(payload.len()).ok_or(OperationError::NothingKept(payload.len()))?;
        let label = shortened(label);
        // Held meanwhile, so that commands run in the order of their numbers.
        let mut list = lock(&self.commands.list);
        let pending = self.submit(request, payload, Admission::Queued)?;
        list.last += 1;
        let command = Arc::new(Command {
            number: list.last,
            label,
            note,
            created: Timestamp::now(),
            ticket: Arc::clone(pending.ticket()),
            fetched: AtomicBool::new(false),
            outcome: OnceLock::new(),
            settled: CancellationToken::new(),
        });
        list.add(&command);
        drop(list);
        let (waiting, session) = (Arc::clone(&command), Arc::clone(self));
        tokio::spawn(async move {
            // A command that was removed before it began is given up, and never answered.
            let answered = tokio::select! {
                answered = pending.answer() => answered,
                () = waiting.settled.cancelled() => return,
            };
            drop(payload_share);
            let mut result = answered.map(Done::from);
            let size = result.as_ref().map_or(0, Done::size);
            match (session.commands.make_room(size), &mut result) {
                (Some(share), Ok(done)) => {
                    done.payload = share.of(std::mem::take(&mut done.payload));
                }
                (None, result) => *result = Err(OperationError::NothingKept(size)),
                _ => {}
            }
            let _ = waiting.outcome.set(Outcome { ended: Timestamp::now(), result });
            waiting.settled.cancel();
        });
        Ok(command)
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
