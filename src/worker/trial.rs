//! Does something in a child process first, to see what it would do to this one.

use std::{
    fmt::Display,
    io::{self, PipeReader, PipeWriter, Read, Write},
};

use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::fork::{self, Side};
use crate::{link::messages, r::exec::RError};

/// Why something is not done in the zygote.
#[derive(Debug, thiserror::Error)]
pub enum TrialError {
    /// The system's.
    #[error(transparent)]
    System(#[from] io::Error),
    /// R's, in the zygote, after a trial that went well.
    #[error(transparent)]
    R(#[from] RError),
    /// R's message, in the trial.
    #[error("{0}")]
    Failed(String),
    /// It starts a thread that stays.
    #[error("it starts a thread, which would not live in the sessions")]
    StartsThread,
    /// The trial's process did not get to its end.
    #[error("it ends the process that loads it")]
    EndsProcess,
    /// It keeps these, which belong to the process that has loaded it.
    #[error("it keeps what belongs to one process, and each session loads it anew: {0}")]
    Keeps(String),
}

/// How it went.
#[derive(Serialize, Deserialize)]
enum Outcome<T> {
    Done(T),
    Thread,
    Failed(String),
}

/// A child in which something is tried.
#[derive(Debug)]
pub struct Trial {
    /// The child begins when something comes by this, and ends when it is closed.
    begin: PipeWriter,
    outcome: PipeReader,
}

impl Trial {
    /// Makes a child that is to do the work. Two of these that are made one after the other have the same memory at the
    /// same addresses when they begin.
    ///
    /// # Errors
    /// The system's.
    pub fn prepare<T: Serialize, E: Display>(work: impl FnOnce() -> Result<T, E>) -> io::Result<Self> {
        let (mut begun, begin) = io::pipe()?;
        let (outcome, mut writer) = io::pipe()?;
        match fork::fork()? {
            Side::Child => {
                drop((begin, outcome));
                if begun.read_exact(&mut [0]).is_err() {
                    fork::end(0);
                }
                drop(begun);
                let outcome = match work() {
                    Err(error) => Outcome::Failed(error.to_string()),
                    Ok(_) if !fork::is_alone() => Outcome::Thread,
                    Ok(done) => Outcome::Done(done),
                };
                let _ = writer.write_all(&messages::encode(&outcome));
                fork::end(0)
            }
            // The child is reaped later, when the zygote's loop runs.
            Side::Parent(_) => Ok(Self { begin, outcome }),
        }
    }

    /// Has the child begin, and returns what its work has returned.
    ///
    /// # Errors
    /// [`TrialError`].
    pub fn run<T: DeserializeOwned>(mut self) -> Result<T, TrialError> {
        self.begin.write_all(&[0])?;
        let mut outcome = Vec::new();
        self.outcome.read_to_end(&mut outcome)?;
        match messages::decode(&outcome) {
            Some(Outcome::Done(done)) => Ok(done),
            Some(Outcome::Thread) => Err(TrialError::StartsThread),
            Some(Outcome::Failed(message)) => Err(TrialError::Failed(message)),
            None => Err(TrialError::EndsProcess),
        }
    }
}
