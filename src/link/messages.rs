//! What the supervisor and the zygote say to each other, and how messages are encoded; [`super::command`] is what is said
//! to workers.
//!
//! The headers are encoded by postcard; payloads (code, encoded objects) travel beside them as raw bytes, in
//! [`super::frame`]s. Both programs are built from this file, so there are no versions.

use std::path::PathBuf;

use serde::{Deserialize, Serialize, de::DeserializeOwned};

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
    /// Size of all files together, in bytes.
    pub disk: Option<u64>,
}

/// To the zygote, once: how it starts. The file whose locks reserve the sessions' users comes with it, where they
/// have users of their own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Start {
    /// Packages to load.
    pub preload: Vec<String>,
    /// Where sessions install packages from.
    pub repositories: Vec<String>,
}

/// To the zygote, when it has started.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum ZygoteRequest {
    /// Make a worker.
    Fork(Fork),
    /// The worker of this process id has ended, and has not been reaped, as one of its processes keeps it: end these.
    EndStrays(i32),
    /// Say that you are there; the number names the answer.
    Ping(u64),
}

/// A worker to be made. With it come the worker's ends of the socket for commands and of the pipe for replies, the
/// memory for its first large reply, and its end of the console's pipe, in this order.
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
    /// Where the worker becomes a member of a control group, if it is to be one.
    pub group: Option<PathBuf>,
    /// Marks the error stream in the console; see [`super::marks`].
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
    /// A worker was forked. It says [`super::command::Reply::Hello`] on its own pipe when it is ready.
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
    /// To [`ZygoteRequest::Ping`].
    Here(u64),
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

/// The folders of a session, below its own.
pub mod folder {
    /// The variable that tells a session, and whatever it starts, where its working folder is.
    pub const VARIABLE: &str = "OFFSHOOT_SESSION_FOLDER";
    /// Where its code runs.
    pub const WORK: &str = "work";
    /// Where R's temporary folder is.
    pub const TEMPORARY: &str = "tmp";
    /// What it installs of packages for itself.
    pub const LIBRARY: &str = "library";
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

/// A header from bytes; `None` when they are not one, or more than one.
#[must_use]
pub fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Option<T> {
    postcard::take_from_bytes(bytes).ok().filter(|(_, rest)| rest.is_empty()).map(|(message, _)| message)
}
