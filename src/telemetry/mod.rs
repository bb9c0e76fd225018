//! What the server says of itself: the log, the audit log, measurements.
//!
//! The log goes to standard error: as text on a terminal, as JSON otherwise. [`audit`] records logins, refusals and changes of
//! rights, and [`measures`] are for Prometheus.

pub mod audit;
pub mod measures;
mod paragraphs;
pub mod recent;
mod statements;

use std::{io::IsTerminal, path::Path, sync::Arc};

use anyhow::Context;
use tracing_subscriber::{
    EnvFilter, Layer, Registry,
    filter::{FilterExt, filter_fn},
    fmt,
    layer::SubscriberExt,
    reload,
    util::SubscriberInitExt,
};

use crate::config::{Log, LogFormat};
pub use recent::Recent;

/// The target of the log lines of which there is one for each request.
pub const REQUESTS: &str = "offshoot::requests";
/// The target of the span that all lines of a request have in common.
pub const REQUEST_SPAN: &str = "offshoot::request";

/// Logging, as far as it can be changed while the server runs.
#[derive(Debug)]
pub struct Telemetry {
    filter: reload::Handle<EnvFilter, Registry>,
    files: Vec<Arc<audit::File>>,
    /// The level of the configuration.
    configured: String,
    in_force: String,
}

/// Starts logging; the last lines are kept, too.
///
/// # Errors
/// When the file of the audit log cannot be written, or logging has been started before.
pub fn start(config: &Log) -> anyhow::Result<(Telemetry, Recent)> {
    let (filter, handle) = reload::Layer::new(EnvFilter::try_new(&config.level).context("log.level")?);
    let text = match config.format {
        LogFormat::Auto => std::io::stderr().is_terminal(),
        LogFormat::Text => true,
        LogFormat::Json => false,
    };
    let lines = fmt::layer().with_writer(std::io::stderr);
    let lines: Box<dyn Layer<Registry> + Send + Sync> = if text {
        lines.with_target(false).with_ansi(std::io::stderr().is_terminal()).boxed()
    } else {
        lines.json().with_span_list(false).boxed()
    };
    let open = |setting: &'static str, path: &Path| {
        let file = (!path.as_os_str().is_empty()).then(|| audit::File::open(setting, path).map(Arc::new));
        file.transpose().map_err(anyhow::Error::msg)
    };
    let (audit, file) = (open("log.audit", &config.audit)?, open("log.file", &config.file)?);
    let audit_lines = audit.clone().map(|file| fmt::layer().json().with_span_list(false).with_writer(file).with_filter(audit::filter()));
    let recent = Recent::default();
    let kept = recent.clone();
    // The last lines are read by those who want to know how R is: the requests of others do not belong there.
    let keep = fmt::layer().with_ansi(false).with_target(false).with_writer(move || kept.clone());
    let keep = keep.with_filter(filter_fn(|metadata| ![REQUESTS, REQUEST_SPAN].contains(&metadata.target())));
    let for_people = file.clone().map(|file| fmt::layer().with_ansi(false).event_format(paragraphs::Paragraphs).with_writer(file));
    // The audit log is written at any level.
    let lines = lines.and_then(keep).and_then(for_people).with_filter(filter.or(audit::filter()));
    tracing_subscriber::registry().with(lines).with(audit_lines).with(statements::layer()).try_init()?;
    let telemetry = Telemetry {
        filter: handle,
        files: audit.into_iter().chain(file).collect(),
        configured: config.level.clone(),
        in_force: config.level.clone(),
    };
    Ok((telemetry, recent))
}

impl Telemetry {
    /// Logs at this level from now on; `None` is the level of the configuration.
    pub fn set_level(&mut self, level: Option<&str>) {
        let level = level.unwrap_or(&self.configured);
        if level == self.in_force {
            return;
        }
        self.in_force = level.to_owned();
        match EnvFilter::try_new(level).map_err(anyhow::Error::from).and_then(|filter| Ok(self.filter.reload(filter)?)) {
            Ok(()) => tracing::info!(level, "the log has another level from now on"),
            Err(error) => tracing::warn!(level, %error, "the level of the log could not be changed"),
        }
    }

    /// Opens the files of the log again: the old ones may have been moved away.
    ///
    /// # Errors
    /// A sentence; the old file stays in use.
    pub fn reopen(&self) -> Result<(), String> {
        self.files.iter().try_for_each(|file| file.reopen())
    }
}
