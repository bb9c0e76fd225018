//! Marks in a worker's console pipe. They show where R's error stream begins and ends.

/// Length of the random tag.
pub const TAG_LENGTH: usize = 16;
/// The random tag of one worker's console. Nobody else knows it, so printed text cannot contain a mark.
pub type Tag = [u8; TAG_LENGTH];

/// The byte after a tag in the stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Mark {
    /// Ordinary output follows.
    Output = b'o',
    /// R's error stream follows.
    Error = b'e',
    /// A message was sent here; see [`super::host`].
    Message = b'm',
}

impl Mark {
    /// The bytes of this mark, in the console with this tag.
    #[must_use]
    pub fn bytes(self, tag: &Tag) -> Vec<u8> {
        [&tag[..], &[self as u8]].concat()
    }
}
