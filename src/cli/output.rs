//! How commands print: tables to be read, or JSON to be worked with.

use std::io::{self, Write};

use clap::Args;
use serde::Serialize;

/// The heading of a column or of a line, and a function that gets the text below or beside it.
pub(super) type Column<T> = (&'static str, fn(&T) -> String);

/// The form of what a command prints.
#[derive(Debug, Clone, Copy, Args)]
pub(super) struct Format {
    /// Print one JSON document instead: the same fields in every release, times as in RFC 3339
    #[arg(long)]
    json: bool,
}

impl Format {
    /// Prints several things: as a table, or as a JSON array.
    pub(super) fn list<T: Serialize>(self, items: &[T], columns: &[Column<T>]) -> anyhow::Result<()> {
        if self.json {
            return json(items);
        }
        let head = columns.iter().map(|(name, _)| name.to_uppercase()).collect();
        let rows = items.iter().map(|item| columns.iter().map(|(_, text)| visible(&text(item))).collect());
        table(&std::iter::once(head).chain(rows).collect::<Vec<Vec<String>>>())
    }

    /// Prints one thing: a line for each of its properties, or a JSON object.
    pub(super) fn one<T: Serialize>(self, item: &T, lines: &[Column<T>]) -> anyhow::Result<()> {
        if self.json { json(item) } else { properties(item, lines) }
    }

    /// Prints several things, each with its properties: with an empty line between them, or as a JSON array.
    pub(super) fn each<T: Serialize>(self, items: &[T], lines: &[Column<T>]) -> anyhow::Result<()> {
        if self.json {
            return json(items);
        }
        for (at, item) in items.iter().enumerate() {
            if at > 0 {
                print("\n")?;
            }
            properties(item, lines)?;
        }
        Ok(())
    }
}

/// Prints a line for each property.
fn properties<T>(item: &T, lines: &[Column<T>]) -> anyhow::Result<()> {
    let mut rows = Vec::new();
    for (name, text) in lines {
        let mut name = format!("{name}:");
        for line in text(item).lines() {
            rows.push(vec![std::mem::take(&mut name), visible(line)]);
        }
    }
    table(&rows)
}

/// A time of the store.
pub(super) fn time(microseconds: i64) -> String {
    jiff::Timestamp::from_second(microseconds.div_euclid(1_000_000)).map(|time| time.to_string()).unwrap_or_default()
}

/// A name, or a dash for none.
pub(super) fn or_dash(name: Option<&String>) -> String {
    name.map_or("-", String::as_str).to_owned()
}

/// Words separated by commas, or a dash for none.
pub(super) fn words(words: &[String]) -> String {
    if words.is_empty() { "-".to_owned() } else { words.join(", ") }
}

/// Prints text as it is. It is no error if the reader stops in the middle, as `head` does.
pub(super) fn print(text: &str) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(()),
    }
}

fn json<T: Serialize + ?Sized>(value: &T) -> anyhow::Result<()> {
    print(&(serde_json::to_string_pretty(value)? + "\n"))
}

/// Columns as wide as they need to be.
fn table(rows: &[Vec<String>]) -> anyhow::Result<()> {
    let columns = rows.first().map_or(0, Vec::len);
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<_> = (0..columns).map(width).collect();
    let mut text = String::new();
    for row in rows {
        let cells: Vec<_> = row.iter().zip(&widths).map(|(cell, &width)| format!("{cell:<width$}")).collect();
        text.push_str(cells.join("  ").trim_end());
        text.push('\n');
    }
    print(&text)
}

/// Control characters in what users have written must not reach the terminal, which would obey them.
fn visible(text: &str) -> String {
    text.chars().map(|letter| if letter.is_control() { char::REPLACEMENT_CHARACTER } else { letter }).collect()
}
