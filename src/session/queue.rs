//! An operation's place in the queue of its session: waiting, then running, or given up before that.

use std::{
    marker::PhantomData,
    sync::{Arc, Mutex, OnceLock, PoisonError, atomic::Ordering},
};

use bytes::Bytes;
use jiff::Timestamp;
use tokio::sync::oneshot;

use super::{
    handle::Session,
    terms::{Answer, OperationError},
};
use crate::link::command::{Command, Reply};

/// Somebody's turn with a session: no other has one, or those that have wait. It ends when whoever took it has let
/// go of it, and what runs in it has ended: the session is busy for as long as R is, also when nobody waits any more.
#[derive(Debug, Clone)]
pub struct Turn(Arc<Held>);

#[derive(Debug)]
struct Held(Arc<Session>);

impl Turn {
    pub(super) fn new(session: Arc<Session>) -> Self {
        Self(Arc::new(Held(session)))
    }

    /// Runs one operation of several.
    ///
    /// # Errors
    /// [`OperationError`]
    pub async fn operate<C: Command>(&self, command: C, payload: Bytes) -> Result<Answer<C::Reply>, OperationError> {
        self.0.0.send(command, payload, self.clone())?.answer().await
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.0.touch();
        self.0.pending.fetch_sub(1, Ordering::AcqRel);
    }
}

/// What the task of a session is given to do.
#[derive(Debug)]
pub(super) struct Job {
    /// Whether it runs code, whose console takes the place of the last one.
    pub runs_code: bool,
    /// Whether a reply is one to its command.
    pub is_answered_by: fn(&Reply) -> bool,
    pub answer: oneshot::Sender<Result<Answer<Reply>, OperationError>>,
    pub ticket: Arc<Ticket>,
}

/// What a worker is sent for an operation.
#[derive(Debug)]
pub(super) struct Work {
    pub header: Vec<u8>,
    pub payload: Bytes,
}

/// Tells whether an operation has begun. An operation begins once, or is given up once: never both.
#[derive(Debug)]
pub struct Ticket {
    /// `None` inside: given up before it began.
    fate: OnceLock<Option<Timestamp>>,
    /// Taken when the operation begins, and gone when it is given up: nobody has to keep what nobody wants.
    work: Mutex<Option<Work>>,
    /// Let go of when the operation has ended.
    turn: Mutex<Option<Turn>>,
}

impl Ticket {
    pub(super) fn new(turn: Turn, work: Work) -> Arc<Self> {
        Arc::new(Self { fate: OnceLock::new(), work: Mutex::new(Some(work)), turn: Mutex::new(Some(turn)) })
    }

    /// Begins the operation; `None` when it was given up.
    pub(super) fn begin(&self) -> Option<Work> {
        self.fate.set(Some(Timestamp::now())).ok()?;
        lock(&self.work).take()
    }

    /// The operation has ended, and makes room for another.
    pub(super) fn end(&self) {
        drop(lock(&self.turn).take());
    }

    /// Gives the operation up, if it has not begun. Its place is free at once.
    pub fn give_up(&self) {
        if self.fate.set(None).is_ok() {
            drop(lock(&self.work).take());
            self.end();
        }
    }

    /// When the operation began; `None` while it waits, or when it was given up.
    #[must_use]
    pub fn begun(&self) -> Option<Timestamp> {
        self.fate.get().copied().flatten()
    }
}

/// An operation that has been handed to its session, and is not answered yet. Dropped before it has begun, it
/// is given up: nobody waits for it. What has begun goes on.
#[derive(Debug)]
pub struct Pending<C> {
    ticket: Arc<Ticket>,
    answered: oneshot::Receiver<Result<Answer<Reply>, OperationError>>,
    command: PhantomData<fn() -> C>,
}

impl<C: Command> Pending<C> {
    pub(super) fn new(ticket: Arc<Ticket>, answered: oneshot::Receiver<Result<Answer<Reply>, OperationError>>) -> Self {
        Self { ticket, answered, command: PhantomData }
    }

    /// Tells whether it has begun.
    #[must_use]
    pub fn ticket(&self) -> &Arc<Ticket> {
        &self.ticket
    }

    /// Waits for the answer.
    ///
    /// # Errors
    /// [`OperationError`]
    pub async fn answer(mut self) -> Result<Answer<C::Reply>, OperationError> {
        let Answer { reply, payload, console, stopped } = (&mut self.answered).await.unwrap_or(Err(OperationError::Closed(None)))?;
        let reply = C::read(reply).map_err(|reply| match *reply {
            Reply::Refused(message) => OperationError::Refused(message),
            Reply::InvalidInput(sentence) => OperationError::InvalidInput(sentence),
            // The task lets no other through: the session has ended over it.
            _ => OperationError::Closed(None),
        })?;
        Ok(Answer { reply, payload, console, stopped })
    }
}

impl<C> Drop for Pending<C> {
    fn drop(&mut self) {
        self.ticket.give_up();
    }
}

/// Locks a mutex, whatever a thread that held it came to.
pub(super) fn lock<T>(mutex: &std::sync::Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
