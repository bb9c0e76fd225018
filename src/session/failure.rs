//! Why R was not started, and why there is no worker.

use std::{io, path::PathBuf, process::ExitStatus};

use rustix::io::Errno;

use super::rhome::EnvironmentError;
use crate::system::users::LeaseError;

/// Why R was not started.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// There is no socket for the zygote.
    #[error("control socket")]
    Control(#[source] io::Error),
    /// The worker program is missing.
    #[error("r.worker: {} is not there; cargo build makes it, beside offshoot", .0.display())]
    NoProgram(PathBuf),
    /// The worker program cannot be started.
    #[error("r.worker: {}", .0.display())]
    Program(PathBuf, #[source] io::Error),
    /// The worker program is expected beside this one, whose own path is unknown.
    #[error("r.worker")]
    OwnProgram(#[source] io::Error),
    /// R's environment cannot be made.
    #[error(transparent)]
    Environment(#[from] EnvironmentError),
    /// R took longer than this, in seconds.
    #[error("R did not start within {0} seconds")]
    Late(u64),
    /// R reported this error.
    #[error("R did not start: {0}")]
    R(String),
    /// The program ended.
    #[error("R did not start: {} ended with {status}", program.display())]
    Ended {
        /// The program.
        program: PathBuf,
        /// Its status.
        status: ExitStatus,
    },
    /// A setting is wrong. A sentence that names it.
    #[error("{0}")]
    Setting(String),
    /// Sessions cannot have the network that they are to have.
    #[error("sessions.network: {0}")]
    Network(WorkerError),
    /// Sessions cannot have users of their own.
    #[error("sessions.users: sessions cannot have users of their own, as {0}")]
    Users(LeaseError),
    /// Files that an earlier run has left in this folder cannot be moved away.
    #[error("{}", .0.display())]
    Folder(PathBuf, #[source] io::Error),
    /// The server is stopping.
    #[error("the server is stopping")]
    Stopping,
    /// The system failed.
    #[error(transparent)]
    System(#[from] io::Error),
}

/// Why there is no worker.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WorkerError {
    /// The server is stopping.
    #[error("the server is stopping")]
    Stopping,
    /// A file or descriptor that a worker needs cannot be made.
    #[error("no worker could be made: {0}")]
    System(Errno),
    /// No user id is free.
    #[error("{0}")]
    NoUser(&'static str),
    /// The session cannot have its network. The end of a sentence.
    #[error("sessions cannot have the network \"outbound\" here, as {0}")]
    Network(String),
    /// The zygote ended before it answered.
    #[error("the zygote ended while it forked")]
    ZygoteEnded,
    /// There is no zygote.
    #[error("R is not running; it may be started again in a moment")]
    NotRunning,
    /// The request cannot be sent to the zygote.
    #[error("the zygote cannot be reached: {0}")]
    Unreachable(Errno),
    /// The zygote has not answered for this many seconds.
    #[error("the zygote did not answer within {0} seconds; R is started again")]
    Silent(u64),
    /// The zygote could not fork, for this reason.
    #[error("{0}")]
    NotForked(String),
    /// The worker ended before it was ready; the text is what it printed.
    #[error("a worker did not start: {0}")]
    NotReady(String),
}

impl From<io::Error> for WorkerError {
    fn from(error: io::Error) -> Self {
        Self::System(Errno::from_io_error(&error).unwrap_or(Errno::IO))
    }
}

impl From<Errno> for WorkerError {
    fn from(error: Errno) -> Self {
        Self::System(error)
    }
}
