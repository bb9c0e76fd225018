//! Marks in a worker's console: where R's error stream begins in the pipe, and where it ends.

/// Length of the random tag.
pub const TAG_LENGTH: usize = 16;
/// The random tag of one worker's console, which nobody else knows.
pub type Tag = [u8; TAG_LENGTH];

/// What follows a tag in the stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Mark {
    /// From here on: ordinary output.
    Output = b'o',
    /// From here on: R's error stream.
    Error = b'e',
}

impl Mark {
    /// The bytes of this mark in the console of that tag.
    #[must_use]
    pub fn bytes(self, tag: &Tag) -> Vec<u8> {
        [&tag[..], &[self as u8]].concat()
    }
}
