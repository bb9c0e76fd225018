//! Running code in a session, with what is loaded before and kept after.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use uuid::Uuid;

use super::{App, Failure, repository::require_data};
use crate::{
    auth::Login,
    link::{
        command::{Command, Execute, Executed, PublishedFile, Stored},
        messages::Limits,
    },
    session::{Admission, Boundary, OpenError, Opening, Purpose, Session, Stop, queue::Turn},
    store::{
        boundaries,
        objects::{Kind, Object},
        policies::Policy,
        rules::Rules,
    },
    wire::{Encoding, condition::Condition},
};

/// Seconds that a script may run for a caller without a login, unless the policy says otherwise.
const ANONYMOUS_SECONDS: u64 = 900;

/// What is to be run, and what is wanted back.
#[derive(Debug, Default)]
pub struct Run<'a> {
    /// R code.
    pub code: &'a str,
    /// Inputs in the type model; empty for none.
    pub inputs: &'a str,
    /// Objects to load first.
    pub preload: Vec<Object>,
    /// Names of objects to write out.
    pub objects: Vec<String>,
    /// In which form.
    pub encoding: Encoding,
    /// Files to publish, beside plots without a name.
    pub files: Vec<String>,
    /// Whether all objects are to be kept.
    pub keep: bool,
    /// Whether visible values are printed.
    pub print: bool,
    /// Limits within those of the session.
    pub limits: Limits,
}

/// What came of it.
#[derive(Debug)]
pub struct Outcome {
    /// As the worker tells it.
    pub executed: Executed,
    /// The objects that were asked for.
    pub objects: Bytes,
    /// What was printed.
    pub console: String,
    /// Why it was stopped, if it was.
    pub stopped: Option<Stop>,
    /// The limits that it ran under.
    pub limits: Limits,
    /// The file with all objects, if they were to be kept and the code ran to its end.
    kept: Option<Uuid>,
    /// The session is busy until its files have been published, and all else is done: who comes next finds them.
    _turn: Turn,
}

impl App {
    /// Opens a session that ends with a login.
    ///
    /// # Errors
    /// [`OpenError`]
    pub async fn open_session(&self, login: &Login) -> Result<Arc<Session>, OpenError> {
        let boundary = boundary(&self.rules.now(), &login.user, None);
        self.open(Opening { owner: &login.user, login: Some(login.id), boundary, ..Opening::default() }).await
    }

    /// Opens a session for a user, which ends when nobody has used it for so long; 0 is never.
    ///
    /// # Errors
    /// [`OpenError`]
    pub async fn open_for(&self, user: &str, idle_seconds: u64) -> Result<Arc<Session>, OpenError> {
        let boundary = boundary(&self.rules.now(), user, None);
        self.sessions.open(Opening { owner: user, boundary, idle_seconds: Some(idle_seconds), ..Opening::default() }).await
    }

    /// Opens a session for one run, which ends with the answer. `user` is empty for callers without a login.
    ///
    /// # Errors
    /// [`OpenError`]
    pub async fn open_for_run(self: &Arc<Self>, user: &str, login: Option<Uuid>, limits: Option<&str>) -> Result<Passing, OpenError> {
        let rules = self.rules.now();
        let boundary = boundary(&rules, user, limits);
        let operation_seconds = user.is_empty().then(|| rules.policies.number(Policy::AnonymousSeconds, ANONYMOUS_SECONDS));
        let opening = Opening { owner: user, login, purpose: Purpose::Run, boundary, operation_seconds, ..Opening::default() };
        self.open_passing(opening).await
    }

    /// Opens a session for a question that the server has for R.
    ///
    /// # Errors
    /// [`OpenError`]
    pub async fn open_for_question(self: &Arc<Self>) -> Result<Passing, OpenError> {
        self.open_passing(Opening { purpose: Purpose::Question, ..Opening::default() }).await
    }

    async fn open_passing(self: &Arc<Self>, opening: Opening<'_>) -> Result<Passing, OpenError> {
        let session = self.open(opening).await?;
        Ok(Passing { app: Arc::clone(self), session })
    }

    /// Opens a session, unless the login that it is to end with ends meanwhile.
    ///
    /// # Errors
    /// [`OpenError`]
    pub(super) async fn open(&self, opening: Opening<'_>) -> Result<Arc<Session>, OpenError> {
        let session = self.sessions.open(opening).await?;
        let is_over = |login: Uuid| self.logins.find(login).is_none_or(|login| login.is_closing());
        if opening.login.is_some_and(is_over) {
            // Whoever ends a login has looked for its sessions before this one was there.
            self.sessions.close(&session);
            return Err(OpenError::LoginOver);
        }
        Ok(session)
    }

    /// The limits of a boundary, for [`Run::limits`].
    #[must_use]
    pub fn limits_of(&self, boundary: Option<&str>) -> Limits {
        let rules = self.rules.now();
        let boundary = boundary.and_then(|name| rules.boundary(name)).map(as_limits).unwrap_or_default();
        let above_zero = |value: Option<u64>| value.filter(|&value| value > 0);
        Limits {
            cpu_seconds: above_zero(boundary.cpu_seconds),
            memory: above_zero(boundary.memory_mib).map(|mib| mib << 20),
            ..Limits::default()
        }
    }

