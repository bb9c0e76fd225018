//! How long the store takes: sqlx reports each statement as an event, with its duration.

use metrics::histogram;
use tracing::{
    Event, Level, Subscriber,
    field::{Field, Visit},
};
use tracing_subscriber::{Layer, filter::Targets, layer::Context, registry::LookupSpan};

/// The target of the events.
const TARGET: &str = "sqlx::query";

pub(super) fn layer<S: Subscriber + for<'span> LookupSpan<'span>>() -> impl Layer<S> {
    Statements.with_filter(Targets::new().with_target(TARGET, Level::DEBUG))
}

struct Statements;

impl<S: Subscriber> Layer<S> for Statements {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut statement = Statement::default();
        event.record(&mut statement);
        if let Some(seconds) = statement.seconds {
            histogram!("offshoot_store_statement_seconds", "statement" => statement.kind).record(seconds);
        }
    }
}

#[derive(Default)]
struct Statement {
    kind: &'static str,
    seconds: Option<f64>,
}

impl Visit for Statement {
    fn record_f64(&mut self, field: &Field, value: f64) {
        if field.name() == "elapsed_secs" {
            self.seconds = Some(value);
        }
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "summary" {
            let word = value.split_ascii_whitespace().next().unwrap_or_default();
            self.kind = ["SELECT", "INSERT", "UPDATE", "DELETE", "PRAGMA"]
                .into_iter()
                .find(|kind| word.eq_ignore_ascii_case(kind))
                .unwrap_or("other");
        }
    }

    fn record_debug(&mut self, _: &Field, _: &dyn std::fmt::Debug) {}
}
