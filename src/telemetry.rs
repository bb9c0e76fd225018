//! Logging: for people on a terminal, JSON otherwise; always on standard error.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

/// Starts logging at `level`, in the notation of [`EnvFilter`].
pub fn start(level: &str) {
    let filter = EnvFilter::try_new(level).unwrap_or_else(|_| EnvFilter::new("info"));
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    // A second start, in tests, changes nothing.
    let _ = if std::io::stderr().is_terminal() { builder.with_target(false).try_init() } else { builder.json().try_init() };
}