    /// Runs code. A session that runs something already refuses.
    ///
    /// # Errors
    /// [`Failure`]
    pub async fn execute(&self, session: &Arc<Session>, run: Run<'_>) -> Result<Outcome, Failure> {
        run.preload.iter().try_for_each(require_data)?;
        let turn = session.turn(Admission::Immediate)?;
        let mut preload = Vec::with_capacity(run.preload.len());
        for object in run.preload {
            preload.push(Stored { file: self.bring(session, &object.blob.hash).await?, name: object.name });
        }
        let save = run.keep.then(Uuid::new_v4);
        let limits = Limits {
            cpu_seconds: run.limits.cpu_seconds.or(session.limits.cpu_seconds),
            memory: run.limits.memory.or(session.limits.memory),
            ..session.limits.clone()
        };
        let execute = Execute {
            print: run.print,
            objects: run.objects,
            encoding: run.encoding,
            publish: run.files,
            preload,
            inputs: run.inputs.len(),
            limits: run.limits,
            save,
        };
        let mut payload = BytesMut::with_capacity(run.inputs.len() + run.code.len());
        payload.extend_from_slice(run.inputs.as_bytes());
        payload.extend_from_slice(run.code.as_bytes());
        let answered = turn.operate(execute, payload.freeze()).await?;
        let executed = answered.reply;
        Ok(Outcome {
            kept: save.filter(|_| executed.saved),
            executed,
            objects: answered.payload,
            console: answered.console,
            stopped: answered.stopped,
            limits,
            _turn: turn,
        })
    }

    /// Adds code to a session's history.
    pub fn remember(&self, session: &Session, code: &str) {
        let rules = self.rules.now();
        let depth = rules.policies.number(Policy::HistoryDepth, 0);
        let bytes = rules.policies.number(Policy::HistoryMib, HISTORY_MIB) << 20;
        session.remember(code, usize::try_from(depth).unwrap_or(0), usize::try_from(bytes).unwrap_or(0));
    }

    /// Gives the files that a run has published their addresses, for as long as the login lasts. Those for which there is
    /// no room are told by a warning.
    pub async fn publish(&self, session: &Arc<Session>, outcome: &mut Outcome, login: &Arc<Login>) -> Vec<PublishedFile> {
        let files = std::mem::take(&mut outcome.executed.published);
        if files.is_empty() {
            return files;
        }
        let (published, of, id, all) = (Arc::clone(&self.published), Arc::clone(session), login.id, files.len());
        let taken = tokio::task::spawn_blocking(move || published.take(&of, files, id)).await.unwrap_or_default();
        if login.is_closing() {
            // A logout has looked for files before these were there.
            let published = Arc::clone(&self.published);
            let _ = tokio::task::spawn_blocking(move || published.forget(id)).await;
            return Vec::new();
        }
        if taken.len() < all {
            let missing = all - taken.len();
            let warning = format!("{missing} of {all} files could not be published: the files of a login may take so much, and no more");
            outcome.executed.conditions.push(Condition::warning(warning));
        }
        taken
    }

    /// Puts what [`Run::keep`] has kept into the repository.
    ///
    /// # Errors
    /// [`Failure`]
    pub async fn keep(&self, session: &Arc<Session>, outcome: &Outcome, name: &str, login: &Login) -> Result<Option<Object>, Failure> {
        let Some(file) = outcome.kept else { return Ok(None) };
        let keeping = self.store.blobs.keep().await?;
        let blob = self.collect(session, file, &keeping).await?;
        self.add_object(login, name, Kind::Workspace, blob, &keeping).await.map(Some)
    }

    /// Carries out a command that makes no use of a payload.
    pub(super) async fn ask<C: Command>(turn: &Turn, command: C) -> Result<C::Reply, Failure> {
        Ok(turn.operate(command, Bytes::new()).await?.reply)
    }
}

/// Size of the history that a session keeps, in MiB, unless the policy says otherwise.
const HISTORY_MIB: u64 = 16;

/// A session for one run, or one question: closed when this goes, also when the caller goes away in the middle.
#[derive(Debug)]
pub struct Passing {
    app: Arc<App>,
    /// The session.
    pub session: Arc<Session>,
}

impl Drop for Passing {
    fn drop(&mut self) {
        self.app.sessions.close(&self.session);
    }
}

/// A script's boundary, or else that of the account.
pub(super) fn boundary(rules: &Rules, user: &str, named: Option<&str>) -> Option<Boundary> {
    named.and_then(|name| rules.boundary(name)).or_else(|| rules.boundary_of(user)).map(as_limits)
}

fn as_limits(boundary: &boundaries::Boundary) -> Boundary {
    let some = |value: i64| u64::try_from(value).ok();
    Boundary { cpu_seconds: some(boundary.cpu_seconds), memory_mib: some(boundary.memory_mib) }
}
