//! The commands that a session's worker carries out, and their replies.
//!
//! [`Request`] and [`Reply`] are made from the table at the end of this file. Each row has a command and its reply, so that neither side
//! can confuse the replies of two commands.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{
    host::{Begin, Say, Tell},
    messages::Limits,
};
use crate::wire::{
    Detail, Encoding, MissingObject, ValueEncoding,
    condition::Condition,
    plain::{Kind, Parameter},
};

/// A command for a worker.
pub trait Command: Sized {
    /// The reply to a command that was carried out.
    type Reply;

    /// Converts the command to the form in which it is sent.
    fn into_request(self) -> Request;

    /// Converts a reply to the form in which it is sent.
    fn reply(reply: Self::Reply) -> Reply;

    /// Converts a received reply. A reply to another command is given back.
    ///
    /// # Errors
    /// The reply, if it is not one to this command.
    fn read(reply: Reply) -> Result<Self::Reply, Box<Reply>>;

    /// Whether a reply belongs to this command, also if the command could not be carried out.
    fn is_answered_by(reply: &Reply) -> bool;
}

/// Evaluate the code in the payload, with inputs before and results afterwards.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Execute {
    /// Print visible values, as R's prompt does.
    pub print: bool,
    /// Who is told of warnings and of the error.
    pub reporting: Reporting,
    /// What becomes of plots for which the code opens no device.
    pub plots: PlotFiles,
    /// Objects to encode at the end.
    pub objects: Vec<String>,
    /// The encoding of these objects.
    pub encoding: Encoding,
    /// What plain objects have to be, in the same order; empty when nothing is declared.
    pub kinds: Vec<Kind>,
    /// Files to publish at the end, by their paths in the working folder.
    pub publish: Vec<String>,
    /// R data to load first.
    pub preload: Vec<Stored>,
    /// The number of bytes at the beginning of the payload that are inputs; the code follows them.
    pub inputs: usize,
    /// The form of these inputs.
    pub form: InputForm,
    /// Limits of this evaluation, within those of the session.
    pub limits: Limits,
    /// Write all objects into a new file with this name at the end, if the evaluation completes.
    pub save: Option<Uuid>,
}

/// Who is told of the warnings and of the error of a run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Reporting {
    /// The caller, in the reply. The console has neither.
    #[default]
    Caller,
    /// The reader of the console, as at R's prompt. The reply has the error as well.
    Console,
}

/// Plots for which the code opens no device. They are files in the working folder: `unnamedplot001.png` and so on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlotFiles {
    /// Their width and height, in pixels.
    pub size: [u32; 2],
    /// Whether they are published at the end.
    pub publish: bool,
}

impl Default for PlotFiles {
    /// As R's `png()` draws them.
    fn default() -> Self {
        Self { size: [480, 480], publish: true }
    }
}

/// The form of inputs.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum InputForm {
    /// The type model, in JSON or in XML: [`crate::wire::typed::input`].
    #[default]
    Typed,
    /// Plain JSON: [`crate::wire::plain::input`]. If it is declared which parameters there are, all of them have to be there, and no others.
    Plain(Option<Vec<Parameter>>),
}

/// Evaluate the code in the payload for the value of its last statement, visible or not; NULL if there is no statement. Warnings and errors
/// are printed as at R's prompt, but values are not. The payload of the reply is the value, if it was to be returned and nothing failed. A
/// value that cannot be bound or encoded is an error as well.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evaluate {
    /// What becomes of the value.
    pub value: Use,
    /// The size of plots for which the code opens no device, while it draws them.
    pub canvas: Canvas,
}

/// The size of a picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Canvas {
    /// In pixels.
    pub width: u32,
    /// In pixels.
    pub height: u32,
    /// In pixels per inch.
    pub resolution: u32,
}

impl Default for Canvas {
    fn default() -> Self {
        Self { width: 800, height: 600, resolution: 72 }
    }
}

