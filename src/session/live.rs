//! The console of a session while an operation runs, for watchers.

use std::sync::{Arc, Mutex};

use tokio::sync::watch;

use super::{console::Kept, queue::lock};

/// The console text of the running operation, or of the last one with the text printed since.
#[derive(Debug)]
pub struct Live {
    /// How much text of each operation is kept, in bytes; 0 is no limit.
    limit: usize,
    current: Mutex<Arc<Mutex<Printed>>>,
    changes: watch::Sender<()>,
}

/// The text that one operation prints. Its watchers see it to its end, even if another operation has begun.
#[derive(Debug)]
struct Printed {
    running: bool,
    text: Kept,
}

impl Printed {
    fn new(limit: usize, running: bool) -> Arc<Mutex<Self>> {
        Arc::new(Mutex::new(Self { running, text: Kept::new(limit) }))
    }
}

/// A watcher, with its place in the text.
#[derive(Debug)]
pub struct ConsoleWatcher {
    printed: Arc<Mutex<Printed>>,
    position: usize,
    changes: watch::Receiver<()>,
}

impl Live {
    /// Keeps up to `limit` bytes of each operation; 0 is no limit.
    pub(super) fn new(limit: usize) -> Self {
        Self { limit, current: Mutex::new(Printed::new(limit, false)), changes: watch::Sender::new(()) }
    }

    /// Notes that an operation begins.
    pub(super) fn begin(&self) {
        *lock(&self.current) = Printed::new(self.limit, true);
        self.changes.send_replace(());
    }

    /// Adds printed text.
    pub(super) fn push(&self, text: &[u8]) {
        lock(&self.current()).text.push(text);
        self.changes.send_replace(());
    }

    /// Notes that the operation has ended; returns the text that it printed.
    pub(super) fn end(&self) -> String {
        let text = {
            let current = self.current();
            let mut printed = lock(&current);
            printed.running = false;
            printed.text.text()
        };
        self.changes.send_replace(());
        text
    }

    /// The text, as UTF-8.
    #[must_use]
    pub fn text(&self) -> String {
        lock(&self.current()).text.text()
    }

    /// The last `length` bytes, as UTF-8.
    pub(super) fn last(&self, length: usize) -> String {
        lock(&self.current()).text.end(length)
    }

    /// Watches the running operation from its beginning, or reads the text of the last one.
    #[must_use]
    pub fn watch(&self) -> ConsoleWatcher {
        ConsoleWatcher { printed: self.current(), position: 0, changes: self.changes.subscribe() }
    }

    fn current(&self) -> Arc<Mutex<Printed>> {
        Arc::clone(&lock(&self.current))
    }
}

impl ConsoleWatcher {
    /// Waits for more text; `None` when the operation has ended. The text is cut between characters.
    pub async fn more(&mut self) -> Option<String> {
        loop {
            self.changes.mark_unchanged();
            {
                let printed = lock(&self.printed);
                let (text, position) = printed.text.since(self.position, !printed.running);
                self.position = position;
                if !text.is_empty() {
                    return Some(text);
                }
                if !printed.running {
                    return None;
                }
            }
            self.changes.changed().await.ok()?;
        }
    }
}
