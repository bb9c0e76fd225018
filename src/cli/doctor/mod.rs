//! `offshoot doctor`: what is wrong with this machine and its settings, and how to mend it.
//!
//! [`machine`] looks at the system, [`network`] at ports and certificates, [`sources`] at directories, [`issuers`] at issuers
//! of tokens, [`r`] starts R and uses it.

mod issuers;
mod machine;
mod network;
mod r;
mod sources;

use std::{fmt::Write as _, io::Write};

use anyhow::bail;

use super::Doctor;
use crate::config::Config;

/// How bad something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum State {
    Good,
    /// The server works, but something could be better.
    Warning,
    /// The server does not start, or R does not work.
    Error,
}

/// The result of looking at one thing.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Finding {
    subject: &'static str,
    state: State,
    what: String,
    /// What to do about it; empty if nothing has to be done.
    mend: String,
}

/// The findings, as they are made.
#[derive(Debug, Default)]
struct Findings(Vec<Finding>);

impl Findings {
    fn good(&mut self, subject: &'static str, what: impl Into<String>) {
        self.add(subject, State::Good, what, "");
    }

    fn warning(&mut self, subject: &'static str, what: impl Into<String>, mend: impl Into<String>) {
        self.add(subject, State::Warning, what, mend);
    }

    fn error(&mut self, subject: &'static str, what: impl Into<String>, mend: impl Into<String>) {
        self.add(subject, State::Error, what, mend);
    }

    fn add(&mut self, subject: &'static str, state: State, what: impl Into<String>, mend: impl Into<String>) {
        self.0.push(Finding { subject, state, what: what.into(), mend: mend.into() });
    }

    fn count(&self, state: State) -> usize {
        self.0.iter().filter(|finding| finding.state == state).count()
    }

    fn text(&self) -> String {
        let mut text = String::new();
        for Finding { subject, state, what, mend } in &self.0 {
            let mark = match state {
                State::Good => "ok",
                State::Warning => "warning",
                State::Error => "ERROR",
            };
            let _ = writeln!(text, "{mark:<8} {subject}: {what}");
            if !mend.is_empty() {
                let _ = writeln!(text, "{:<8} -> {mend}", "");
            }
        }
        text
    }
}

pub(super) fn run(doctor: &Doctor) -> anyhow::Result<()> {
    let mut config = doctor.settings.config();
    if let (Ok(config), false) = (&mut config, doctor.listen.is_empty()) {
        config.listen.clone_from(&doctor.listen);
    }
    report(config)
}

/// Examines a server with these settings, and says what was found.
pub(super) fn report(config: anyhow::Result<Config>) -> anyhow::Result<()> {
    let mut findings = Findings::default();
    match config {
        Err(error) => {
            findings.error("settings", format!("{error:#}"), "correct the setting that is named; docs/configuration.md has them all");
        }
        Ok(config) => {
            findings.good("settings", "they can be read, and make sense");
            examine(&config, &mut findings)?;
        }
    }
    let (errors, warnings) = (findings.count(State::Error), findings.count(State::Warning));
    let mut out = std::io::stdout().lock();
    out.write_all(findings.text().as_bytes())?;
    if errors > 0 {
        bail!("{errors} errors and {warnings} warnings");
    }
    writeln!(out, "\nNo errors, {warnings} warnings.")?;
    Ok(())
}

fn examine(config: &Config, findings: &mut Findings) -> anyhow::Result<()> {
    machine::examine(config, findings);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        network::examine(config, findings).await;
        issuers::examine(config, findings).await;
        sources::examine(config, findings).await;
        r::examine(config, findings).await;
    });
    Ok(())
}
