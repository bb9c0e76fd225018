//! How clients ask for runs of code, and how these are answered.

use std::sync::Arc;

use crate::{
    api::revodeployr::{
        envelope::{Answer, Entry, Group},
        error::{self, Error},
        identifiers,
        request::Incoming,
    },
    app::{
        App,
        evaluation::{Condition, Ending, MissingObject},
        objects::Object,
        runs::{PublishedFile, Run, RunResult},
        scripts::Script,
        sessions::{Session, Stop},
    },
    auth::{Login, Principal},
};

/// The script that the request names, by name or identifier.
pub(super) async fn wanted_script(app: &App, incoming: &Incoming, principal: &Principal) -> Result<Script, Error> {
    let name = incoming.form.require_label("rscript")?;
    let id = identifiers::parse("SCRPT", name).map(|id| id.to_string());
    Ok(app.script(id.as_deref().unwrap_or(name), principal).await?)
}

/// The run that the parameters of both script calls ask for.
pub(super) async fn run_of<'a>(app: &App, incoming: &'a Incoming, script: &'a Script, principal: &Principal) -> Result<Run<'a>, Error> {
    let form = &incoming.form;
    let mut objects = form.list("robjects")?;
    if objects.is_empty() {
        // The guide has a misprint, which clients may have copied.
        objects = form.list("objects")?;
    }
    let preload = match form.label("preload")? {
        Some(identifier) => vec![super::repository::wanted_object(app, identifier, principal).await?],
        None => Vec::new(),
    };
    Ok(Run {
        code: &script.code,
        inputs: form.get("inputs")?.unwrap_or_default(),
        preload,
        objects,
        encoding: incoming.format.unwrap_or_default().encoding(),
        files: form.list("files")?,
        keep: form.boolean("saveworkspace")?.unwrap_or(false),
        print: app.settings().revodeployr.autoprint,
        ..Run::default()
    })
}

/// The name of a saved workspace.
pub(super) fn workspace_name(script: &Script) -> String {
    format!("{} {}", script.name, jiff::Zoned::now().strftime("%Y-%m-%d %H:%M:%S"))
}

/// The answer of both script calls. It has `objects` only if a workspace was saved.
pub(super) fn script_answer(files: Vec<Entry>, saved: Option<Object>, answer: Answer) -> Answer {
    let entries: Vec<_> = saved.into_iter().map(|object| Entry::new(object.name, identifiers::object(object.id))).collect();
    let mut later_groups = Vec::new();
    if !entries.is_empty() {
        later_groups.push(Group { json: "objects", entries: entries.clone(), ..Group::default() });
    }
    later_groups.push(Group { json: "repository", xml: ("repository", "object"), entries });
    later_groups.push(Group::files(files));
    Answer { later_groups, ..answer }
}

/// Gives the files of a run their addresses.
pub(super) async fn publish(
    app: &App,
    incoming: &Incoming,
    session: &Arc<Session>,
    outcome: &mut RunResult,
    login: &Arc<Login>,
) -> Vec<Entry> {
    let published = app.file_publish(session, outcome, login).await;
    let base = incoming.base(app);
    published.iter().map(|PublishedFile { name, id, .. }| Entry::new(name, identifiers::file_url(&base, *id, name))).collect()
}

/// Adds the outcome of a run to an answer that says what it is about.
pub(super) fn answer(outcome: RunResult, about: Answer) -> Answer {
    Answer {
        error: error_of(&outcome),
        console: console(outcome.console),
        warnings: warnings(outcome.executed.warnings, outcome.executed.missing, outcome.executed.dropped_warnings),
        robjects: Some(outcome.objects),
        ..about
    }
}

/// Console text as calls give it: without its last line end; `None` if it is empty.
fn console(mut text: String) -> Option<String> {
    if text.ends_with('\n') {
        text.pop();
    }
    (!text.is_empty()).then_some(text)
}

/// The error of an evaluation that did not complete.
fn error_of(outcome: &RunResult) -> Option<(String, u16)> {
    let limits = &outcome.limits;
    Some(match (&outcome.executed.ending, outcome.stopped) {
        // Code may complete although it was stopped: perhaps only a program that it ran was cut short.
        (Ending::Completed | Ending::Interrupted, Some(Stop::TimeLimit(seconds))) => {
            (format!("The operation was stopped at its time limit of {seconds} seconds."), error::LIMIT)
        }
        (Ending::Completed, _) => return None,
        (Ending::Interrupted, _) => ("The operation was interrupted.".to_owned(), error::R_ERROR),
        (Ending::CpuLimit, _) => {
            let seconds = limits.cpu_seconds.unwrap_or(0);
            (format!("The operation was stopped at its limit of {seconds} seconds of processor time."), error::LIMIT)
        }
        (Ending::SyntaxError { message, .. }, _) => (message.clone(), error::R_ERROR),
        (Ending::Failed(condition), _) => match limits.memory.filter(|_| is_out_of_memory(condition)) {
            Some(memory) => {
                let mib = memory >> 20;
                (format!("{}. The memory of this run is limited to {mib} MiB.", condition.as_r_prints()), error::LIMIT)
            }
            None => (condition.as_r_prints(), error::R_ERROR),
        },
    })
}

/// R has no class for this error, but only a few wordings (memory.c).
fn is_out_of_memory(condition: &Condition) -> bool {
    ["cannot allocate", "memory exhausted", "could not allocate"].iter().any(|words| condition.message.contains(words))
}

/// The warnings that R raised, and our own about requested objects that do not exist.
fn warnings(raised: Vec<String>, missing: Vec<MissingObject>, dropped: u64) -> Vec<String> {
    let missing = missing.into_iter().map(|missing| match missing.error {
        None => format!("object '{}' not found", missing.name),
        Some(error) => format!("object '{}' could not be read: {error}", missing.name),
    });
    let dropped = (dropped > 0).then(|| format!("{dropped} more warnings were left out"));
    raised.into_iter().chain(missing).chain(dropped).collect()
}
