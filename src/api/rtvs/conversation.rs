//! What is on its way in a pipe: who has asked what, and what answers it. `told` reads what the client says, and `said`
//! writes what R says.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use bytes::Bytes;

use super::message::{Message, NOTIFICATION, NoMessage, REQUEST};
use crate::app::prompt::ValueWanted;

/// The most questions of R's that are remembered. R itself asks fewer at the same time; those of evaluations that were stopped remain here.
const QUESTIONS: usize = 1000;

/// The state of one pipe.
#[derive(Debug, Default)]
pub struct Conversation {
    /// How many messages were sent to the client.
    sent: u64,
    /// R's questions that wait for the client, by the ids of their messages.
    pub(super) asked: BTreeMap<u64, Asked>,
    /// Those that nobody waits for any more, as everything was stopped. Their answers may still come.
    pub(super) dropped: BTreeSet<u64>,
    /// The client's requests that wait for R, by the ids of their messages.
    pub(super) requests: HashMap<u64, Requested>,
    /// Whether the client has asked for the end, with the workspace saved.
    pub(super) saves: bool,
}

/// A question of R's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Asked {
    /// R's id.
    pub question: u64,
    /// The name of its message, without the first letter.
    pub name: &'static str,
    /// What answers it.
    pub form: AnswerForm,
}

/// The form of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AnswerForm {
    /// A text or null.
    Text,
    /// One of some letters.
    Letter,
    /// Width, height and resolution.
    Size,
    /// Whether there is one, and where.
    Place,
    /// That something is done.
    Done,
}

/// A request of the client's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Requested {
    /// The name of its message, without the first letter.
    pub name: String,
    /// What answers it.
    pub form: ReplyForm,
}

/// The form of a reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReplyForm {
    /// How an evaluation has ended.
    Evaluation(ValueWanted),
    /// What was done with a blob.
    Blob,
    /// There is none: the client does not want any.
    None,
}

/// Why a conversation cannot go on. A sentence for the log.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// Bytes of the client's are no message.
    #[error("the client has sent what is no message: {0}")]
    Malformed(#[from] NoMessage),
    /// A message of the client's is wrong.
    #[error("the client's message {name:?} is wrong: {what}")]
    Client {
        /// Its name.
        name: String,
        /// What is wrong with it.
        what: String,
    },
    /// A blob cannot be read or written, for which the protocol has no reply.
    #[error("a blob cannot be used as the client wants: {0}")]
    Blob(String),
    /// What R says makes no sense.
    #[error("R's message is wrong: {0}")]
    R(&'static str),
}

impl Conversation {
    fn next_id(&mut self) -> u64 {
        self.sent += 1;
        2 * self.sent - 1
    }

    /// A message to the client that wants no answer.
    pub(super) fn notification(&mut self, name: &str, json: String, blob: Bytes) -> Message {
        Message { id: self.next_id(), request: NOTIFICATION, name: format!("!{name}"), json, blob }
    }

    /// A question to the client.
    pub(super) fn question(&mut self, asked: Asked, json: String) -> Message {
        let id = self.next_id();
        self.asked.insert(id, asked);
        if self.asked.len() > QUESTIONS {
            self.asked.pop_first();
        }
        Message { id, request: REQUEST, name: format!("?{}", asked.name), json, blob: Bytes::new() }
    }

    /// The reply to a request of the client's.
    pub(super) fn reply(&mut self, request: u64, name: &str, json: String, blob: Bytes) -> Message {
        Message { id: self.next_id(), request, name: format!(":{name}"), json, blob }
    }

    /// The reply to an evaluation that was given up before R knew of it.
    pub fn give_up(&mut self, id: u64) -> Option<Message> {
        let requested = self.requests.remove(&id)?;
        Some(self.reply(id, &requested.name, "[null]".to_owned(), Bytes::new()))
    }

    /// Everything was stopped: nobody waits for answers any more.
    pub(super) fn drop_questions(&mut self) {
        self.dropped = std::mem::take(&mut self.asked).into_keys().collect();
    }
}
