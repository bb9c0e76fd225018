//! Runs of code, with objects loaded before and kept afterwards.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use uuid::Uuid;

use super::{
    App, Failure,
    objects::{object_name, require_data},
    sessions::as_limits,
};
pub use crate::link::{
    command::{Ending, Executed, InputForm, PlotFiles, PublishedFile, Reporting},
    messages::Limits,
};
use crate::{
    auth::Principal,
    link::command::{Execute, Stored},
    session::{Admission, Session, Stop, queue::Turn},
    store::objects::{Kind, Object},
    wire::{Encoding, plain},
};

/// The code to run, and the results to return.
#[derive(Debug, Default)]
pub struct Run<'a> {
    /// R code.
    pub code: &'a str,
    /// Inputs; empty for none.
    pub inputs: &'a str,
    /// Their form.
    pub form: InputForm,
    /// Objects to load first.
    pub preload: Vec<Object>,
    /// Names of objects to return.
    pub objects: Vec<String>,
    /// The encoding of these objects.
    pub encoding: Encoding,
    /// What plain objects have to be, in the same order; empty when nothing is declared.
    pub kinds: Vec<plain::Kind>,
    /// Files to publish.
    pub files: Vec<String>,
    /// Whether to keep all objects.
    pub keep: bool,
    /// Whether to print visible values.
    pub print: bool,
    /// Who is told of warnings and of the error.
    pub reporting: Reporting,
    /// What becomes of plots for which the code opens no device.
    pub plots: PlotFiles,
    /// What to do while the session is running something else.
    pub admission: Admission,
    /// Limits within those of the session.
    pub limits: Limits,
}

/// The result of a run.
#[derive(Debug)]
pub struct RunResult {
    /// The worker's report.
    pub executed: Executed,
    /// The objects that were asked for.
    pub objects: Bytes,
    /// What was printed.
    pub console: String,
    /// Why it was stopped, if it was.
    pub stopped: Option<Stop>,
    /// The limits that it ran under.
    pub limits: Limits,
    /// The file with all objects, if they were to be kept and the code has completed.
    kept: Option<Uuid>,
    /// Keeps the session busy until its files are published and everything else is done, so that the next caller finds them.
    _turn: Turn,
}

impl RunResult {
    /// Whether every statement ran.
    #[must_use]
    pub fn has_completed(&self) -> bool {
        self.stopped.is_none() && self.executed.ending == Ending::Completed
    }

    /// Why a run did not do what was asked; `None` if it did.
    #[must_use]
    pub fn failure(&self) -> Option<String> {
        if let Some(stop) = self.stopped {
            return Some(match stop {
                Stop::Interrupt => "The code was cancelled.".to_owned(),
                Stop::TimeLimit(seconds) => format!("The code was stopped, because it took longer than {seconds} s."),
                Stop::Close => "The code was stopped, because the session was closed.".to_owned(),
            });
        }
        match &self.executed.ending {
            Ending::Completed => {}
            Ending::SyntaxError { message, .. } => return Some(message.clone()),
            Ending::Failed(condition) => return Some(condition.as_r_prints()),
            Ending::Interrupted => return Some("The code was interrupted.".to_owned()),
            Ending::CpuLimit => return Some("The code was stopped, because it used up the processor time of one operation.".to_owned()),
        }
        let missing = self.executed.missing.first()?;
        Some(missing.error.as_ref().map_or_else(|| format!("object '{}' not found", missing.name), Clone::clone))
    }
}

impl App {
    /// A boundary's limits, for [`Run::limits`].
    #[must_use]
    pub fn boundary_limits(&self, boundary: Option<&str>) -> Limits {
        let rules = self.rules.now();
        let boundary = boundary.and_then(|name| rules.boundary(name)).map(as_limits).unwrap_or_default();
        let above_zero = |value: Option<u64>| value.filter(|&value| value > 0);
        Limits {
            cpu_seconds: above_zero(boundary.cpu_seconds),
            memory: above_zero(boundary.memory_mib).map(|mib| mib << 20),
            ..Limits::default()
        }
    }

    /// Runs code. A session that is already running something refuses, unless the run may wait.
    ///
    /// # Errors
    /// [`Failure`]
    pub async fn execute(&self, session: &Arc<Session>, run: Run<'_>) -> Result<RunResult, Failure> {
        run.preload.iter().try_for_each(require_data)?;
        // Editors of some systems put it before a text, and R would not parse it.
        let code = run.code.strip_prefix('\u{feff}').unwrap_or(run.code);
        let turn = session.turn(run.admission)?;
        let mut preload = Vec::with_capacity(run.preload.len());
        for object in run.preload {
            preload.push(Stored { file: self.content_bring(session, &object.blob.hash).await?, name: object_name(&object.name) });
        }
        let save = run.keep.then(Uuid::new_v4);
        let limits = Limits {
            cpu_seconds: run.limits.cpu_seconds.or(session.limits.cpu_seconds),
            memory: run.limits.memory.or(session.limits.memory),
            ..session.limits.clone()
        };
        let execute = Execute {
            print: run.print,
            reporting: run.reporting,
            plots: run.plots,
            objects: run.objects,
            encoding: run.encoding,
            kinds: run.kinds,
            publish: run.files,
            preload,
            inputs: run.inputs.len(),
            form: run.form,
            limits: run.limits,
            save,
        };
        let mut payload = BytesMut::with_capacity(run.inputs.len() + code.len());
        payload.extend_from_slice(run.inputs.as_bytes());
        payload.extend_from_slice(code.as_bytes());
        let answered = turn.operate(execute, payload.freeze()).await?;
        let executed = answered.reply;
        Ok(RunResult {
            kept: save.filter(|_| executed.saved),
            executed,
            objects: answered.payload,
            console: answered.console,
            stopped: answered.stopped,
            limits,
            _turn: turn,
        })
    }

    /// Puts the objects that were kept because of [`Run::keep`] into the repository.
    ///
    /// # Errors
    /// [`Failure`]
    pub async fn workspace_keep(
        &self,
        session: &Arc<Session>,
        outcome: &RunResult,
        name: &str,
        principal: &Principal,
    ) -> Result<Option<Object>, Failure> {
        let Some(file) = outcome.kept else { return Ok(None) };
        self.object_collect(session, principal, file, name, Kind::Workspace).await.map(Some)
    }
}
