//! What the server remembers of a session beside R's own state: the code that it has run, the output, and its project.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicBool, Ordering},
};

use uuid::Uuid;

use super::queue::lock;

/// The record of a session.
#[derive(Debug)]
pub struct SessionRecord {
    /// The project that the session is saved in.
    project: Mutex<Option<Uuid>>,
    /// Code blocks, in the order in which they were run.
    history: Mutex<Vec<Arc<str>>>,
    /// What the last execution printed.
    output: Mutex<Arc<str>>,
    /// Whether saving the session at its end has failed.
    unsaved: AtomicBool,
}

impl Default for SessionRecord {
    fn default() -> Self {
        Self { project: Mutex::default(), history: Mutex::default(), output: Mutex::new("".into()), unsaved: AtomicBool::new(false) }
    }
}

impl SessionRecord {
    /// The code blocks that were run, in order.
    #[must_use]
    pub fn history(&self) -> Vec<Arc<str>> {
        lock(&self.history).clone()
    }

    /// Adds code to the history. Only the newest `depth` blocks and `bytes` bytes are kept; 0 is no limit.
    pub fn remember(&self, code: &str, depth: usize, bytes: usize) {
        let mut history = lock(&self.history);
        history.push(code.into());
        let within = |limit: usize, value: usize| limit == 0 || value <= limit;
        let mut total = 0;
        let kept = history.iter().rev().enumerate().take_while(|(at, block)| {
            total += block.len();
            within(depth, at + 1) && within(bytes, total)
        });
        let forgotten = history.len() - kept.count();
        history.drain(..forgotten);
    }

    /// Gives the session the project, history and output of a saved one.
    pub fn adopt(&self, project: Uuid, history: Vec<String>, output: &str) {
        self.bind(Some(project));
        *lock(&self.history) = history.into_iter().map(Arc::from).collect();
        self.set_output(output);
    }

    /// The project that the session is saved in, if there is one.
    #[must_use]
    pub fn project(&self) -> Option<Uuid> {
        *lock(&self.project)
    }

    /// Sets the project in which the session is saved from now on.
    pub fn bind(&self, project: Option<Uuid>) {
        *lock(&self.project) = project;
    }

    /// Whether the session was to end, and saving it has failed.
    #[must_use]
    pub fn is_unsaved(&self) -> bool {
        self.unsaved.load(Ordering::Acquire)
    }

    /// Notes that saving the session at its end has failed; false if that is known already.
    pub fn mark_unsaved(&self) -> bool {
        !self.unsaved.swap(true, Ordering::AcqRel)
    }

    /// What the last execution printed.
    #[must_use]
    pub fn output(&self) -> Arc<str> {
        Arc::clone(&lock(&self.output))
    }

    pub(super) fn set_output(&self, text: &str) {
        *lock(&self.output) = text.into();
    }
}
