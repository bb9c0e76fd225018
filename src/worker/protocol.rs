//! What the supervisor, the zygote and the workers say to each other.
//!
//! The headers are encoded by postcard; payloads (code, encoded objects) travel beside them as raw bytes, in
//! [`super::frame`]s. Both programs are built from this file, so there are no versions.

use std::path::PathBuf;

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use uuid::Uuid;

use crate::wire::{Detail, Encoding, MissingObject, ValueEncoding, condition::Condition};

/// What one session may use. `None` is no limit.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Memory that R may allocate beyond what it starts with, in bytes.
    pub memory: Option<u64>,
    /// Processor time of one operation, in seconds.
    pub cpu_seconds: Option<u64>,
    /// Processes and threads, the worker's own included.
    pub processes: Option<u64>,
    /// Size of any file written, in bytes.
    pub file_size: Option<u64>,
}

/// To the zygote: make a worker. The worker's end of its frame socket and of its console pipe come with it,
/// in this order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fork {
    /// Names the answer.
    pub request: u64,
    /// The session's folder; the worker makes it.
    pub folder: PathBuf,
    /// The user and group to run as; `None` to stay as the server is.
    pub user: Option<u32>,
    /// What it may use.
    pub limits: Limits,
    /// Marks the error stream in the console; see [`crate::r::console`].
    pub tag: [u8; 16],
}

/// From the zygote.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum ZygoteReply {
    /// R runs, packages are loaded; forks are welcome.
    Ready {
        /// R's version: "4.2.2".
        r_version: String,
        /// Packages that could not be preloaded, each with the reason.
        warnings: Vec<String>,
    },
    /// The zygote gives up: R did not start.
    Broken(String),
    /// A worker was forked. It says [`Reply::Hello`] on its own socket when it is ready.
    Forked {
        /// From [`Fork::request`].
        request: u64,
        /// Its process id, which is also its process group.
        pid: i32,
    },
    /// No worker could be forked.
    NotForked {
        /// From [`Fork::request`].
        request: u64,
        /// Why.
        reason: String,
    },
    /// A worker ended.
    Exited {
        /// Its process id.
        pid: i32,
        /// How.
        exit: Exit,
    },
}

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Exit {
    /// By itself, with this status.
    Status(i32),
    /// By this signal.
    Signal(i32),
}

/// To a worker: one command, answered by exactly one [`Reply`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Request {
    /// Evaluate the code in the payload.
    Execute(Execute),
    /// Evaluate the code in the payload for the value of its last statement, visible or not; NULL when there
    /// is no statement. Nothing is printed by itself.
    Evaluate(Use),
    /// Bind the value in the payload, a stream of R's `serialize()`, to a name.
    Assign {
        /// The name.
        name: String,
    },
    /// Write out objects.
    Objects {
        /// Which; `None` for all that `ls()` shows.
        names: Option<Vec<String>>,
        /// How much of each.
        detail: Detail,
        /// In which form.
        encoding: Encoding,
    },
    /// Remove an object.
    Remove {
        /// Its name.
        name: String,
    },
    /// Run `.Last` and finalizers, and end. Not answered.
    End,
}

/// An evaluation and what is wanted back from it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Execute {
    /// Print visible values, as R's prompt does.
    pub print: bool,
    /// Objects to write out at the end.
    pub objects: Vec<String>,
    /// In which form.
    pub encoding: Encoding,
    /// Files to publish at the end, by their paths in the working folder. Unnamed plots are always published.
    pub publish: Vec<String>,
}

/// What becomes of the value of an evaluation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Use {
    /// It is the payload of the reply.
    Return(ValueEncoding),
    /// It is bound to this name in the global environment.
    Assign(String),
}

/// From a worker.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Reply {
    /// Ready for the first command.
    Hello,
    /// To [`Request::Execute`]; the payload is the objects.
    Executed(Executed),
    /// To [`Request::Evaluate`]; the payload is the value, if it was to be returned and nothing failed.
    Evaluated(Evaluated),
    /// To [`Request::Assign`]: the name is bound.
    Assigned,
    /// To [`Request::Objects`]; the payload is the objects.
    Objects {
        /// Those that are not in it.
        missing: Vec<MissingObject>,
    },
    /// To [`Request::Remove`]: whether there was one.
    Removed(bool),
    /// The command could not be carried out.
    Refused(String),
    /// `q()` was called: the session ends with this status. Takes the place of the reply.
    Quit(i32),
}

/// What an evaluation did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Executed {
    /// How it ended.
    pub ending: Ending,
    /// Warnings and messages, in order.
    pub conditions: Vec<Condition>,
    /// Warnings and messages beyond the number that is kept.
    pub dropped_conditions: u64,
    /// Objects that were asked for and are not in the payload.
    pub missing: Vec<MissingObject>,
    /// Files of the working folder that it created or changed, sorted.
    pub changed: Vec<ChangedFile>,
    /// Files that were published: unnamed plots first, then those asked for.
    pub published: Vec<PublishedFile>,
}

/// What an evaluation for a value did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evaluated {
    /// How it ended. A value that cannot be bound or written is an error as well, and so is what stopped the
    /// writing.
    pub ending: Ending,
    /// Warnings and messages, in order.
    pub conditions: Vec<Condition>,
    /// Warnings and messages beyond the number that is kept.
    pub dropped_conditions: u64,
}

/// How an evaluation ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Ending {
    /// Every statement ran.
    Completed,
    /// Nothing ran: the code does not parse.
    SyntaxError {
        /// R's message.
        message: String,
        /// Line, counted from 1; 0 when unknown.
        line: u32,
        /// Column, counted from 1; 0 when unknown.
        column: u32,
    },
    /// An error stopped it.
    Failed(Condition),
    /// An interrupt stopped it.
    Interrupted,
    /// It used up the processor time of one operation.
    CpuLimit,
}

/// A file that an evaluation wrote.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChangedFile {
    /// Its path in the working folder.
    pub path: String,
    /// Whether it was not there before.
    pub created: bool,
    /// Its size now, in bytes.
    pub size: u64,
}

/// A copy of a file as it was at the end of an evaluation, in the folder `files` of the session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PublishedFile {
    /// Its path in the working folder.
    pub name: String,
    /// The name of the copy.
    pub id: Uuid,
    /// Its size, in bytes.
    pub size: u64,
}

/// The folders of a session, below its own.
pub mod folder {
    /// Where its code runs.
    pub const WORK: &str = "work";
    /// Where R's temporary folder is.
    pub const TEMPORARY: &str = "tmp";
    /// Where published copies are.
    pub const FILES: &str = "files";
}

/// A header as bytes.
///
/// # Panics
/// Never: these types hold nothing that postcard cannot encode.
#[must_use]
pub fn encode<T: Serialize>(message: &T) -> Vec<u8> {
    postcard::to_stdvec(message).expect("invariant: the protocol's types can be encoded")
}

/// A header from bytes; `None` when they are not one.
#[must_use]
pub fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Option<T> {
    postcard::from_bytes(bytes).ok()
}
