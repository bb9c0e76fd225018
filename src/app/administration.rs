//! What whoever administers this machine sees of sessions, whosever they are, and does with them.

use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{App, Failure, sessions::Usage};
use crate::{
    link::messages::{Limits, Network},
    session::{Purpose, Session},
    telemetry::audit,
};

/// Who has closed a session, as its owner is told.
const ADMINISTRATOR: &str = "an administrator";
/// The fewest characters by which a session can be named.
const SHORTEST: usize = 4;

/// A session in the list.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SessionOverview {
    /// Its identity.
    pub id: Uuid,
    /// The user name of its owner; empty if that is nobody.
    pub owner: String,
    /// What its owner calls it; empty if it has no name.
    pub name: String,
    /// Whether it is for one run only, of a script or of a service.
    pub run: bool,
    /// When it was opened.
    pub created: String,
    /// When it was last used.
    pub used: String,
    /// Whether an operation runs.
    pub busy: bool,
    /// How many operations wait.
    pub waiting: usize,
    /// Seconds without use after which it ends; 0 is never.
    pub idle_seconds: u64,
    /// Its process.
    pub pid: i32,
    /// Memory beyond that with which its process was forked.
    pub memory_bytes: Option<u64>,
    /// Processor time that it has used.
    pub cpu_seconds: Option<f64>,
}

/// A session with what is in it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SessionDetails {
    /// What the list says of it.
    #[serde(flatten)]
    pub session: SessionOverview,
    /// The project that it is saved in.
    pub project: Option<Uuid>,
    /// How many code blocks it remembers.
    pub history: usize,
    /// The end of what it has printed last.
    pub output: String,
    /// What it may use.
    pub limits: SessionLimits,
}

/// What a session may use; `None` is no limit.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SessionLimits {
    /// Memory.
    pub memory_bytes: Option<u64>,
    /// Processor time of one operation.
    pub cpu_seconds: Option<u64>,
    /// Processes and threads.
    pub processes: Option<u64>,
    /// Each file.
    pub file_bytes: Option<u64>,
    /// All files together.
    pub disk_bytes: Option<u64>,
    /// "full", "outbound" or "none".
    pub network: String,
}

impl SessionOverview {
    fn new(session: &Session, usage: Option<Usage>) -> Self {
        Self {
            id: session.id,
            owner: session.owner.clone(),
            name: session.name.clone(),
            run: session.purpose == Purpose::Run,
            created: time(session.created),
            used: time(session.last_used()),
            busy: session.is_busy(),
            waiting: session.waiting(),
            idle_seconds: session.idle_seconds,
            pid: session.pid,
            memory_bytes: usage.map(|usage| usage.memory),
            cpu_seconds: usage.map(|usage| usage.cpu_seconds),
        }
    }
}

impl From<Limits> for SessionLimits {
    fn from(limits: Limits) -> Self {
        let Limits { memory, cpu_seconds, processes, file_size, disk, network } = limits;
        let network = match network {
            Network::Full => "full",
            Network::Outbound => "outbound",
            Network::None => "none",
        };
        Self { memory_bytes: memory, cpu_seconds, processes, file_bytes: file_size, disk_bytes: disk, network: network.to_owned() }
    }
}

/// A time to the second, as in RFC 3339.
fn time(time: Timestamp) -> String {
    Timestamp::from_second(time.as_second()).map(|time| time.to_string()).unwrap_or_default()
}

impl App {
    /// All sessions but those in which the server asks R something, oldest first.
    pub async fn administration_list(&self) -> Vec<SessionOverview> {
        let sessions = self.of_others();
        let usage = self.session_usage(&sessions).await;
        sessions.iter().zip(usage).map(|(session, usage)| SessionOverview::new(session, usage)).collect()
    }

