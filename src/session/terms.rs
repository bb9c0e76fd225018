//! Types for opening and finding sessions, and for the results of operations.

use std::{fmt, sync::Arc};

use bytes::Bytes;
use uuid::Uuid;

use super::{failure::WorkerError, handle::Session, tombstone::Tombstone};
use crate::{config::NetworkMode, link::messages::RunAs};

/// What a session is for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Purpose {
    /// For a user to work in. Its owner sees it until it is closed.
    #[default]
    Work,
    /// For a user at R's own prompt, by a client that holds the connection to it. The session ends with that.
    Prompt,
    /// For one run of a script. Nobody sees it, and it counts as its owner's.
    Run,
    /// Prepared for a run that may come, which takes it over. Nobody sees it, and it gives way where a session of another purpose needs its
    /// place, be it among its owner's or among all.
    Ahead,
    /// For a question of the server's to R. Nobody sees it, and it does not count.
    Question,
}

/// What to open.
#[derive(Debug, Clone, Copy, Default)]
pub struct Opening<'a> {
    /// The user name of the owner.
    pub owner: &'a str,
    /// The login that the session ends with, if there is one.
    pub login: Option<Uuid>,
    /// What the session is for.
    pub purpose: Purpose,
    /// Its identity; `None` for a new one.
    pub id: Option<Uuid>,
    /// What its owner calls it; empty if it has no name.
    pub name: &'a str,
    /// Somebody with an account of the operating system, as whom it runs.
    pub run_as: Option<&'a RunAs>,
    /// Limits that replace the configuration's.
    pub boundary: Option<LimitOverrides>,
    /// Seconds without use after which the session ends; 0 is never, `None` is the configuration's.
    pub idle_seconds: Option<u64>,
    /// Seconds that one operation may take; 0 is no limit, `None` is the configuration's.
    pub operation_seconds: Option<u64>,
}

/// Limits that replace the configuration's; 0 is no limit, `None` is the configuration's.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct LimitOverrides {
    /// Processor time of one operation, in seconds.
    pub cpu_seconds: Option<u64>,
    /// Memory, in MiB.
    pub memory_mib: Option<u64>,
    /// The network.
    pub network: Option<NetworkMode>,
}

/// Why no session was opened.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// The server has as many sessions as it may have.
    #[error("the server has its {0} R sessions open already; close one, or try again later")]
    TooMany(usize),
    /// The user has as many sessions as one may have.
    #[error("{user} has {limit} R sessions open already; close one first")]
    TooManyOfUser {
        /// The user.
        user: String,
        /// The most sessions of a user.
        limit: usize,
    },
    /// Callers without a login have as many sessions as they may have.
    #[error("callers without a login have {0} R sessions open already; log in, or try again later")]
    TooManyOfNobody(usize),
    /// The session's login has ended meanwhile.
    #[error("the login has ended")]
    LoginOver,
    /// The server is stopping.
    #[error("the server is stopping")]
    Stopping,
    /// R was stopped, and has not been started again yet.
    #[error("the R server is stopped")]
    Stopped,
    /// There is nobody whom the session could run as, and why.
    #[error("{0}")]
    Person(String),
    /// There is no worker.
    #[error("R cannot be started: {0}")]
    NoWorker(WorkerError),
}

/// Why a session was not found.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LookupError {
    /// There is no session with this id, or it is somebody else's. We do not say which.
    #[error("there is no such R session")]
    Unknown,
    /// The session has ended.
    #[error("the R session has ended: {0}")]
    Dead(Tombstone),
}

/// A session that is live, or has ended and is not forgotten yet.
#[derive(Debug, Clone)]
pub enum Found {
    /// The session is live.
    Live(Arc<Session>),
    /// The session has ended by itself.
    Dead {
        /// The user name of its owner.
        owner: String,
        /// What is known of its end.
        tombstone: Tombstone,
    },
    /// Its owner has closed the session, or its login has ended.
    Closed {
        /// The user name of its owner.
        owner: String,
    },
}

/// Why an operation was stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stop {
    /// Somebody interrupted it.
    Interrupt,
    /// It took longer than allowed; in seconds.
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

/// The result of an operation.
#[derive(Debug)]
pub struct Completion<T> {
    /// The worker's reply.
    pub reply: T,
    /// The reply's payload.
    pub payload: Bytes,
    /// The printed text.
    pub console: String,
    /// Why the operation was stopped, if it was.
    pub stopped: Option<Stop>,
}

/// Why an operation has no result.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OperationError {
    /// Another operation is running, and the caller did not want to wait.
    #[error("the R session is busy")]
    Busy,
    /// Too many operations wait already.
    #[error("too many operations are waiting for the R session")]
    QueueFull,
    /// There is no room to keep this many bytes until somebody fetches them.
    #[error("there is no room to keep {0} bytes more; fetch or remove the results of earlier commands first")]
    NothingKept(usize),
    /// The operation was carried out, but there is no room for its answer of this many bytes beside earlier ones that nobody has read yet.
    #[error(
        "the operation was carried out, but earlier answers, which have not been read yet, leave no room for its own of {0} bytes; \
         read these first"
    )]
    Unread(usize),
    /// R could not carry out the operation, for this reason.
    #[error("{0}")]
    Refused(String),
    /// The inputs are wrong, and nothing was done. A sentence.
    #[error("{0}")]
    InvalidInput(String),
    /// The operation's names are longer than a command may be: their size, and the limit, in bytes.
    #[error("the operation has names of {0} bytes; at most {1} can be carried out at once")]
    TooLong(usize, usize),
    /// The session is closed or being closed, for this reason; `None` if its owner closed it.
    #[error("the R session {}", _0.as_ref().map_or_else(|| "is closed".to_owned(), |why| format!("has ended: {why}")))]
    Closed(Option<Tombstone>),
    /// The session ended before or during the operation.
    #[error("{0}")]
    Dead(Tombstone),
}

/// What happens to an operation when another is running.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Admission {
    /// The operation is refused.
    #[default]
    Immediate,
    /// The operation waits for its turn.
    Queued,
}
