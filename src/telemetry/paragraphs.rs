//! The log in a file for people: of each entry, a line with the time, what it is about and how grave it is; then what it says; then an empty
//! line.

use std::fmt;

use jiff::Timestamp;
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::{
    fmt::{FmtContext, FormatEvent, FormatFields, format::Writer},
    registry::LookupSpan,
};

/// Writes entries in this form.
#[derive(Debug, Clone, Copy)]
pub(super) struct Paragraphs;

impl<S, N> FormatEvent<S, N> for Paragraphs
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, context: &FmtContext<'_, S, N>, mut writer: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let (now, metadata) = (Timestamp::now(), event.metadata());
        writeln!(writer, "[{}] {} ({}):", now.strftime("%Y-%m-%d %H:%M:%SZ"), metadata.target(), letter(*metadata.level()))?;
        context.field_format().format_fields(writer.by_ref(), event)?;
        writer.write_str("\n\n")
    }
}

fn letter(level: Level) -> char {
    match level {
        Level::ERROR => 'E',
        Level::WARN => 'W',
        Level::INFO => 'I',
        Level::DEBUG => 'D',
        Level::TRACE => 'T',
    }
}
