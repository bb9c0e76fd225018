//! Why the core did not do something. Each dialect puts this in its own words.

use std::io;

use crate::{
    session::{OpenError, OperationError},
    store::{ChangeError, StoreError},
    system::folder::FileError,
};

/// Why something was not done.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The thing does not exist, or the caller may not know of it. A sentence.
    #[error("{0}")]
    Unknown(String),
    /// The caller may not do this. A sentence.
    #[error("{0}")]
    Forbidden(String),
    /// Something of that name is there already. A sentence.
    #[error("{0}")]
    Exists(String),
    /// The request makes no sense. A sentence.
    #[error("{0}")]
    Invalid(String),
    /// R raised an error with this message.
    #[error("{0}")]
    R(String),
    /// The upload is larger than the limit, which is this many MiB.
    #[error("it is larger than {0} MiB, which is the most this server takes")]
    TooLarge(u64),
    /// A command was not carried out.
    #[error(transparent)]
    Operation(OperationError),
    /// No session was opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A file of a session, or an upload, could not be read or written.
    #[error("a file could not be read or written")]
    File(#[from] io::Error),
}

impl From<OperationError> for Failure {
    fn from(error: OperationError) -> Self {
        match error {
            OperationError::Refused(message) => Self::R(message),
            OperationError::InvalidInput(sentence) => Self::Invalid(sentence),
            error => Self::Operation(error),
        }
    }
}

impl From<ChangeError> for Failure {
    fn from(error: ChangeError) -> Self {
        match error {
            ChangeError::Store(error) => Self::Store(error),
            ChangeError::Unknown { .. } => Self::Unknown(error.to_string()),
            ChangeError::NotYours { .. } => Self::Forbidden(error.to_string()),
            ChangeError::Exists { .. } => Self::Exists(error.to_string()),
            ChangeError::Invalid(_) => Self::Invalid(error.to_string()),
        }
    }
}

impl From<FileError> for Failure {
    fn from(error: FileError) -> Self {
        match error {
            FileError::System(error) => error.into(),
            FileError::Missing => Self::Unknown(error.to_string()),
            _ => Self::Invalid(error.to_string()),
        }
    }
}
