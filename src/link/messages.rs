//! The messages between the supervisor and the zygote, and the encoding of all messages. Those to workers are in [`super::command`].
//!
//! The headers are encoded by postcard; payloads (code, encoded objects) travel beside them as raw bytes, in [`super::frame`]s. Both
//! programs are built from this file, so there are no versions.

use std::path::PathBuf;

use serde::{Deserialize, Serialize, de::DeserializeOwned};

/// The limits of one session. `None` is no limit.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Memory that R may allocate beyond what it starts with, in bytes.
    pub memory: Option<u64>,
    /// Processor time of one operation, in seconds.
    pub cpu_seconds: Option<u64>,
    /// Processes and threads, including the worker itself.
    pub processes: Option<u64>,
    /// Size of each file that is written, in bytes.
    pub file_size: Option<u64>,
    /// Size of all files together, in bytes.
    pub disk: Option<u64>,
    /// Its network.
    pub network: Network,
}

/// The first message to the zygote, which is sent once. If there are namespaces, memory with the code of all comes with it and, if
/// sessions have users of their own, the file whose locks reserve these.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Start {
    /// Packages to load.
    pub preload: Vec<String>,
    /// The repositories from which sessions install packages.
    pub repositories: Vec<String>,
    /// The walls around sessions.
    pub sandbox: Sandbox,
    /// Namespaces of R code for clients of interactive sessions.
    pub namespaces: Vec<Namespace>,
}

/// A namespace of R code.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Namespace {
    /// Its name.
    pub name: String,
    /// Its version, as R has them: "1.0".
    pub version: String,
    /// How many bytes its code has. The code of one comes after that of the other.
    pub length: usize,
}

/// The walls around sessions, as they are wanted.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sandbox {
    /// Which are wanted.
    pub wanted: Wanted,
    /// Places that sessions may read besides R, its packages and the system.
    pub readable: Vec<PathBuf>,
    /// Places that they may change besides their own.
    pub writable: Vec<PathBuf>,
    /// The server's own folder and files, which they may not reach.
    pub hidden: Vec<PathBuf>,
    /// The network of sessions whose limits say nothing else.
    pub network: Network,
}

impl Sandbox {
    /// Lets sessions read the repositories of packages that are folders of this machine.
    pub fn read_repositories(&mut self, repositories: &[String]) {
        self.readable.extend(repositories.iter().filter_map(|repository| repository.strip_prefix("file://").map(PathBuf::from)));
    }
}

/// The walls around a program that is no session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Confinement {
    /// What is wanted.
    pub sandbox: Sandbox,
    /// The folder whose files it may change.
    pub folder: PathBuf,
    /// The folder that it has instead of common ones.
    pub temporary: PathBuf,
}

/// Which walls around sessions are wanted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Wanted {
    /// None.
    #[default]
    None,
    /// Those that the system gives.
    Possible,
    /// All that the promises rest on.
    All,
}

/// The walls around sessions, as they are.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Walls {
    /// They reach no files but their own and those that everybody may read.
    pub files: bool,
    /// They signal nobody else, and reach no abstract sockets of others.
    pub scopes: bool,
    /// They cannot make system calls that nobody needs.
    pub calls: bool,
    /// They have their own view of the file system, and their own objects of System V.
    pub private: bool,
    /// What is missing: a sentence each.
    pub missing: Vec<String>,
}

impl Walls {
    /// Each wall by its name, and whether it is there.
    #[must_use]
    pub fn named(&self) -> [(&'static str, bool); 4] {
        [("files", self.files), ("signals", self.scopes), ("system-calls", self.calls), ("namespaces", self.private)]
    }

    /// The names of those that are there.
    #[must_use]
    pub fn present(&self) -> Vec<&'static str> {
        self.named().into_iter().filter_map(|(name, is_there)| is_there.then_some(name)).collect()
    }
}

/// The network that a session has.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Network {
    /// That of the machine.
    #[default]
    Full,
    /// The same, without the machine's own addresses and those of the link, and without listening.
    Outbound,
    /// None.
    None,
}

