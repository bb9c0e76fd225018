//! The messages of an interactive R. They go both ways, and many may be on their way at once.
//!
//! A worker begins this life with the command [`Begin`], and never returns from it to commands. From then on, [`Tell`]s go to R and
//! [`Say`]s come from it, each with a payload. R's questions have ids, which their answers name; requests to R have ids of the sender,
//! which their replies name. What R prints is in the console pipe. There, a mark ([`super::marks::Mark::Message`]) stands for each
//! message, so that the order of both is known.

use serde::{Deserialize, Serialize};

/// The most evaluations, or questions, that may be on top of each other. An evaluation beyond that waits, and R gets an error for a question.
pub const DEEPEST: usize = 64;

/// Begin the interactive life. The worker says [`Say::Started`], and then goes on to R's first prompt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Begin {
    /// Whether R is to say that there is a user (`interactive()`).
    pub interactive: bool,
    /// R's command line, without the name of the program. What R reads at its start is chosen by it (`?Startup`): profiles, and the
    /// workspace in the working folder. Code finds all of it in `commandArgs()`.
    pub arguments: Vec<String>,
    /// The namespace of R functions that the client calls, among those that the zygote has loaded ([`super::messages::Start::namespaces`]).
    pub namespace: Option<String>,
    /// The most bytes of all blobs together.
    pub blobs: u64,
}

/// A message to an interactive R.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Tell {
    /// The answer to a question. One to a question that is not the latest unanswered one waits until it is; one to a question that does
    /// not exist is ignored.
    Answer(u64, HostAnswer),
    /// Evaluate the code in the payload. The reply is [`Say::Evaluated`].
    Evaluate(HostEvaluation),
    /// Stop this evaluation.
    Cancel(u64),
    /// Stop everything, and ask for the next line at R's prompt. [`Say::Cancelled`] comes before that.
    CancelAll,
    /// Do something with a blob. The reply is [`Say::Blob`].
    Blob(u64, BlobRequest),
    /// End, as `q()` does; the workspace is saved into `.RData` of the working folder first if that is wanted.
    End {
        /// Whether the workspace is saved.
        save: bool,
    },
}

/// Code to be evaluated, with no function of R beneath it if R waits at its prompt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostEvaluation {
    /// Identifies the reply. Chosen by the sender.
    pub id: u64,
    /// Where to evaluate.
    pub place: Scope,
    /// Whether the code may ask questions, and others may be evaluated while it runs.
    pub reentrant: bool,
    /// Whether the code is stopped by an interrupt. Otherwise this waits until it has ended.
    pub cancelable: bool,
    /// What of the value the payload of the reply has.
    pub wanted: ValueWanted,
}

/// An environment.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Scope {
    /// The global environment.
    #[default]
    Global,
    /// That of base R.
    Base,
    /// The empty one.
    Empty,
    /// A new one in the global environment.
    New,
}

/// What is wanted of a value.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum ValueWanted {
    /// Nothing.
    Nothing,
    /// JSON: [`crate::wire::terse`].
    #[default]
    Json,
    /// The bytes of a raw vector; NULL has none.
    Bytes,
}

/// How an evaluation has ended: of its last expression, as the earlier ones do not count.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum EvaluationEnd {
    /// It has a value, which is the payload if it was wanted.
    Value,
    /// It has failed with this text, as R prints it: "Error: object 'x' not found\n".
    Failed(String),
    /// It was stopped, or could not begin.
    Cancelled,
    /// The code is not complete. Nothing was evaluated.
    Incomplete,
    /// The code is wrong. Nothing was evaluated.
    Syntax,
}

/// What to do with a blob: bytes that both R and the client can reach.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum BlobRequest {
    /// Make an empty one.
    Create,
    /// Write the payload at this place; `None` is the end. A blob grows as it has to, but leaves no holes.
    Write(u64, Option<u64>),
    /// Read so many bytes from this place; `None` is all of them. They are the payload of the reply.
    Read(u64, u64, Option<u64>),
    /// Tell its size.
    Size(u64),
    /// Cut it off, or extend it by zeros, to this size.
    Resize(u64, u64),
    /// Forget these; unknown ones are ignored. There is no reply.
    Destroy(Vec<u64>),
}

/// The reply to a [`BlobRequest`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum BlobReply {
    /// The id of the new blob.
    Created(u64),
    /// The blob has this size now.
    Size(u64),
    /// The payload has what was read.
    Read,
    /// It cannot be done: a sentence.
    Refused(String),
}

