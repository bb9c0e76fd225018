//! The buffer that the writers fill.

use std::{
    fs::File,
    io::{self, Read, Seek, SeekFrom, Write},
};

/// Bytes kept in this process, in an [`Out`] that has somewhere else to put them. It stays in the processor's cache.
const KEPT: usize = 256 << 10;

/// Bytes being written. Running out of memory is remembered, never a crash: a session may have a memory
/// limit, and asking for a large object in JSON must not kill it.
#[derive(Debug, Default)]
pub struct Out {
    /// What is not in the file: all of it, or the end.
    bytes: Vec<u8>,
    beyond: Beyond,
    failed: bool,
}

/// Where bytes go that are too many to be kept.
#[derive(Debug, Default)]
enum Beyond {
    /// Nowhere: all are kept.
    #[default]
    Kept,
    /// Into a file, which this makes when there is a need.
    Later(fn() -> io::Result<Spill>),
    /// Into this file, which has so many.
    File(Spill, usize),
}

/// A file for what is too much to be kept.
#[derive(Debug)]
pub struct Spill {
    /// The file, empty.
    pub file: File,
    /// How many bytes it may have: the limit on a session's memory is to hold wherever the bytes are.
    pub room: usize,
}

/// What has been written.
#[derive(Debug)]
pub enum Written {
    /// It has been kept.
    Bytes(Vec<u8>),
    /// It is a file of so many bytes.
    File(File, usize),
}

impl Out {
    /// An empty buffer.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// An empty buffer that puts large amounts into a file as they are written: in one piece in this process, they
    /// would be moved as they grow, and copied at the end. Where there is no file to be had, they are kept.
    #[must_use]
    pub fn with_file(make: fn() -> io::Result<Spill>) -> Self {
        Self { beyond: Beyond::Later(make), ..Self::default() }
    }

    /// Appends `text`.
    #[inline]
    pub fn push(&mut self, text: &[u8]) {
        if self.has_room(text.len()) {
            self.bytes.extend_from_slice(text);
        } else {
            self.push_after_growing(text);
        }
    }

    #[cold]
    fn push_after_growing(&mut self, text: &[u8]) {
        for piece in text.chunks(KEPT) {
            if self.grow(piece.len()) {
                self.bytes.extend_from_slice(piece);
            }
        }
    }

    /// Appends one byte.
    #[inline]
    pub fn byte(&mut self, byte: u8) {
        if self.has_room(1) || self.grow(1) {
            self.bytes.push(byte);
        }
    }

    #[inline]
    fn has_room(&self, more: usize) -> bool {
        self.bytes.capacity() - self.bytes.len() >= more && !self.failed
    }

    /// Makes room for `more` bytes; false, from then on, when there is none.
    #[cold]
    fn grow(&mut self, more: usize) -> bool {
        if self.bytes.len() + more > KEPT && self.put_away().is_err() {
            self.take_back();
        }
        if !self.failed && self.bytes.try_reserve(more).is_err() {
            self.failed = true;
        }
        !self.failed
    }

    /// Moves what is kept into the file, if there is to be one.
    fn put_away(&mut self) -> io::Result<()> {
        if let Beyond::Later(make) = self.beyond {
            self.beyond = Beyond::File(make()?, 0);
        }
        if let Beyond::File(Spill { file, room }, length) = &mut self.beyond {
            if *length + self.bytes.len() > *room {
                self.failed = true;
                return Ok(());
            }
            file.write_all(&self.bytes)?;
            *length += self.bytes.len();
            self.bytes.clear();
        }
        Ok(())
    }

    /// Keeps everything from now on, what is in the file included.
    fn take_back(&mut self) {
        if let Beyond::File(Spill { mut file, .. }, length) = std::mem::take(&mut self.beyond) {
            let mut all = Vec::new();
            let read = match all.try_reserve(length + self.bytes.len()) {
                Ok(()) => file.rewind().and_then(|()| file.take(length as u64).read_to_end(&mut all)),
                Err(_) => Err(io::ErrorKind::OutOfMemory.into()),
            };
            self.failed |= read.is_err();
            all.append(&mut self.bytes);
            self.bytes = all;
        }
    }