    /// A session, found by its identity or the beginning of it.
    ///
    /// # Errors
    /// [`Failure::Unknown`], [`Failure::Invalid`] if there are several.
    pub async fn administration_show(&self, id: &str) -> Result<SessionDetails, Failure> {
        let session = self.begins_with(id)?;
        let usage = self.session_usage(std::slice::from_ref(&session)).await;
        Ok(SessionDetails {
            session: SessionOverview::new(&session, usage.first().copied().flatten()),
            project: session.record.project(),
            history: session.record.history().len(),
            output: session.last_output(),
            limits: session.limits.clone().into(),
        })
    }

    /// Closes a session; with `force` at once, whatever it is running. Its owner is told that an administrator has done this, and the audit
    /// log who of the system's users.
    ///
    /// # Errors
    /// Those of [`Self::administration_show`].
    pub fn administration_close(&self, id: &str, force: bool, user: u32) -> Result<(), Failure> {
        let session = self.begins_with(id)?;
        audit::session(if force { "session-killed" } else { "session-closed" }, &session.owner, session.id, user);
        if force {
            self.sessions.kill_as(&session, ADMINISTRATOR);
        } else {
            self.sessions.close_as(&session, ADMINISTRATOR);
        }
        Ok(())
    }

    /// Stops what a session is running. The session stays.
    ///
    /// # Errors
    /// Those of [`Self::administration_show`], and [`Failure::Invalid`] if it is running nothing.
    pub fn administration_interrupt(&self, id: &str, user: u32) -> Result<(), Failure> {
        let session = self.begins_with(id)?;
        if !session.is_busy() {
            return Err(Failure::Invalid(format!("the session {} is running nothing", session.id)));
        }
        audit::session("session-interrupted", &session.owner, session.id, user);
        session.interrupt();
        Ok(())
    }

    fn of_others(&self) -> Vec<Arc<Session>> {
        let mut sessions = self.sessions.all();
        sessions.retain(|session| session.counts() && session.tombstone().is_none());
        sessions.sort_by_key(|session| (session.created, session.id));
        sessions
    }

    fn begins_with(&self, start: &str) -> Result<Arc<Session>, Failure> {
        let sessions = self.of_others();
        let id = only_one(sessions.iter().map(|session| session.id), start)?;
        sessions.into_iter().find(|session| session.id == id).ok_or_else(|| unknown(start))
    }
}

/// The only identity with this beginning.
fn only_one(ids: impl Iterator<Item = Uuid>, start: &str) -> Result<Uuid, Failure> {
    if start.len() < SHORTEST {
        return Err(Failure::Invalid(format!("{start:?} is too short: name a session by {SHORTEST} characters of its identity or more")));
    }
    let start = start.to_ascii_lowercase();
    let found: Vec<_> = ids.filter(|id| id.to_string().starts_with(&start)).collect();
    match found.as_slice() {
        [] => Err(unknown(&start)),
        [id] => Ok(*id),
        several => {
            let several: Vec<_> = several.iter().map(Uuid::to_string).collect();
            Err(Failure::Invalid(format!("{start:?} is the beginning of several sessions: {}", several.join(", "))))
        }
    }
}

fn unknown(start: &str) -> Failure {
    Failure::Unknown(format!("there is no session {start:?}; offshoot session list has the identities"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_is_found_by_a_beginning_that_no_other_has() {
        let [one, two] =
            ["8e1f2a00-0000-4000-8000-000000000001", "8e1f2a00-0000-4000-8000-000000000002"].map(|id| id.parse::<Uuid>().unwrap());
        let found = |start: &str| only_one([one, two].into_iter(), start).map_err(|failure| failure.to_string());
        assert_eq!(found(&two.to_string()), Ok(two));
        assert_eq!(found("8E1F2A00-0000-4000-8000-000000000001"), Ok(one));
        assert_eq!(found("8e1f"), Err(format!("\"8e1f\" is the beginning of several sessions: {one}, {two}")));
        assert_eq!(found("8e1f3"), Err("there is no session \"8e1f3\"; offshoot session list has the identities".to_owned()));
        assert!(found("8e1").unwrap_err().contains("too short"));
        assert_eq!(only_one([one].into_iter(), "8e1f").unwrap(), one);
    }
}