/// The answer to a question.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum HostAnswer {
    /// The text in the payload, which may have several lines.
    Text,
    /// There is none: the end of input.
    Nothing,
    /// Yes or OK.
    Yes,
    /// No.
    No,
    /// Neither.
    Cancel,
    /// The size of a device: width and height in pixels, pixels per inch.
    Size(u32, u32, u32),
    /// A place on a device, in thousandths of a pixel from the upper left corner.
    Point(i64, i64),
}

/// A message from an interactive R.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Say {
    /// R has begun, and its first prompt will follow. With R's version: "4.2.2".
    Started(String),
    /// R asks, and waits for the answer. With the id of the question.
    Ask(u64, HostQuestion),
    /// R computes.
    Busy,
    /// R has finished.
    Idle,
    /// An evaluation has ended. The payload is its value, if it has one that was wanted.
    Evaluated(u64, EvaluationEnd),
    /// The reply to a request for a blob.
    Blob(u64, BlobReply),
    /// R tells something.
    Notice(Notice),
    /// A page of a graphics device: the payload is its PNG.
    Plot(Plot),
    /// Everything was stopped ([`Tell::CancelAll`]).
    Cancelled,
    /// R ends, as it was told to. Says whether the workspace was saved.
    Ended(bool),
    /// A part of the payload of the next message, which is large. Sent as often as needed.
    Part,
}

/// A question of R's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum HostQuestion {
    /// A line of text. Answered by [`HostAnswer::Text`].
    Line {
        /// The prompt.
        prompt: String,
        /// Whether the line belongs in the history: it is code, and not input of `readline()`.
        history: bool,
        /// The flags of R's contexts, from the innermost to the outermost (R's Defn.h: 0 is the top level, 16 a browser).
        contexts: Vec<i32>,
        /// A line has to have fewer bytes.
        limit: u32,
        /// Whether the last answer had a line that was too long, so that nothing of it was evaluated.
        again: bool,
    },
    /// A question with some answers.
    Confirm {
        /// The question.
        text: String,
        /// The answers that there are.
        choices: Choices,
        /// As for a line.
        contexts: Vec<i32>,
    },
    /// Let the user edit a text or a file. Answered by [`HostAnswer::Text`].
    Edit {
        /// Whether there is a text, which is the payload.
        text: bool,
        /// The path of the file, if it is one.
        file: Option<String>,
    },
    /// How large is this device, which is being opened? Answered by [`HostAnswer::Size`].
    DeviceSize(String),
    /// Where on this device has the user clicked? Answered by [`HostAnswer::Point`], or [`HostAnswer::Cancel`].
    Locate(String),
    /// Packages are about to be installed. Answered by [`HostAnswer::Yes`].
    BeforePackages,
    /// Packages were installed. Answered by [`HostAnswer::Yes`].
    AfterPackages,
}

/// The answers that a question has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Choices {
    /// OK and Cancel.
    OkCancel,
    /// Yes and No.
    YesNo,
    /// Yes, No and Cancel.
    YesNoCancel,
}

/// What R tells.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Notice {
    /// A message that wants to be seen (`R_ShowMessage`).
    Message(String),
    /// The working folder is this one now.
    Folder(String),
    /// The list of packages is to be shown (`library()`).
    Packages,
    /// Packages were removed.
    PackagesRemoved,
    /// This file is to be shown.
    File {
        /// Its path.
        path: String,
        /// A title.
        title: String,
        /// Whether it is to be removed afterwards.
        delete: bool,
    },
    /// The value of an expression is to be shown (`View()`).
    View {
        /// The expression, as code.
        expression: String,
        /// A title.
        title: String,
    },
    /// A page of the web is to be shown.
    Page(String),
    /// A file is sent to the client. It is in the blob, as a ZIP archive with one entry, `data`.
    Fetch {
        /// The path of the file here.
        name: String,
        /// The blob.
        blob: u64,
        /// Where the client is to put it.
        target: String,
        /// Whether the user is not to be told.
        silent: bool,
    },
    /// This device was closed.
    DeviceClosed(String),
    /// The objects are in a file of the working folder, for the next session.
    WorkspaceLeft,
    /// What the session before has left is not needed any more.
    WorkspaceTaken,
}

/// A page of a device, and where it is in the device's history.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plot {
    /// The device.
    pub device: String,
    /// The page; empty if there is none.
    pub page: String,
    /// A path for the picture, which the client may show; empty if there is no page.
    pub path: String,
    /// R's number of the device, from 1.
    pub number: u32,
    /// The place of the page in the history, from 0; -1 if there is none.
    pub active: i32,
    /// The pages in the history.
    pub count: u32,
}