    /// Whether memory has run out: what has been written since is lost.
    #[must_use]
    pub fn has_failed(&self) -> bool {
        self.failed
    }

    /// What is kept: everything, where there is no file to put it into.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Length so far, in bytes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.bytes.len() + if let Beyond::File(_, length) = self.beyond { length } else { 0 }
    }

    /// Whether nothing has been written.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Forgets what was written from `length` on.
    pub fn truncate(&mut self, length: usize) {
        match &mut self.beyond {
            Beyond::File(Spill { file, .. }, in_file) if length < *in_file => {
                let cut = file.set_len(length as u64).and_then(|()| file.seek(SeekFrom::End(0)));
                self.failed |= cut.is_err();
                *in_file = length;
                self.bytes.clear();
            }
            Beyond::File(_, in_file) => self.bytes.truncate(length - *in_file),
            _ => self.bytes.truncate(length),
        }
    }

    /// The bytes, or `None` when memory ran out on the way.
    #[must_use]
    pub fn finish(mut self) -> Option<Vec<u8>> {
        self.take_back();
        (!self.failed).then_some(self.bytes)
    }

    /// The bytes, wherever they are, or `None` when memory ran out on the way.
    #[must_use]
    pub fn finish_anywhere(mut self) -> Option<Written> {
        if matches!(self.beyond, Beyond::File(..)) && self.put_away().is_err() {
            self.take_back();
        }
        (!self.failed).then_some(match self.beyond {
            Beyond::File(Spill { file, .. }, length) => Written::File(file, length),
            _ => Written::Bytes(self.bytes),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file() -> io::Result<Spill> {
        Ok(Spill { file: tempfile::tempfile()?, room: usize::MAX })
    }

    fn pieces() -> impl Iterator<Item = Vec<u8>> {
        (0..40_u8).map(|number| vec![number; usize::from(number) * 1001])
    }

    fn written(out: Out) -> (Vec<u8>, bool) {
        match out.finish_anywhere().unwrap() {
            Written::Bytes(bytes) => (bytes, false),
            Written::File(mut file, length) => {
                let mut bytes = Vec::new();
                file.rewind().unwrap();
                file.read_to_end(&mut bytes).unwrap();
                assert_eq!(bytes.len(), length);
                (bytes, true)
            }
        }
    }

    #[test]
    fn much_goes_to_the_file_and_little_does_not() {
        let mut out = Out::with_file(file);
        pieces().for_each(|piece| out.push(&piece));
        assert_eq!(out.len(), pieces().flatten().count());
        assert_eq!(written(out), (pieces().flatten().collect(), true));
        let mut out = Out::with_file(file);
        out.push(b"little");
        assert_eq!(written(out), (b"little".to_vec(), false));
    }

    #[test]
    fn what_is_cut_off_is_gone_wherever_it_was() {
        for mark in [0, 5, KEPT - 1, KEPT, 700_000] {
            let mut out = Out::with_file(file);
            pieces().for_each(|piece| out.push(&piece));
            out.truncate(mark);
            out.push(b"end");
            let mut expected: Vec<u8> = pieces().flatten().take(mark).collect();
            expected.extend(b"end");
            assert_eq!(out.len(), expected.len());
            assert_eq!(written(out).0, expected, "{mark}");
        }
    }

    #[test]
    fn without_a_file_everything_is_kept() {
        let nowhere = || Err(io::ErrorKind::StorageFull.into());
        let full = || Ok(Spill { file: File::open("/dev/null")?, room: usize::MAX });
        for make in [nowhere as fn() -> io::Result<Spill>, full] {
            let mut out = Out::with_file(make);
            pieces().for_each(|piece| out.push(&piece));
            assert_eq!(written(out), (pieces().flatten().collect(), false));
        }
    }

    #[test]
    fn a_file_has_no_more_than_there_is_room_for() {
        let mut out = Out::with_file(|| Ok(Spill { room: 1 << 20, ..file()? }));
        (0..1 << 10).for_each(|_| out.push(&[0; 1000]));
        assert!(!out.has_failed());
        (0..1 << 10).for_each(|_| out.push(&[0; 1000]));
        assert!(out.has_failed() && out.finish_anywhere().is_none());
    }
}
