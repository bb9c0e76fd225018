//! The words in which sessions are asked for, and in which they answer.

use std::{fmt, sync::Arc};

use bytes::Bytes;
use uuid::Uuid;

use super::{failure::WorkerError, handle::Session, tombstone::Tombstone};

/// What a session is for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Purpose {
    /// To be worked in: its owner sees it, until it is closed.
    #[default]
    Work,
    /// For one run of a script: seen by nobody, and counted as its owner's.
    Run,
    /// For a question that the server has for R: seen by nobody, and counted as nobody's.
    Question,
}

/// What a session is to be.
#[derive(Debug, Clone, Copy, Default)]
pub struct Opening<'a> {
    /// Whose it is: a user name.
    pub owner: &'a str,
    /// The login that it ends with, if it does.
    pub login: Option<Uuid>,
    /// What it is for.
    pub purpose: Purpose,
    /// Its identity; a new one unless given.
    pub id: Option<Uuid>,
    /// Limits other than the configuration's.
    pub boundary: Option<Boundary>,
    /// Seconds after which it ends if nobody uses it, other than the configuration's; 0 is never.
    pub idle_seconds: Option<u64>,
    /// Seconds that one operation may take, other than the configuration's; 0 is no limit.
    pub operation_seconds: Option<u64>,
}

/// Limits other than the configuration's; 0 is no limit, `None` is the configuration's.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Boundary {
    /// Processor time of one operation, in seconds.
    pub cpu_seconds: Option<u64>,
    /// Memory, in MiB.
    pub memory_mib: Option<u64>,
}

/// Why no session was opened.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// The server has as many as it may have.
    #[error("the server has its {0} R sessions open already; close one, or try again later")]
    TooMany(usize),
    /// The user has.
    #[error("{user} has {limit} R sessions open already; close one first")]
    TooManyOfUser {
        /// The user.
        user: String,
        /// How many a user may have.
        limit: usize,
    },
    /// Callers without a login have.
    #[error("callers without a login have {0} R sessions open already; log in, or try again later")]
    TooManyOfNobody(usize),
    /// The login that it was to end with has ended meanwhile.
    #[error("the login has ended")]
    LoginOver,
    /// The server is stopping.
    #[error("the server is stopping")]
    Stopping,
    /// R was stopped, and not started again yet.
    #[error("the R server is stopped")]
    Stopped,
    /// There is no worker.
    #[error("R cannot be started: {0}")]
    NoWorker(WorkerError),
}

/// Why a session was not found.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LookupError {
    /// There is none of that id, or it is somebody else's, which is not told.
    #[error("there is no such R session")]
    Unknown,
    /// There was.
    #[error("the R session has ended: {0}")]
    Dead(Tombstone),
}

/// A session, wherever it is between its opening and its being forgotten.
#[derive(Debug, Clone)]
pub enum Found {
    /// It is there.
    Live(Arc<Session>),
    /// It has ended by itself.
    Dead {
        /// Whose it was.
        owner: String,
        /// What is left of it.
        tombstone: Tombstone,
    },
}

/// Why an operation was stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stop {
    /// Somebody asked for it.
    Interrupt,
    /// It took longer than it may, in seconds.
    TimeLimit(u64),
    /// The session is being closed.
    Close,
}

impl fmt::Display for Stop {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Interrupt => write!(formatter, "an interrupt"),
            Self::TimeLimit(seconds) => write!(formatter, "its time limit of {seconds} s"),
            Self::Close => write!(formatter, "the close of the session"),
        }
    }
}

/// What an operation gave.
#[derive(Debug)]
pub struct Answer<T> {
    /// What the worker has replied.
    pub reply: T,
    /// What came with it.
    pub payload: Bytes,
    /// What was printed.
    pub console: String,
    /// Why it was stopped, if it was.
    pub stopped: Option<Stop>,
}

/// Why an operation gave nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OperationError {
    /// Another operation runs, and the caller would not wait.
    #[error("the R session is busy")]
    Busy,
    /// Too many operations wait already.
    #[error("too many operations are waiting for the R session")]
    QueueFull,
    /// So many bytes were to be kept for somebody to come back for, and there is no room for them.
    #[error("there is no room to keep {0} bytes more; fetch or remove the results of earlier commands first")]
    NothingKept(usize),
    /// It was carried out, but its answer has so many bytes, and earlier ones that nobody has read yet leave no room for it.
    #[error(
        "the operation was carried out, but earlier answers, which have not been read yet, leave no room for its own of {0} bytes; \
         read these first"
    )]
    Unread(usize),
    /// R could not carry it out, and why.
    #[error("{0}")]
    Refused(String),
    /// The inputs are not as they have to be, and nothing was done. A sentence.
    #[error("{0}")]
    InvalidInput(String),
    /// The names that belong to it are longer than a command may be; in bytes, both.
    #[error("the operation has names of {0} bytes; at most {1} can be carried out at once")]
    TooLong(usize, usize),
    /// The session is closed, or being closed; why, unless its owner has done it.
    #[error("the R session {}", _0.as_ref().map_or_else(|| "is closed".to_owned(), |why| format!("has ended: {why}")))]
    Closed(Option<Tombstone>),
    /// The session ended before or during the operation.
    #[error("{0}")]
    Dead(Tombstone),
}

/// Whether an operation waits for the one that runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admission {
    /// It is refused.
    Immediate,
    /// It waits its turn.
    Queued,
}
