//! Questions that the zygote has not answered yet, and workers whose end it has not reported yet.
//!
//! Shared by the thread that asks the zygote and the thread that reads its answers.

use std::{
    collections::HashMap,
    sync::Mutex,
    time::{Duration, Instant},
};

use tokio::sync::oneshot;

use super::{failure::WorkerError, queue::lock, zygote::Forked};
use crate::link::messages::Exit;

/// How long the zygote may take for an answer. A millisecond or two is normal; a zygote that takes longer than this hangs.
pub(super) const ANSWER: Duration = Duration::from_secs(5);

/// A question to the zygote.
#[derive(Debug)]
pub(super) enum Question {
    /// Fork a worker.
    Fork(oneshot::Sender<Result<Forked, WorkerError>>),
    /// Only answer.
    Ping(oneshot::Sender<()>),
}

#[derive(Debug)]
struct Asked {
    since: Instant,
    question: Question,
}

/// Questions without an answer, and workers whose end has not been reported.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    asked: Mutex<HashMap<u64, Asked>>,
    /// When the zygote answered last. Time is counted from there, because it answers questions one after the other, and the last of many
    /// may have to wait for long.
    heard: Mutex<Option<Instant>>,
    exits: Mutex<HashMap<i32, oneshot::Sender<Exit>>>,
}

impl Question {
    /// Tells the asker that there will be no answer.
    pub(super) fn refuse(self, reason: WorkerError) {
        if let Self::Fork(answer) = self {
            let _ = answer.send(Err(reason));
        }
    }
}

impl Waiting {
    /// Adds a question, which is sent under this number.
    pub(super) fn ask(&self, number: u64, question: Question) {
        lock(&self.asked).insert(number, Asked { since: Instant::now(), question });
    }

    /// Removes a question that has been answered, or cannot be sent.
    pub(super) fn answered(&self, number: u64) -> Option<Question> {
        *lock(&self.heard) = Some(Instant::now());
        lock(&self.asked).remove(&number).map(|asked| asked.question)
    }

    /// When the zygote will have taken too long for its next answer.
    pub(super) fn patience_ends(&self) -> Option<Instant> {
        let oldest = lock(&self.asked).values().map(|asked| asked.since).min()?;
        Some(lock(&self.heard).map_or(oldest, |heard| heard.max(oldest)) + ANSWER)
    }

    /// Refuses all open questions.
    pub(super) fn refuse(&self, reason: &WorkerError) {
        lock(&self.asked).drain().for_each(|(_, asked)| asked.question.refuse(reason.clone()));
    }

    /// Adds a worker that was forked. The result tells its end.
    pub(super) fn forked(&self, pid: i32) -> Forked {
        let (ended, exit) = oneshot::channel();
        lock(&self.exits).insert(pid, ended);
        Forked { pid, exit }
    }

    /// Reports that a worker has ended.
    pub(super) fn exited(&self, pid: i32, exit: Exit) {
        if let Some(ended) = lock(&self.exits).remove(&pid) {
            let _ = ended.send(exit);
        }
    }

    /// Notes that the zygote is gone: open questions are refused, and nobody will report how the remaining workers end.
    pub(super) fn forget(&self) {
        lock(&self.asked).clear();
        lock(&self.exits).clear();
    }
}
