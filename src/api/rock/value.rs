//! The result of an evaluation in the dialect's terms: a value, nothing, or an error.

use bytes::Bytes;
use uuid::Uuid;

use super::error::Error;
use crate::app::{
    evaluation::{Done, Ending},
    sessions::{OperationError, Stop},
};

/// The value of an operation, in the form that was asked for; `None` for an operation that has no value.
///
/// # Errors
/// Why the operation failed.
pub fn value(result: &Result<Done, OperationError>, session: Uuid) -> Result<Option<Bytes>, Error> {
    let done = result.as_ref().map_err(|error| Error::of_operation(error.clone(), session))?;
    match (&done.ending, done.stopped) {
        // Code may complete although it was stopped: perhaps only a program that it ran was cut short.
        (Ending::Completed | Ending::Interrupted, Some(stop @ Stop::TimeLimit(_))) => {
            Err(Error::of_r(format!("The operation was stopped at {stop}")))
        }
        (Ending::Completed, _) if done.payload.is_empty() => Ok(None),
        // The original writes an empty named list so.
        (Ending::Completed, _) if done.payload == b"{}"[..] => Ok(Some(Bytes::from_static(b"null"))),
        (Ending::Completed, _) => Ok(Some(done.payload.clone())),
        (Ending::Interrupted, _) => Err(Error::of_r("The operation was interrupted")),
        (Ending::CpuLimit, _) => Err(Error::of_r("The operation was stopped at its limit on processor time")),
        (Ending::SyntaxError { message, .. }, _) => Err(Error::of_r(format!("{message}\n"))),
        (Ending::Failed(condition), _) => Err(Error::of_r(format!("{}\n", condition.as_r_prints()))),
    }
}
