//! The buffer that the writers fill.

/// Bytes being written. Running out of memory is remembered, never a crash: a session may have a memory
/// limit, and asking for a large object in JSON must not kill it.
#[derive(Debug, Default)]
pub struct Out {
    bytes: Vec<u8>,
    failed: bool,
}

impl Out {
    /// An empty buffer.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Appends `text`.
    #[inline]
    pub fn push(&mut self, text: &[u8]) {
        if self.room(text.len()) {
            self.bytes.extend_from_slice(text);
        }
    }

    /// Appends one byte.
    #[inline]
    pub fn byte(&mut self, byte: u8) {
        if self.room(1) {
            self.bytes.push(byte);
        }
    }

    /// Makes room for `more` bytes; false, from then on, when there is none.
    #[inline]
    pub fn room(&mut self, more: usize) -> bool {
        if self.bytes.capacity() - self.bytes.len() >= more {
            return !self.failed;
        }
        self.grow(more)
    }

    #[cold]
    fn grow(&mut self, more: usize) -> bool {
        if !self.failed && self.bytes.try_reserve(more).is_err() {
            self.failed = true;
        }
        !self.failed
    }

    /// What was written so far.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Length so far, in bytes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Whether nothing has been written.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Forgets what was written from `length` on.
    pub fn truncate(&mut self, length: usize) {
        self.bytes.truncate(length);
    }

    /// The bytes, or `None` when memory ran out on the way.
    #[must_use]
    pub fn finish(self) -> Option<Vec<u8>> {
        (!self.failed).then_some(self.bytes)
    }
}
