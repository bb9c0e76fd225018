//! `offshoot session`: sessions of the running server.

use std::{
    io::{self, ErrorKind},
    path::PathBuf,
};

use anyhow::{Context, bail};
use axum::http::{Method, StatusCode};
use clap::{Args, Subcommand};
use serde::de::DeserializeOwned;

use super::{
    Settings,
    administration::there_is_a_store,
    output::{Column, Format},
};
use crate::{
    app::administration::{SessionDetails, SessionOverview},
    server::local::LocalPlace,
};

#[derive(Debug, Args)]
pub(super) struct Session {
    #[command(flatten)]
    settings: Settings,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List the sessions that are open, the oldest first
    ///
    /// Those are among them that run one script or one call of a service, and end with it.
    List {
        /// Only those of this account
        #[arg(long, value_name = "ACCOUNT")]
        owner: Option<String>,
        #[command(flatten)]
        format: Format,
    },
    /// Show a session: what it may use, and the end of what it has printed last
    Show {
        /// The session's identity, or the beginning of it
        id: String,
        #[command(flatten)]
        format: Format,
    },
    /// Close a session
    ///
    /// What it is running is interrupted; if it does not stop, it is killed after sessions.grace_seconds. Its owner is told that an
    /// administrator has closed it. Nothing of it is saved.
    Close {
        /// The session's identity, or the beginning of it
        id: String,
        /// End it at once, whatever it is running
        #[arg(long)]
        force: bool,
    },
    /// Stop what a session is running; the session stays
    Interrupt {
        /// The session's identity, or the beginning of it
        id: String,
    },
}

const ID: Column<SessionOverview> = ("id", |session| session.id.to_string());
const OWNER: Column<SessionOverview> = ("owner", |session| or_dash(&session.owner));
const STATE: Column<SessionOverview> = ("state", |session| if session.busy { "busy" } else { "idle" }.to_owned());
const MEMORY: Column<SessionOverview> =
    ("mib", |session| session.memory_bytes.map_or_else(|| "-".to_owned(), |bytes| (bytes >> 20).to_string()));
const CPU: Column<SessionOverview> =
    ("cpu s", |session| session.cpu_seconds.map_or_else(|| "-".to_owned(), |seconds| format!("{seconds:.1}")));

const LIST: [Column<SessionOverview>; 9] = [
    ID,
    OWNER,
    STATE,
    ("created", |session| session.created.clone()),
    ("used", |session| session.used.clone()),
    ("pid", |session| session.pid.to_string()),
    MEMORY,
    CPU,
    ("name", |session| if session.run { "(one run)".to_owned() } else { session.name.clone() }),
];

const SHOW: [Column<SessionDetails>; 15] = [
    ("id", |whole| ID.1(&whole.session)),
    ("owner", |whole| OWNER.1(&whole.session)),
    ("name", |whole| whole.session.name.clone()),
    ("state", |whole| format!("{}, {} waiting", STATE.1(&whole.session), whole.session.waiting)),
    ("created", |whole| whole.session.created.clone()),
    ("used", |whole| whole.session.used.clone()),
    ("ends", |whole| match whole.session.idle_seconds {
        0 if whole.session.run => "after its run".to_owned(),
        0 => "never unused".to_owned(),
        seconds => format!("after {seconds} seconds without use"),
    }),
    ("pid", |whole| whole.session.pid.to_string()),
    ("memory", |whole| {
        let used = whole.session.memory_bytes.map_or_else(|| "-".to_owned(), |bytes| format!("{} MiB", bytes >> 20));
        format!("{used} of {}", mebibytes(whole.limits.memory_bytes))
    }),
    ("processor", |whole| {
        let limit = whole.limits.cpu_seconds.map_or_else(|| "any time".to_owned(), |seconds| format!("{seconds} seconds"));
        format!("{} seconds; {limit} for one operation", CPU.1(&whole.session))
    }),
    ("files", |whole| format!("{} together, {} each", mebibytes(whole.limits.disk_bytes), mebibytes(whole.limits.file_bytes))),
    ("processes", |whole| whole.limits.processes.map_or_else(|| "any number".to_owned(), |most| format!("up to {most}"))),
    ("network", |whole| whole.limits.network.clone()),
    ("history", |whole| format!("{} code blocks", whole.history)),
    ("output", |whole| whole.output.clone()),
];

fn or_dash(text: &str) -> String {
    if text.is_empty() { "-".to_owned() } else { text.to_owned() }
}

fn mebibytes(bytes: Option<u64>) -> String {
    bytes.map_or_else(|| "any size".to_owned(), |bytes| format!("{} MiB", bytes >> 20))
}

pub(super) fn run(session: &Session) -> anyhow::Result<()> {
    let data = session.settings.config()?.data;
    there_is_a_store(&data)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let server = Running { data };
        match &session.command {
            Command::List { owner, format } => {
                let mut sessions: Vec<SessionOverview> = server.ask(Method::GET, "").await?;
                sessions.retain(|session| owner.as_ref().is_none_or(|owner| *owner == session.owner));
                format.list(&sessions, &LIST)
            }
            Command::Show { id, format } => format.one(&server.ask::<SessionDetails>(Method::GET, &at(id)?).await?, &SHOW),
            Command::Close { id, force } => server.ask(Method::POST, &(at(id)? + if *force { "/kill" } else { "/close" })).await,
            Command::Interrupt { id } => server.ask(Method::POST, &(at(id)? + "/interrupt")).await,
        }
    })
}

/// The path of a session. An API may put a word before its identity.
fn at(id: &str) -> anyhow::Result<String> {
    let is_word = |start: &str| start.chars().all(char::is_alphabetic) && start.chars().any(|letter| !letter.is_ascii_hexdigit());
    let id = id.split_once('-').filter(|(word, _)| is_word(word)).map_or(id, |(_, id)| id);
    if id.is_empty() || !id.chars().all(|letter| letter.is_ascii_hexdigit() || letter == '-') {
        bail!("{id:?} is no identity of a session; offshoot session list has them");
    }
    Ok(format!("/{id}"))
}

/// The server that works in a data folder.
struct Running {
    data: PathBuf,
}

impl Running {
    async fn ask<T: DeserializeOwned>(&self, method: Method, path: &str) -> anyhow::Result<T> {
        let (status, body) = self.call(method, path).await.map_err(|error| self.unreachable(error))?;
        match status {
            StatusCode::OK => serde_json::from_slice(&body).context("the server is of another release of Offshoot"),
            StatusCode::NOT_FOUND | StatusCode::BAD_REQUEST if !body.is_empty() => bail!("{}", String::from_utf8_lossy(&body)),
            status => bail!("the server answers {status}: it is of another release of Offshoot, or has just been started again"),
        }
    }

    async fn call(&self, method: Method, path: &str) -> io::Result<(StatusCode, axum::body::Bytes)> {
        LocalPlace::of(&self.data)?.call(method, &format!("/sessions{path}")).await
    }

    fn unreachable(&self, error: io::Error) -> anyhow::Error {
        let data = self.data.display();
        match error.kind() {
            ErrorKind::NotFound | ErrorKind::ConnectionRefused => {
                anyhow::anyhow!(
                    "no server is running in {data}: sessions are those of a running server, whose data folder is named by --data or --config"
                )
            }
            ErrorKind::PermissionDenied => {
                anyhow::anyhow!("the server in {data} is another user's: only its own user and root see its sessions")
            }
            ErrorKind::TimedOut => anyhow::anyhow!("the server in {data} does not answer"),
            _ => anyhow::Error::new(error).context(format!("the server in {data}")),
        }
    }
}
