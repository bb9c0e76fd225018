//! Loads packages and fonts into the zygote, each after a trial in a child: a thread that a library starts cannot be
//! stopped again, and would be missing in every session, as a fork copies one thread only.

use std::io::{self, Read, Write};

use super::{
    fork::{self, Side},
    pages,
};
use crate::r::{self, eval::SourceError, exec::RError};

/// Why something is not loaded into the zygote.
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
}

/// Loads packages. Returns a warning for each that is not loaded.
pub fn preload(packages: &[String]) -> Vec<String> {
    let mut warnings = Vec::new();
    for package in packages {
        let load = || r::scripts::load_package(package);
        if let Err(reason) = trial(load).and_then(|()| Ok(load()?)) {
            warnings.push(format!("package {package} is not preloaded: {reason}"));
        }
    }
    warnings
}

/// Loads the graphics libraries and fonts, if that starts no thread.
pub fn warm_graphics() -> Vec<String> {
    let draw = || r::scripts::call(c"warm_graphics");
    match trial(draw).and_then(|()| Ok(draw()?)) {
        Ok(()) => Vec::new(),
        Err(reason) => vec![format!("the graphics libraries are loaded by each session anew: {reason}")],
    }
}

/// Evaluates code like that with which sessions begin. R reads a function from disk when it is called for the first time,
/// and compiles it later: done here, no session has to do it in memory of its own.
///
/// # Errors
/// [`SourceError`].
pub fn warm_up() -> Result<(), SourceError> {
    const CODE: [&str; 2] = [
        "invisible(capture.output(print(c(a = 1.5)), print('b'), print(TRUE))); warning('w'); message('m'); suppressWarnings(1)",
        "stop('e')",
    ];
    let silent = r::console::silence_errors(true);
    for _ in 0..3 {
        r::scripts::call(c"begin_session")?;
        for code in CODE {
            // The last one fails, as it is meant to.
            let _ = r::eval::rehearse(code);
        }
    }
    r::console::silence_errors(silent);
    Ok(())
}

/// Prepares the memory that sessions share, once all is loaded. Returns a warning if they share less than they could.
///
/// # Errors
/// R's.
pub fn settle() -> Result<Option<String>, RError> {
    let warning = r::immortal::immortalize().err().map(|message| format!("sessions share less memory than they could: {message}"));
    r::scripts::call(c"settle")?;
    pages::fill();
    pages::gather();
    Ok(warning)
}

/// Does the work in a child, to see what it would do to this process.
fn trial(work: impl FnOnce() -> Result<(), RError>) -> Result<(), TrialError> {
    // The child writes one of these, or else R's message.
    const DONE: &str = "\0done";
    const THREAD: &str = "\0thread";
    let (mut reader, mut writer) = io::pipe()?;
    match fork::fork()? {
        Side::Child => {
            drop(reader);
            let outcome = match work() {
                Err(error) => error.to_string(),
                Ok(()) if !fork::is_alone() => THREAD.to_owned(),
                Ok(()) => DONE.to_owned(),
            };
            let _ = writer.write_all(outcome.as_bytes());
            fork::end(0)
        }
        Side::Parent(_) => {
            // The child is reaped later, when the zygote's loop runs.
            drop(writer);
            let mut outcome = String::new();
            reader.read_to_string(&mut outcome)?;
            match outcome.as_str() {
                DONE => Ok(()),
                THREAD => Err(TrialError::StartsThread),
                "" => Err(TrialError::EndsProcess),
                _ => Err(TrialError::Failed(outcome)),
            }
        }
    }
}