/// A message to the zygote after its start.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum ZygoteRequest {
    /// Fork a worker.
    Fork(Fork),
    /// The worker with this process id has ended, and some of its processes keep it from being reaped: end these.
    EndStrays(i32),
    /// Answer; the number identifies the answer.
    Ping(u64),
}

/// A worker to be forked. Four descriptors come with it, in this order: the worker's ends of the socket for commands and of the pipe for
/// replies, the memory for its first large reply, and its end of the console pipe.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fork {
    /// Identifies the answer.
    pub request: u64,
    /// The session's folder, which the worker makes.
    pub folder: PathBuf,
    /// The user and group that nobody else has, to run as; `None` for the server's.
    pub user: Option<u32>,
    /// Somebody with an account of the operating system to run as, instead of either. They may have other processes.
    pub person: Option<Box<RunAs>>,
    /// Its limits.
    pub limits: Limits,
    /// The file by which the worker joins a control group, if there is one for it.
    pub group: Option<PathBuf>,
    /// Marks the error stream in the console; see [`super::marks`].
    pub tag: [u8; 16],
}

/// Somebody with an account of the operating system, as whom a session runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunAs {
    /// The name.
    pub name: String,
    /// The user id.
    pub user: u32,
    /// The id of the first group.
    pub group: u32,
    /// The ids of all groups.
    pub groups: Vec<u32>,
    /// The home folder.
    pub home: PathBuf,
}

impl Fork {
    /// The user and the group that the session's folders belong to; `None` for the server's.
    #[must_use]
    pub fn ids(&self) -> Option<(u32, u32)> {
        self.person.as_ref().map(|person| (person.user, person.group)).or_else(|| self.user.map(|user| (user, user)))
    }
}

/// What a zygote says of itself when it can fork.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ready {
    /// R's version: "4.2.2".
    pub r_version: String,
    /// Packages that could not be preloaded, each with the reason.
    pub warnings: Vec<String>,
    /// What sessions do about packages that are preloaded.
    pub notes: Vec<String>,
    /// The walls around sessions.
    pub walls: Walls,
}

/// A message from the zygote.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum ZygoteReply {
    /// R is running and packages are loaded, so the zygote can fork.
    Ready(Ready),
    /// R did not start, for this reason, and the zygote ends.
    Broken(String),
    /// A worker was forked. It sends [`super::command::Reply::Hello`] on its own pipe when it is ready.
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
        /// The reason.
        reason: String,
    },
    /// The answer to [`ZygoteRequest::Ping`].
    Here(u64),
    /// A worker ended.
    Exited {
        /// Its process id.
        pid: i32,
        /// How it ended.
        exit: Exit,
    },
}

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Exit {
    /// It ended by itself, with this status.
    Status(i32),
    /// A signal ended it.
    Signal(i32),
}

/// The folders in a session's own folder.
pub mod folder {
    /// The environment variable that tells a session's processes where the working folder is.
    pub const VARIABLE: &str = "OFFSHOOT_SESSION_FOLDER";
    /// The working folder, in which R code runs.
    pub const WORK: &str = "work";
    /// The folder for R's temporary folder.
    pub const TEMPORARY: &str = "tmp";
    /// The library for packages that the session installs for itself.
    pub const LIBRARY: &str = "library";
    /// The folder for copies of published files, and for files on their way between server and worker.
    pub const FILES: &str = "files";
    /// What the session has instead of folders that everybody may write to.
    pub const COMMON: &str = "common";
    /// All of them.
    pub const ALL: [&str; 5] = [WORK, TEMPORARY, LIBRARY, FILES, COMMON];
}

/// Encodes a header.
///
/// # Panics
/// Never: these types hold nothing that postcard cannot encode.
#[must_use]
pub fn encode<T: Serialize>(message: &T) -> Vec<u8> {
    postcard::to_stdvec(message).expect("invariant: the protocol's types can be encoded")
}

/// Decodes a header; `None` when the bytes are not exactly one.
#[must_use]
pub fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Option<T> {
    postcard::take_from_bytes(bytes).ok().filter(|(_, rest)| rest.is_empty()).map(|(message, _)| message)
}
