//! What is known of a session that has ended.

use std::{borrow::Cow, fmt};

use crate::link::messages::Exit;

/// Why a session ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cause {
    /// Its code called `q()`, with this status.
    Quit(i32),
    /// Its process ended by itself, with this status.
    Exited(i32),
    /// Its process was ended by this signal.
    Signalled(i32),
    /// It did not stop when this stopped it, and was killed.
    Unstoppable(super::Stop),
    /// It was not used for as long as the configuration allows, in seconds.
    Idle(u64),
    /// Somebody else than its owner, with this user name, closed it.
    Closed(String),
    /// R was stopped, or is being stopped with the server.
    Stopped,
    /// It exceeded a limit. A sentence.
    Exceeded(String),
    /// Its process sent bytes that are not a valid reply, and was killed.
    Broken,
    /// The cause is unknown, because the process that would have reported it ended first.
    Unknown,
}

/// What is known of a session that ended without being closed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tombstone {
    /// Why it ended.
    pub cause: Cause,
    /// The end of the last printed text.
    pub last_output: String,
}

impl From<Option<Exit>> for Cause {
    fn from(exit: Option<Exit>) -> Self {
        match exit {
            Some(Exit::Status(status)) => Self::Exited(status),
            Some(Exit::Signal(signal)) => Self::Signalled(signal),
            None => Self::Unknown,
        }
    }
}

impl Cause {
    /// The cause as one word, for statistics.
    #[must_use]
    pub fn label(&self) -> Cow<'static, str> {
        match self {
            Self::Quit(_) => "quit".into(),
            Self::Exited(_) => "exit".into(),
            Self::Signalled(signal) => format!("signal {signal}").into(),
            Self::Unstoppable(_) => "unstoppable".into(),
            Self::Idle(_) => "idle".into(),
            Self::Closed(_) => "closed".into(),
            Self::Stopped => "stopped".into(),
            Self::Exceeded(_) => "exceeded".into(),
            Self::Broken => "broken".into(),
            Self::Unknown => "unknown".into(),
        }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Quit(status) => write!(formatter, "R quit with status {status}"),
            Self::Exited(status) => write!(formatter, "R's process ended with status {status}"),
            Self::Signalled(signal) => write!(formatter, "R was ended by signal {signal}{}", meaning(*signal)),
            Self::Unstoppable(stop) => write!(formatter, "R was killed, as it did not stop at {stop}"),
            Self::Idle(seconds) => write!(formatter, "the session was closed after {seconds} seconds without use"),
            Self::Closed(name) => write!(formatter, "{name} has closed the session"),
            Self::Stopped => write!(formatter, "the R server was stopped"),
            Self::Exceeded(what) => write!(formatter, "the session was ended, as {what}"),
            Self::Broken => write!(formatter, "R's process sent what is no reply, and was killed"),
            Self::Unknown => write!(formatter, "R's process is gone"),
        }
    }
}

impl fmt::Display for Tombstone {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}", self.cause)?;
        let output = self.last_output.trim();
        if output.is_empty() { Ok(()) } else { write!(formatter, "; its last output: {output}") }
    }
}

fn meaning(signal: i32) -> &'static str {
    match signal {
        libc::SIGSEGV => " (invalid memory access)",
        libc::SIGBUS => " (bus error)",
        libc::SIGABRT => " (abort)",
        libc::SIGFPE => " (arithmetic fault)",
        libc::SIGILL => " (illegal instruction)",
        libc::SIGKILL => " (killed; most often because the machine ran out of memory)",
        libc::SIGTERM => " (terminated)",
        libc::SIGXCPU => " (processor time used up)",
        _ => "",
    }
}
