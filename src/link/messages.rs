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

/// To a worker: one command, answered by exactly one [`Reply`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Request {
    /// Evaluate the code in the payload.
    Execute(Execute),
    /// Evaluate the code in the payload for the value of its last statement, visible or not; NULL when there
    /// is no statement. Warnings and what stops it are printed as at R's prompt, and nothing else by itself.
    Evaluate(Use),
    /// Bind the value in the payload, a stream of R's `serialize()`, to a name.
    Unserialize {
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
    /// Bind the inputs in the payload, in JSON or in XML: [`crate::wire::typed::input`].
    Assign,
    /// Remove an object.
    Remove {
        /// Its name.
        name: String,
    },
    /// Count the pages that the last evaluation has drawn without a device of its own.
    Pages,
    /// Draw one of them.
    Draw(Drawing),
    /// List the files of the working folder.
    Files,
    /// Remove a file of the working folder.
    RemoveFile {
        /// Its path there.
        path: String,
    },
    /// Load a file of R data into the global environment.
    Load(Stored),
    /// Write an object into a new file of R data.
    Save {
        /// Its name.
        name: String,
        /// The name of the file.
        file: Uuid,
    },
    /// Write all objects into a new file, and tell what else makes up the session.
    Suspend {
        /// The name of the file.
        file: Uuid,
    },
    /// Make the session what [`Request::Suspend`] has written and told.
    Resume {
        /// The objects.
        workspace: Stored,
        /// Where code runs and what is attached.
        surroundings: Surroundings,
    },
    /// Run `.Last` and finalizers, and end. Not answered.
    End,
}

/// How a recorded page is to be drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Drawing {
    /// Its number, from 1.
    pub page: usize,
    /// As SVG, and not as PNG.
    pub svg: bool,
    /// In pixels.
    pub width: u32,
    /// In pixels.
    pub height: u32,
    /// In pixels per inch.
    pub resolution: u32,
}

/// A file of R data in the folder [`folder::FILES`], which the worker removes once it is loaded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stored {
    /// The name of the file.
    pub file: Uuid,
    /// What its object is called, if it holds one without a name (`saveRDS()`).
    pub name: String,
}

/// What makes up a session beside its objects and files.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Surroundings {
    /// Where code runs, relative to the working folder.
    pub folder: String,
    /// Attached packages, in order, without those that R attaches itself.
    pub packages: Vec<String>,
}

/// An evaluation and what is wanted back from it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Execute {
    /// Print visible values, as R's prompt does.
    pub print: bool,
    /// Objects to write out at the end.
    pub objects: Vec<String>,
    /// In which form.
    pub encoding: Encoding,
    /// Files to publish at the end, by their paths in the working folder. Unnamed plots are always published.
    pub publish: Vec<String>,
    /// R data to load first.
    pub preload: Vec<Stored>,
    /// Bytes at the beginning of the payload that are inputs in the type model; the code follows them.
    pub inputs: usize,
    /// Limits of this evaluation, within those of the session.
    pub limits: Limits,
    /// Write all objects into a new file of that name at the end, if the evaluation completes.
    pub save: Option<Uuid>,
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
    Hello {
        /// R's `tempdir()`.
        temporary: PathBuf,
    },
    /// To [`Request::Execute`]; the payload is the objects.
    Executed(Executed),
    /// To [`Request::Evaluate`]; the payload is the value, if it was to be returned and nothing failed. A value that
    /// cannot be bound or written is an error as well, and so is what stopped the writing.
    Evaluated(Ending),
    /// To [`Request::Objects`]; the payload is the objects.
    Objects {
        /// Those that are not in it.
        missing: Vec<MissingObject>,
    },
    /// To [`Request::Assign`] and [`Request::Unserialize`]: all is bound.
    Assigned,
    /// To a request with inputs: they are not as they have to be, and nothing was done. A sentence.
    InvalidInput(String),
    /// To [`Request::Files`]: their paths, sorted.
    Files(Vec<String>),
    /// To [`Request::Remove`] and [`Request::RemoveFile`]: whether there was one.
    Removed(bool),
    /// To [`Request::Pages`]: how many there are.
    Pages(usize),
    /// To [`Request::Draw`]: whether there is such a page; the payload is the picture.
    Drawn(bool),
    /// To [`Request::Load`], with R's warnings.
    Loaded(Vec<String>),
    /// To [`Request::Save`]: whether there is such an object.
    Saved(bool),
    /// To [`Request::Suspend`].
    Suspended {
        /// Where code runs and what is attached.
        surroundings: Surroundings,
        /// The files in the working folder, by their paths in it.
        files: Vec<String>,
    },
    /// To [`Request::Resume`], with warnings.
    Resumed(Vec<String>),
    /// The command could not be carried out.
    Refused(String),
    /// `q()` was called: the session ends with this status. Takes the place of the reply.
    Quit(i32),
}

impl Reply {
    /// Whether it tells that R was stopped on the way.
    #[must_use]
    pub fn was_cut_short(&self) -> bool {
        match self {
            Self::Executed(Executed { ending, .. }) | Self::Evaluated(ending) => *ending == Ending::Interrupted,
            Self::Refused(_) => true,
            _ => false,
        }
    }
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
    /// Whether the objects were written into [`Execute::save`].
    pub saved: bool,
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
