//! An operation's state in the queue of its session: it waits, then runs, or is given up before that.

use std::sync::{Arc, PoisonError, atomic::Ordering};
#[cfg(not(test))]
use std::sync::{Mutex, OnceLock};

use bytes::Bytes;
use jiff::Timestamp;
use tokio::sync::oneshot;

use super::{
    handle::Session,
    host::Ends,
    terms::{Completion, OperationError},
    worker::Unclaimed,
};
#[cfg(test)]
use tests::{Mutex, OnceLock};

use crate::link::command::{Command, Reply};

/// A turn with a session. While it lasts, no other caller gets one, or others have to wait. It ends when its holder has dropped it and its
/// operations have ended: the session is busy as long as R is, even if nobody waits any more.
#[derive(Debug, Clone)]
pub struct Turn(Arc<Held>);

#[derive(Debug)]
struct Held(Arc<Session>);

impl Turn {
    pub(super) fn new(session: Arc<Session>) -> Self {
        Self(Arc::new(Held(session)))
    }

    /// Runs an operation within this turn.
    ///
    /// # Errors
    /// [`OperationError`]
    pub async fn operate<C: Command>(&self, command: C, payload: Bytes) -> Result<Completion<C::Reply>, OperationError> {
        self.0.0.send(command, payload, self.clone())?.answer().await
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.0.touch();
        self.0.pending.fetch_sub(1, Ordering::AcqRel);
    }
}

/// What the task of a session is asked to do.
#[derive(Debug)]
pub(super) enum Message {
    /// Carry out an operation.
    Operate(Job),
    /// Give the worker to another session, and end.
    PassOn(oneshot::Sender<Unclaimed>),
    /// Be interactive from now on, and end when nobody wants that any more.
    Host(Box<Ends>),
}

/// An operation for the task of a session.
#[derive(Debug)]
pub(super) struct Job {
    /// Whether the operation runs code, whose console text replaces the last one.
    pub runs_code: bool,
    /// Whether a reply is one to the operation's command.
    pub is_answered_by: fn(&Reply) -> bool,
    pub answer: oneshot::Sender<Result<Completion<Reply>, OperationError>>,
    pub ticket: Arc<Ticket>,
}

/// The data that a worker gets for an operation.
#[derive(Debug)]
pub(super) struct Work {
    pub header: Vec<u8>,
    pub payload: Bytes,
}

/// Tells whether an operation has begun. An operation either begins once or is given up once, never both. `T` is the turn; any type will do
/// that acts when it is dropped, so that the tests need no session.
#[derive(Debug)]
pub struct Ticket<T = Turn> {
    /// When it began; `None` inside if it was given up before.
    fate: OnceLock<Option<Timestamp>>,
    /// Taken when the operation begins, and dropped when it is given up, so that it takes no more memory.
    work: Mutex<Option<Work>>,
    /// Dropped when the operation has ended.
    turn: Mutex<Option<T>>,
}

impl<T> Ticket<T> {
    pub(super) fn new(turn: T, work: Work) -> Arc<Self> {
        Arc::new(Self { fate: OnceLock::new(), work: Mutex::new(Some(work)), turn: Mutex::new(Some(turn)) })
    }

    /// Begins the operation; `None` when it was given up.
    pub(super) fn begin(&self) -> Option<Work> {
        self.fate.set(Some(Timestamp::now())).ok()?;
        take(&self.work)
    }

    /// Ends the operation, and with it its turn.
    pub(super) fn end(&self) {
        drop(take(&self.turn));
    }

    /// Gives the operation up, if it has not begun. Its place is free at once.
    pub fn give_up(&self) {
        if self.fate.set(None).is_ok() {
            drop(take(&self.work));
            self.end();
        }
    }

    /// When the operation began; `None` while it waits, or if it was given up.
    #[must_use]
    pub fn begun(&self) -> Option<Timestamp> {
        self.fate.get().copied().flatten()
    }
}

/// An operation in its session's queue that has no answer yet. If this is dropped before the operation has begun, the operation is given
/// up, because nobody waits for it. An operation that has begun goes on.
#[derive(Debug)]
pub struct Pending<R> {
    ticket: Arc<Ticket>,
    answered: oneshot::Receiver<Result<Completion<Reply>, OperationError>>,
    /// [`Command::read`] of the operation's command.
    read: fn(Reply) -> Result<R, Box<Reply>>,
}

