//! The commands that a session's worker carries out, each with what it answers.
//!
//! [`Request`] and [`Reply`] are made from the table at the end of this file: a row is a command and its reply, so that
//! neither side can take one for the answer to another.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::messages::Limits;
use crate::wire::{Detail, Encoding, MissingObject, ValueEncoding, condition::Condition};

/// Something that a worker does when it is told to.
pub trait Command: Sized {
    /// What it gives, if it could be carried out.
    type Reply;

    /// The command as it is sent.
    fn into_request(self) -> Request;

    /// A reply to it as it is sent.
    fn reply(reply: Self::Reply) -> Reply;

    /// A reply to it as it was received; any other reply is given back.
    ///
    /// # Errors
    /// The reply, if it is no reply to this command.
    fn read(reply: Reply) -> Result<Self::Reply, Box<Reply>>;

    /// Whether a reply is one to this command: it was carried out, or it could not be.
    fn is_answered_by(reply: &Reply) -> bool;
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

/// Evaluate the code in the payload for the value of its last statement, visible or not; NULL when there is no statement.
/// Warnings and what stops it are printed as at R's prompt, and nothing else by itself. The payload of the reply is the
/// value, if it was to be returned and nothing failed; that a value cannot be bound or written is an error as well.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evaluate(pub Use);

/// What becomes of the value of an evaluation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Use {
    /// It is the payload of the reply.
    Return(ValueEncoding),
    /// It is bound to this name in the global environment.
    Assign(String),
}

/// Bind the value in the payload, a stream of R's `serialize()`, to a name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unserialize {
    /// The name.
    pub name: String,
}

/// Write out objects: the payload of the reply, which lists those that are not in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Objects {
    /// Which; `None` for all that `ls()` shows.
    pub names: Option<Vec<String>>,
    /// How much of each.
    pub detail: Detail,
    /// In which form.
    pub encoding: Encoding,
}

/// Bind the inputs in the payload, in JSON or in XML: [`crate::wire::typed::input`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Assign;

/// Remove an object; answered by whether there was one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Remove {
    /// Its name.
    pub name: String,
}

/// Count the pages that the last evaluation has drawn without a device of its own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pages;

/// Draw one of these pages: the payload of the reply, which tells whether there is such a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Draw {
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

/// List the files of the working folder by their paths, sorted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Files;

/// Remove a file of the working folder; answered by whether there was one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RemoveFile {
    /// Its path there.
    pub path: String,
}

/// Load a file of R data into the global environment; answered by R's warnings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Load(pub Stored);

/// A file of R data in the folder [`super::messages::folder::FILES`], which the worker removes once it is loaded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stored {
    /// The name of the file.
    pub file: Uuid,
    /// What its object is called, if it holds one without a name (`saveRDS()`).
    pub name: String,
}

/// Write an object into a new file of R data; answered by whether there is such an object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Save {
    /// Its name.
    pub name: String,
    /// The name of the file.
    pub file: Uuid,
}

/// Write all objects into a new file, and tell what else makes up the session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SaveImage {
    /// The name of the file.
    pub file: Uuid,
}

/// What a session is made of when [`SaveImage`] has written its objects.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Image {
    /// Where code runs and what is attached.
    pub surroundings: Surroundings,
    /// The files in the working folder, by their paths in it.
    pub files: Vec<String>,
}

/// What makes up a session beside its objects and files.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Surroundings {
    /// Where code runs, relative to the working folder.
    pub folder: String,
    /// Attached packages, in order, without those that R attaches itself.
    pub packages: Vec<String>,
}

/// Make the session what an [`Image`] tells; answered by warnings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoadImage {
    /// The objects.
    pub workspace: Stored,
    /// Where code runs and what is attached.
    pub surroundings: Surroundings,
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

macro_rules! commands {
    ($($command:ident => $reply:ty),* $(,)?) => {
        /// To a worker: one command, answered by exactly one [`Reply`].
        #[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
        #[expect(missing_docs, reason = "each is a command, which is described where it is declared")]
        pub enum Request {
            $($command($command),)*
            /// Run `.Last` and finalizers, and end. Not answered.
            End,
        }

        /// From a worker.
        #[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
        #[expect(missing_docs, reason = "each is the reply to the command of its name")]
        pub enum Reply {
            $($command($reply),)*
            /// Ready for the first command.
            Hello {
                /// R's `tempdir()`.
                temporary: PathBuf,
            },
            /// The command could not be carried out, and why.
            Refused(String),
            /// The command had inputs that are not as they have to be, and nothing was done. A sentence.
            InvalidInput(String),
            /// `q()` was called: the session ends with this status. Takes the place of the reply.
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
    Assign => (),
    Remove => bool,
    Pages => usize,
    Draw => bool,
    Files => Vec<String>,
    RemoveFile => bool,
    Load => Vec<String>,
    Save => bool,
    SaveImage => Image,
    LoadImage => Vec<String>,
}

impl Reply {
    /// Whether it tells that R was stopped on the way.
    #[must_use]
    pub fn was_cut_short(&self) -> bool {
        match self {
            Self::Execute(Executed { ending, .. }) | Self::Evaluate(ending) => *ending == Ending::Interrupted,
            Self::Refused(_) => true,
            _ => false,
        }
    }
}