/// What to do with the value of an evaluation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Use {
    /// Send it as the payload of the reply.
    Return(ValueEncoding),
    /// Bind it to this name in the global environment.
    Assign(String),
}

/// Bind the value in the payload, a stream of R's `serialize()`, to a name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unserialize {
    /// The name.
    pub name: String,
}

/// Encode objects into the payload of the reply. The reply lists the objects that are missing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Objects {
    /// The names of the objects; `None` for all that `ls()` shows.
    pub names: Option<Vec<String>>,
    /// How much of each object.
    pub detail: Detail,
    /// The encoding.
    pub encoding: Encoding,
}

/// List the names of all objects that `ls()` shows: the payload of the reply is a JSON array, since they may be many.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ObjectNames;

/// Bind the inputs in the payload, in JSON or in XML: [`crate::wire::typed::input`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Assign;

/// Remove an object. The reply tells whether there was one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Remove {
    /// Its name.
    pub name: String,
}

/// Count the pages that the last evaluation has drawn without opening a device itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pages;

/// Draw one of these pages as the payload of the reply, which tells whether there is such a page. A measure that is not given is that of
/// [`Evaluate::canvas`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Draw {
    /// Its number, from 1.
    pub page: usize,
    /// Whether to draw SVG instead of PNG.
    pub svg: bool,
    /// In pixels.
    pub width: Option<u32>,
    /// In pixels.
    pub height: Option<u32>,
    /// In pixels per inch.
    pub resolution: Option<u32>,
}

/// List the files of the working folder by their paths, sorted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Files;

/// Remove a file of the working folder. The reply tells whether there was one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RemoveFile {
    /// Its path there.
    pub path: String,
}

/// Load a file of R data into the global environment. The reply has R's warnings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Load(pub Stored);

/// A file of R data in the folder [`super::messages::folder::FILES`]. The worker removes it after loading it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stored {
    /// The name of the file.
    pub file: Uuid,
    /// The name of the object in a file that holds one without a name (`saveRDS()`).
    pub name: String,
}

/// Write an object into a new file of R data. The reply tells whether there is such an object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Save {
    /// Its name.
    pub name: String,
    /// The name of the file.
    pub file: Uuid,
}

/// Write all objects, and report the rest of the session's state. There is no reply value if R was stopped before the end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SaveImage {
    /// The name of a pipe in the folder [`super::messages::folder::FILES`], which somebody reads. The objects are written into it if they can
    /// be written as they are.
    pub pipe: Option<Uuid>,
    /// The name of a new file there, for what can be written otherwise: to find that out takes several attempts.
    pub file: Uuid,
    /// Whether to compute values that are computed when they are needed: promises, and active bindings.
    pub evaluate: bool,
}

/// The state of a session, besides the objects that [`SaveImage`] has written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Image {
    /// The current folder and the attached packages.
    pub surroundings: Surroundings,
    /// The files in the working folder, by their paths in it.
    pub files: Vec<String>,
    /// What could not be saved: a sentence each.
    pub unsaved: Vec<String>,
    /// Whether all objects are in the pipe. Otherwise what is there is worthless, and those that could be saved are in the file.
    pub piped: bool,
}

/// List the files of the session's own library of packages.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Library;

/// The files of a folder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listed {
    /// Their paths there, sorted.
    pub files: Vec<String>,
    /// What else is there and cannot be saved: a sentence each.
    pub unsaved: Vec<String>,
}

/// The state of a session besides its objects and files.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Surroundings {
    /// The current folder of R, relative to the working folder.
    pub folder: String,
    /// Attached packages, in order, without those that R attaches by itself.
    pub packages: Vec<String>,
}

/// Restore a session from an [`Image`]. The reply has warnings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoadImage {
    /// The objects; `None` if they are in the payload, in the form that [`crate::wire::rdata::serialized`] returns.
    pub workspace: Option<Stored>,
    /// The current folder and the attached packages.
    pub surroundings: Surroundings,
}

