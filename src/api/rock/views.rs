//! The dialect's own objects (contract, sections 4, 5, 7 and 9). Members without a value are left out.

use jiff::Timestamp;
use serde::Serialize;
use uuid::Uuid;

use crate::{
    app::{
        App,
        evaluation::Operation,
        sessions::{Runtime, Session, Usage},
    },
    wire::rds::{self, RdsValue},
};

/// How this server describes itself to a registry of servers.
#[derive(Debug, Serialize)]
pub struct Info<'a> {
    id: String,
    r#type: &'static str,
    cluster: &'a str,
    tags: &'a [String],
    #[serde(skip_serializing_if = "str::is_empty")]
    server: &'a str,
}

impl<'a> Info<'a> {
    /// The description from the settings.
    #[must_use]
    pub fn of(app: &'a App) -> Self {
        let rock = &app.settings().rock;
        Self { id: rock.id(), r#type: "rock", cluster: &rock.cluster, tags: &rock.tags, server: &rock.server }
    }
}

impl Info<'_> {
    /// The same as an R list, in R's serialization.
    #[must_use]
    pub fn serialized(&self) -> Vec<u8> {
        let tags: Vec<[&str; 1]> = self.tags.iter().map(|tag| [tag.as_str()]).collect();
        let tags: Vec<_> = tags.iter().map(|tag| RdsValue::Strings(tag)).collect();
        let (id, kind, cluster, server) = ([self.id.as_str()], [self.r#type], [self.cluster], [self.server]);
        let mut items = vec![
            ("id", RdsValue::Strings(&id)),
            ("type", RdsValue::Strings(&kind)),
            ("cluster", RdsValue::Strings(&cluster)),
            ("tags", RdsValue::List(&tags)),
        ];
        if !self.server.is_empty() {
            items.push(("server", RdsValue::Strings(&server)));
        }
        rds::serialize(RdsValue::Named(&items))
    }
}

/// R, and its machine.
#[derive(Debug, Serialize)]
pub struct Server<'a> {
    id: String,
    cluster: &'a str,
    version: &'a str,
    encoding: &'static str,
    tags: &'a [String],
    running: bool,
    sessions: Counts,
    system: System,
}

#[derive(Debug, Serialize)]
struct Counts {
    total: usize,
    busy: usize,
}

/// Unknown values are -1, as in the original.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct System {
    cores: i32,
    /// In KiB.
    free_memory: i32,
}

impl<'a> Server<'a> {
    /// The present state.
    #[must_use]
    pub fn of(app: &'a App) -> Self {
        let rock = &app.settings().rock;
        let Runtime { version, is_running: running, sessions: total, busy, .. } = app.runtime();
        let known = |value: Option<u64>| value.filter(|_| running).map_or(-1, |value| i32::try_from(value).unwrap_or(i32::MAX));
        let cores = std::thread::available_parallelism().ok().map(|cores| cores.get() as u64);
        Self {
            id: rock.id(),
            cluster: &rock.cluster,
            version,
            encoding: "utf8",
            tags: &rock.tags,
            running,
            sessions: Counts { total, busy },
            system: System { cores: known(cores), free_memory: known(app.free_memory().map(|bytes| bytes >> 10)) },
        }
    }
}

/// A session. The last members are not in the original.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SessionView<'a> {
    id: Uuid,
    subject: &'a str,
    busy: bool,
    created_date: String,
    last_access_date: String,
    /// In bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    memory: Option<u64>,
    /// In seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    cpu: Option<f64>,
    state: &'static str,
    /// Why it is dead.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

impl<'a> SessionView<'a> {
    /// The session's present state, and the resources that it uses.
    #[must_use]
    pub fn of(session: &'a Session, usage: Option<Usage>) -> Self {
        let busy = session.is_busy();
        let end = session.tombstone();
        Self {
            id: session.id,
            subject: &session.owner,
            busy,
            created_date: session_date(session.created),
            last_access_date: session_date(session.last_used()),
            memory: usage.map(|usage| usage.memory),
            cpu: usage.map(|usage| usage.cpu_seconds),
            state: match end {
                Some(_) => "dead",
                None if busy => "busy",
                None => "ready",
            },
            reason: end.map(ToString::to_string),
        }
    }
}

/// A command.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CommandView<'a> {
    id: String,
    session_id: Uuid,
    status: &'static str,
    finished: bool,
    created_date: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    start_date: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    end_date: Option<String>,
    with_error: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    with_result: bool,
    script: &'a str,
}

impl<'a> CommandView<'a> {
    /// The command's present state.
    #[must_use]
    pub fn of(command: &'a Operation, session: Uuid) -> Self {
        let outcome = command.outcome();
        let value = outcome.map(|outcome| super::value::value(&outcome.result, session));
        let error = value.as_ref().and_then(|value| value.as_ref().err().map(|error| error.message().to_owned()));
        Self {
            id: command.number.to_string(),
            session_id: session,
            status: match &value {
                Some(Ok(_)) => "COMPLETED",
                Some(Err(_)) => "FAILED",
                None if command.begun().is_some() => "IN_PROGRESS",
                None => "PENDING",
            },
            finished: outcome.is_some(),
            created_date: command_date(command.created),
            start_date: command.begun().map(command_date),
            end_date: outcome.map(|outcome| command_date(outcome.ended)),
            with_error: error.is_some(),
            error,
            with_result: matches!(value, Some(Ok(Some(_)))),
            script: &command.label,
        }
    }
}

/// `2021-02-24 09:11:08`, in UTC.
fn session_date(moment: Timestamp) -> String {
    moment.strftime("%Y-%m-%d %H:%M:%S").to_string()
}

/// `2021-02-24T17:38:14.929+00:00`
fn command_date(moment: Timestamp) -> String {
    moment.strftime("%Y-%m-%dT%H:%M:%S%.3f+00:00").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_those_that_clients_parse() {
        let moment: Timestamp = "2021-02-24T17:38:14.9294567Z".parse().unwrap();
        assert_eq!(session_date(moment), "2021-02-24 17:38:14");
        assert_eq!(command_date(moment), "2021-02-24T17:38:14.929+00:00");
        assert_eq!(command_date("1970-01-01T00:00:00Z".parse().unwrap()), "1970-01-01T00:00:00.000+00:00");
    }
}
