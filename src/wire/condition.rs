//! Conditions that R has signalled: errors, warnings, messages.

use serde::{Deserialize, Serialize};

/// The kind of a condition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Severity {
    /// It has ended the evaluation.
    Error,
    /// The evaluation has gone on.
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
    /// The first line of the call that has signalled it; empty when there is no call.
    pub call: String,
    /// R's `class()` of the condition, the most specific class first.
    pub classes: Vec<String>,
}

/// Longest text of a condition, in bytes: R's own messages are cut at 8 KiB.
const TEXT: usize = 64 << 10;
/// Longest name of a class, in bytes.
const CLASS: usize = 256;
/// Most classes.
const CLASSES: usize = 50;

impl Condition {
    /// A condition. Texts longer than anybody reads are cut.
    #[must_use]
    pub fn new(severity: Severity, mut message: String, mut call: String, mut classes: Vec<String>) -> Self {
        cut(&mut message, TEXT);
        cut(&mut call, TEXT);
        classes.truncate(CLASSES);
        classes.iter_mut().for_each(|class| cut(class, CLASS));
        Self { severity, message, call, classes }
    }

    /// Its size, in bytes.
    #[must_use]
    pub fn size(&self) -> usize {
        self.message.len() + self.call.len() + self.classes.iter().map(String::len).sum::<usize>()
    }

    /// `Error in f(x) : message`, as R prints an error; the message alone where there is no call.
    #[must_use]
    pub fn as_r_prints(&self) -> String {
        if self.call.is_empty() { self.message.clone() } else { format!("Error in {} : {}", self.call, self.message) }
    }

    /// A warning of our own, and not of R.
    #[must_use]
    pub fn warning(message: String) -> Self {
        Self::new(Severity::Warning, message, String::new(), Vec::new())
    }
}

fn cut(text: &mut String, length: usize) {
    text.truncate(text.floor_char_boundary(length));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_texts_are_cut_at_a_character() {
        let condition = Condition::new(Severity::Error, "é".repeat(TEXT), "f()".to_owned(), vec!["ü".repeat(CLASS); 2 * CLASSES]);
        assert_eq!((condition.message.len(), condition.call.as_str(), condition.classes.len()), (TEXT, "f()", CLASSES));
        assert!(condition.size() <= TEXT + CLASS * CLASSES + 3);
    }
}
