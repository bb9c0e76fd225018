//! What the zygote has been asked and has not answered, and the workers of whose end it has not told.
//!
//! Shared by the thread that asks and the one that reads what it says.

use std::{
    collections::HashMap,
    sync::Mutex,
    time::{Duration, Instant},
};

use tokio::sync::oneshot;

use super::{failure::WorkerError, queue::lock, zygote::Forked};
use crate::link::messages::Exit;

/// What the zygote gets for an answer, which takes a millisecond or two. One that takes longer does nothing any more.
pub(super) const ANSWER: Duration = Duration::from_secs(5);

/// What was asked.
#[derive(Debug)]
pub(super) enum Question {
    /// To fork.
    Fork(oneshot::Sender<Result<Forked, WorkerError>>),
    /// Nothing but an answer.
    Ping(oneshot::Sender<()>),
}

#[derive(Debug)]
struct Asked {
    since: Instant,
    question: Question,
}

/// See the top of this file.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    asked: Mutex<HashMap<u64, Asked>>,
    /// When it answered last: it answers one question after the other, and the last of many may wait for long.
    heard: Mutex<Option<Instant>>,
    exits: Mutex<HashMap<i32, oneshot::Sender<Exit>>>,
}

impl Question {
    /// Tells whoever waits that there will be no answer.
    pub(super) fn refuse(self, reason: WorkerError) {
        if let Self::Fork(answer) = self {
            let _ = answer.send(Err(reason));
        }
    }
}

impl Waiting {
    /// A question is on its way, under this number.
    pub(super) fn ask(&self, number: u64, question: Question) {
        lock(&self.asked).insert(number, Asked { since: Instant::now(), question });
    }

    /// A question has been answered, or cannot be asked.
    pub(super) fn answered(&self, number: u64) -> Option<Question> {
        *lock(&self.heard) = Some(Instant::now());
        lock(&self.asked).remove(&number).map(|asked| asked.question)
    }

    /// When the zygote will have taken too long.
    pub(super) fn patience_ends(&self) -> Option<Instant> {
        let oldest = lock(&self.asked).values().map(|asked| asked.since).min()?;
        Some(lock(&self.heard).map_or(oldest, |heard| heard.max(oldest)) + ANSWER)
    }

    /// Nothing that was asked will be answered.
    pub(super) fn refuse(&self, reason: &WorkerError) {
        lock(&self.asked).drain().for_each(|(_, asked)| asked.question.refuse(reason.clone()));
    }

    /// A worker was forked; its end will be told.
    pub(super) fn forked(&self, pid: i32) -> Forked {
        let (ended, exit) = oneshot::channel();
        lock(&self.exits).insert(pid, ended);
        Forked { pid, exit }
    }

    /// A worker has ended.
    pub(super) fn exited(&self, pid: i32, exit: Exit) {
        if let Some(ended) = lock(&self.exits).remove(&pid) {
            let _ = ended.send(exit);
        }
    }

    /// There is no zygote any more: whoever waits for a fork is told, and of workers that end now, nobody reports how.
    pub(super) fn forget(&self) {
        lock(&self.asked).clear();
        lock(&self.exits).clear();
    }
}
