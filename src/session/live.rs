//! The console of a session while it runs, for those who watch.

use std::sync::Mutex;

use tokio::sync::watch;

use super::{console::Kept, queue::lock};

/// The console text of the running operation, or of the last one and what was printed since.
#[derive(Debug)]
pub struct Live {
    state: Mutex<State>,
    changes: watch::Sender<()>,
}

#[derive(Debug)]
struct State {
    /// Counts the operations.
    operation: u64,
    running: bool,
    text: Kept,
}

/// A watcher's place in the text.
#[derive(Debug)]
pub struct Watch {
    operation: u64,
    position: usize,
    changes: watch::Receiver<()>,
}

impl Live {
    /// Keeps up to `limit` bytes of each operation; 0 is no limit.
    pub(super) fn new(limit: usize) -> Self {
        let state = State { operation: 0, running: false, text: Kept::new(limit) };
        Self { state: Mutex::new(state), changes: watch::Sender::new(()) }
    }

    /// An operation begins.
    pub(super) fn begin(&self) {
        let mut state = lock(&self.state);
        state.operation += 1;
        state.running = true;
        state.text.clear();
        drop(state);
        self.changes.send_replace(());
    }

    /// Something was printed.
    pub(super) fn push(&self, text: &[u8]) {
        lock(&self.state).text.push(text);
        self.changes.send_replace(());
    }

    /// The operation has ended; returns what it printed.
    pub(super) fn end(&self) -> String {
        let mut state = lock(&self.state);
        state.running = false;
        let text = state.text.text();
        drop(state);
        self.changes.send_replace(());
        text
    }

    /// The text, as UTF-8.
    #[must_use]
    pub fn text(&self) -> String {
        lock(&self.state).text.text()
    }

    /// The last `length` bytes, as UTF-8.
    pub(super) fn last(&self, length: usize) -> String {
        lock(&self.state).text.end(length)
    }

    /// Watches the running operation from its beginning, or what the last one has left.
    #[must_use]
    pub fn watch(&self) -> Watch {
        let changes = self.changes.subscribe();
        Watch { operation: lock(&self.state).operation, position: 0, changes }
    }

    /// Waits for more text; `None` when the operation has ended. The text is cut between characters.
    pub async fn more(&self, watch: &mut Watch) -> Option<String> {
        loop {
            watch.changes.mark_unchanged();
            {
                let state = lock(&self.state);
                if state.operation != watch.operation {
                    return None;
                }
                let (text, position) = state.text.since(watch.position, !state.running);
                watch.position = position;
                if !text.is_empty() {
                    return Some(text);
                }
                if !state.running {
                    return None;
                }
            }
            watch.changes.changed().await.ok()?;
        }
    }
}
