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

/// How long the zygote may take for an answer. A millisecond or two is normal; a zygote that waits for longer than this hangs.
pub(super) const ANSWER: Duration = Duration::from_secs(5);
/// How long it may take if it is at work meanwhile. On a machine with too much to do, this may be long.
const WORK: Duration = Duration::from_secs(30);

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

    /// When the zygote will have taken too long for its next answer, if it is at work, or if it is not.
    pub(super) fn patience_ends(&self, is_at_work: bool) -> Option<Instant> {
        let patience = if is_at_work { WORK } else { ANSWER };
        let oldest = lock(&self.asked).values().map(|asked| asked.since).min()?;
        Some(lock(&self.heard).map_or(oldest, |heard| heard.max(oldest)) + patience)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_zygote_that_is_slow_with_its_work_is_not_taken_for_one_that_hangs() {
        let waiting = Waiting::default();
        assert_eq!([true, false].map(|is_at_work| waiting.patience_ends(is_at_work)), [None, None]);
        let (answer, _asker) = oneshot::channel();
        waiting.ask(1, Question::Ping(answer));
        let [slow, hanging] = [true, false].map(|is_at_work| waiting.patience_ends(is_at_work).unwrap());
        assert_eq!(slow - hanging, WORK.checked_sub(ANSWER).unwrap());
        waiting.answered(1);
        assert_eq!(waiting.patience_ends(true), None);
    }
}
