//! Conditions that R has reported.

use serde::{Deserialize, Serialize};

/// An error of R, as text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Condition {
    /// R's `conditionMessage`.
    pub message: String,
    /// The first line of the call that has signalled it; empty when there is no call.
    pub call: String,
}

/// Longest text of a condition, in bytes: R's own messages are cut at 8 KiB.
const TEXT: usize = 64 << 10;

impl Condition {
    /// A condition. Texts longer than anybody reads are cut.
    #[must_use]
    pub fn new(mut message: String, mut call: String) -> Self {
        cut(&mut message);
        cut(&mut call);
        Self { message, call }
    }

    /// Its size, in bytes.
    #[must_use]
    pub fn size(&self) -> usize {
        self.message.len() + self.call.len()
    }

    /// `Error in f(x) : message`, as R prints an error; the message alone where there is no call.
    #[must_use]
    pub fn as_r_prints(&self) -> String {
        if self.call.is_empty() { self.message.clone() } else { format!("Error in {} : {}", self.call, self.message) }
    }
}

/// Cuts a text that is longer than anybody reads.
pub fn cut(text: &mut String) {
    text.truncate(text.floor_char_boundary(TEXT));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_texts_are_cut_at_a_character() {
        let condition = Condition::new(format!("a{}", "é".repeat(TEXT)), "f()".to_owned());
        assert_eq!((condition.message.len(), condition.call.as_str()), (TEXT - 1, "f()"));
    }
}
