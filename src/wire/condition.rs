//! What R signalled: errors, warnings, messages.

use serde::{Deserialize, Serialize};

/// The kind of a condition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Severity {
    /// Ended the evaluation.
    Error,
    /// Did not.
    Warning,
    /// From `message()`; its text is console text as well.
    Message,
}

/// An R condition, as text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Condition {
    /// Error, warning or message.
    pub severity: Severity,
    /// R's `conditionMessage`.
    pub message: String,
    /// The first line of the call that signalled it; empty when there is none.
    pub call: String,
    /// R's `class` of the condition, the most special first.
    pub classes: Vec<String>,
}

impl Condition {
    /// `Error in f(x) : message`, as R prints an error; the message alone where there is no call.
    #[must_use]
    pub fn as_r_prints(&self) -> String {
        if self.call.is_empty() { self.message.clone() } else { format!("Error in {} : {}", self.call, self.message) }
    }

    /// A warning that is ours, and not R's.
    #[must_use]
    pub fn warning(message: String) -> Self {
        Self { severity: Severity::Warning, message, call: String::new(), classes: Vec::new() }
    }
}