impl<R> Pending<R> {
    pub(super) fn new<C: Command<Reply = R>>(
        ticket: Arc<Ticket>,
        answered: oneshot::Receiver<Result<Completion<Reply>, OperationError>>,
    ) -> Self {
        Self { ticket, answered, read: C::read }
    }

    /// The ticket, which tells whether the operation has begun.
    #[must_use]
    pub fn ticket(&self) -> &Arc<Ticket> {
        &self.ticket
    }

    /// Waits for the answer.
    ///
    /// # Errors
    /// [`OperationError`]
    pub async fn answer(mut self) -> Result<Completion<R>, OperationError> {
        let Completion { reply, payload, console, stopped } = (&mut self.answered).await.unwrap_or(Err(OperationError::Closed(None)))?;
        let reply = (self.read)(reply).map_err(|reply| match *reply {
            Reply::Refused(message) => OperationError::Refused(message),
            Reply::InvalidInput(sentence) => OperationError::InvalidInput(sentence),
            // The task passes on no other reply: it would have ended the session.
            _ => OperationError::Closed(None),
        })?;
        Ok(Completion { reply, payload, console, stopped })
    }
}

impl<R> Drop for Pending<R> {
    fn drop(&mut self) {
        self.ticket.give_up();
    }
}

/// Takes what is in a slot.
fn take<T>(slot: &Mutex<Option<T>>) -> Option<T> {
    slot.lock().unwrap_or_else(PoisonError::into_inner).take()
}

/// Locks a mutex, even if a thread that held it has panicked.
pub(super) fn lock<T>(mutex: &std::sync::Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use loom::thread;

    use super::*;

    pub(super) type Mutex<T> = loom::sync::Mutex<T>;

    /// A replacement for the standard library's type, made of loom's.
    #[derive(Debug)]
    pub(super) struct OnceLock<T: 'static>(Mutex<Option<&'static T>>);

    impl<T: 'static> OnceLock<T> {
        pub(super) fn new() -> Self {
            Self(Mutex::new(None))
        }

        pub(super) fn set(&self, value: T) -> Result<(), T> {
            let mut held = self.0.lock().unwrap();
            if held.is_some() {
                return Err(value);
            }
            *held = Some(Box::leak(Box::new(value)));
            Ok(())
        }

        pub(super) fn get(&self) -> Option<&T> {
            *self.0.lock().unwrap()
        }
    }

    /// Runs the threads that share a ticket in every possible order of their steps: the session's task, and `giving_up` threads that give
    /// the operation up.
    fn in_every_order(giving_up: usize) {
        loom::model(move || {
            let turn = Arc::new(());
            let ticket = Ticket::new(Arc::clone(&turn), Work { header: Vec::new(), payload: Bytes::new() });
            let is_over = |ticket: &Ticket<Arc<()>>, turn: &Arc<()>| ticket.work.lock().unwrap().is_none() && Arc::strong_count(turn) == 1;
            let others: Vec<_> = (0..giving_up)
                .map(|_| {
                    let (ticket, turn) = (Arc::clone(&ticket), Arc::clone(&turn));
                    thread::spawn(move || {
                        drop(turn);
                        ticket.give_up();
                        ticket.begun()
                    })
                })
                .collect();
            let begun = ticket.begin().is_some();
            // An operation that has begun keeps its turn until it ends; one that was given up has not begun.
            assert_eq!(ticket.begun().is_some(), begun);
            if begun {
                assert!(ticket.turn.lock().unwrap().is_some());
                ticket.end();
            }
            for other in others {
                assert_eq!(other.join().unwrap(), ticket.begun());
            }
            assert!(is_over(&ticket, &turn));
        });
    }

    #[test]
    fn an_operation_begins_or_is_given_up_and_its_turn_ends_with_it() {
        in_every_order(0);
        in_every_order(1);
        in_every_order(2);
    }

    #[test]
    fn what_is_given_up_has_made_room_at_once() {
        loom::model(|| {
            let turn = Arc::new(());
            let ticket = Ticket::new(Arc::clone(&turn), Work { header: Vec::new(), payload: Bytes::new() });
            let task = thread::spawn({
                let ticket = Arc::clone(&ticket);
                move || ticket.begin().is_some()
            });
            ticket.give_up();
            let is_held = Arc::strong_count(&turn) == 2;
            assert_eq!(ticket.begun().is_some(), is_held);
            assert_eq!(task.join().unwrap(), is_held);
        });
    }
}