/// The result of an evaluation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Executed {
    /// How it ended.
    pub ending: Ending,
    /// Warnings, in order.
    pub warnings: Vec<String>,
    /// The number of warnings that were not kept because there were too many.
    pub dropped_warnings: u64,
    /// Requested objects that are not in the payload.
    pub missing: Vec<MissingObject>,
    /// Files of the working folder that the evaluation created or changed, sorted.
    pub changed: Vec<ChangedFile>,
    /// Published files: unnamed plots first, if they are published, then those that were requested.
    pub published: Vec<PublishedFile>,
    /// Whether the objects were written to [`Execute::save`].
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

/// A file that an evaluation has written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChangedFile {
    /// Its path in the working folder.
    pub path: String,
    /// Whether the evaluation has created it.
    pub created: bool,
    /// Its size now, in bytes.
    pub size: u64,
}

/// A copy of a file, made at the end of an evaluation in the folder `files` of the session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PublishedFile {
    /// The path of the original in the working folder.
    pub name: String,
    /// The name of the copy.
    pub id: Uuid,
    /// Its size, in bytes.
    pub size: u64,
}

macro_rules! commands {
    ($($command:ident => $reply:ty),* $(,)?) => {
        /// A message to a worker: one command, which gets exactly one [`Reply`].
        #[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
        #[expect(missing_docs, reason = "each is a command, which is described where it is declared")]
        pub enum Request {
            $($command($command),)*
            /// Be interactive from now on. There is no reply, but [`Reply::Say`]s.
            Host(Begin),
            /// A message to an R that is interactive.
            Tell(Tell),
            /// Run `.Last` and finalizers, and end. There is no reply.
            End,
        }

        /// A message from a worker.
        #[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
        #[expect(missing_docs, reason = "each is the reply to the command of its name")]
        pub enum Reply {
            $($command($reply),)*
            /// The worker is ready for its first command.
            Hello {
                /// R's `tempdir()`.
                temporary: PathBuf,
            },
            /// The command could not be carried out, for this reason.
            Refused(String),
            /// The inputs of the command are wrong, and nothing was done. A sentence.
            InvalidInput(String),
            /// A message from an R that is interactive.
            Say(Say),
            /// `q()` was called, and the session ends with this status. Sent instead of the command's reply.
            Quit(i32),
        }

        $(impl Command for $command {
            type Reply = $reply;

            fn into_request(self) -> Request {
                Request::$command(self)
            }

            fn reply(reply: Self::Reply) -> Reply {
                Reply::$command(reply)
            }

            fn read(reply: Reply) -> Result<Self::Reply, Box<Reply>> {
                if let Reply::$command(reply) = reply { Ok(reply) } else { Err(Box::new(reply)) }
            }

            fn is_answered_by(reply: &Reply) -> bool {
                matches!(reply, Reply::$command(_) | Reply::Refused(_) | Reply::InvalidInput(_))
            }
        })*
    };
}

commands! {
    Execute => Executed,
    Evaluate => Ending,
    Unserialize => Ending,
    Objects => Vec<MissingObject>,
    ObjectNames => (),
    Assign => (),
    Remove => bool,
    Pages => usize,
    Draw => bool,
    Files => Vec<String>,
    RemoveFile => bool,
    Load => Vec<String>,
    Save => bool,
    SaveImage => Option<Image>,
    Library => Listed,
    LoadImage => Vec<String>,
}

impl Reply {
    /// Whether the reply says that R was stopped before the end.
    #[must_use]
    pub fn was_cut_short(&self) -> bool {
        match self {
            Self::Execute(Executed { ending, .. }) | Self::Evaluate(ending) => *ending == Ending::Interrupted,
            Self::SaveImage(image) => image.is_none(),
            Self::Refused(_) => true,
            _ => false,
        }
    }
}
