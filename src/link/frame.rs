//! Frames: a header and a payload, in a stream.
//!
//! | bytes | what |
//! |---|---|
//! | 0-3 | length of the header, little-endian |
//! | 4-7 | 1: the payload is in shared memory, and does not follow the header; 2: memory for a large reply comes along |
//! | 8-15 | length of the payload, little-endian |
//!
//! The sender of a frame may be hostile. So lengths have small bounds, and no memory is reserved for bytes that are only announced. This
//! file knows only bytes, and is fuzzed; [`super::channel`] handles the descriptors.

/// Length of the prefix before the header.
pub const PREFIX: usize = 16;
/// Longest header, in bytes. A header holds names, conditions and lists of files, never data. Decoded, each of its bytes may take some 25
/// in memory.
pub const MAX_HEADER: usize = 1 << 20;
/// Payloads larger than this many bytes can only go through shared memory.
pub const INLINE: usize = 256 << 10;
/// How much memory a decoder keeps for the next frame, in bytes.
const KEPT: usize = 64 << 10;

const SHARED: u32 = 1;
const MEMORY: u32 = 2;

/// Where a payload is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// In the stream.
    Inline,
    /// In shared memory.
    Shared,
}

/// The prefix before the header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Prefix {
    /// Length of the header, in bytes.
    pub header: usize,
    /// Length of the payload, in bytes.
    pub payload: usize,
    /// Where the payload is.
    pub place: Place,
    /// Whether memory for a large reply comes along.
    pub memory: bool,
}

/// The bytes are not a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("malformed frame: {0}")]
pub struct Malformed(&'static str);

impl Prefix {
    /// Encodes the prefix.
    #[must_use]
    pub fn to_bytes(self) -> [u8; PREFIX] {
        let mut bytes = [0; PREFIX];
        bytes[..4].copy_from_slice(&u32::try_from(self.header).unwrap_or(u32::MAX).to_le_bytes());
        let shared = if self.place == Place::Shared { SHARED } else { 0 };
        let memory = if self.memory { MEMORY } else { 0 };
        bytes[4..8].copy_from_slice(&(shared | memory).to_le_bytes());
        bytes[8..].copy_from_slice(&(self.payload as u64).to_le_bytes());
        bytes
    }

    /// Decodes a prefix.
    ///
    /// # Errors
    /// [`Malformed`] for lengths and places that a frame cannot have.
    pub fn from_bytes(bytes: [u8; PREFIX]) -> Result<Self, Malformed> {
        let [a, b, c, d, e, f, g, h, rest @ ..] = bytes;
        let header = u32::from_le_bytes([a, b, c, d]) as usize;
        let payload = usize::try_from(u64::from_le_bytes(rest)).map_err(|_| Malformed("payload too long"))?;
        let flags = u32::from_le_bytes([e, f, g, h]);
        if flags & !(SHARED | MEMORY) != 0 {
            return Err(Malformed("unknown flags"));
        }
        let place = if flags & SHARED == 0 { Place::Inline } else { Place::Shared };
        if header > MAX_HEADER {
            return Err(Malformed("header too long"));
        }
        if payload > (if place == Place::Inline { INLINE } else { isize::MAX as usize }) {
            return Err(Malformed("payload too long"));
        }
        Ok(Self { header, payload, place, memory: flags & MEMORY != 0 })
    }

    /// How many bytes follow the prefix in the stream.
    #[must_use]
    pub fn following(self) -> usize {
        self.header + if self.place == Place::Inline { self.payload } else { 0 }
    }
}

/// Takes frames out of a stream that arrives in pieces.
#[derive(Debug, Default)]
pub struct Decoder {
    bytes: Vec<u8>,
    /// Where the unread bytes begin.
    start: usize,
}

/// A frame from a stream, without a payload that is in shared memory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Raw {
    /// The header.
    pub header: Vec<u8>,
    /// The payload, if it was inline.
    pub payload: Vec<u8>,
    /// Length of the payload, if it is in shared memory.
    pub shared: Option<usize>,
    /// Whether memory for a large reply came along.
    pub memory: bool,
}

impl Decoder {
    /// Adds bytes from the stream. Bytes that were read are dropped, so that there is never more than one frame.
    pub fn push(&mut self, bytes: &[u8]) {
        self.bytes.drain(..self.start);
        self.start = 0;
        if self.bytes.is_empty() && self.bytes.capacity() > KEPT {
            self.bytes = Vec::new();
        }
        self.bytes.extend_from_slice(bytes);
    }

    /// The next complete frame, if there is one.
    ///
    /// # Errors
    /// [`Malformed`]; the stream is unusable then.
    pub fn next_frame(&mut self) -> Result<Option<Raw>, Malformed> {
        let unread = &self.bytes[self.start..];
        let Some((prefix, rest)) = unread.split_first_chunk::<PREFIX>() else { return Ok(None) };
        let prefix = Prefix::from_bytes(*prefix)?;
        if rest.len() < prefix.following() {
            return Ok(None);
        }
        let (header, rest) = rest.split_at(prefix.header);
        let (payload, shared) = match prefix.place {
            Place::Inline => (rest[..prefix.payload].to_vec(), None),
            Place::Shared => (Vec::new(), Some(prefix.payload)),
        };
        let raw = Raw { header: header.to_vec(), payload, shared, memory: prefix.memory };
        self.start += PREFIX + prefix.following();
        Ok(Some(raw))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn frame(header: &[u8], payload: &[u8]) -> Vec<u8> {
        let prefix = Prefix { header: header.len(), payload: payload.len(), place: Place::Inline, memory: false };
        [&prefix.to_bytes(), header, payload].concat()
    }

    proptest! {
        #[test]
        fn frames_survive_any_cutting(
            frames in proptest::collection::vec((proptest::collection::vec(any::<u8>(), 0..40), proptest::collection::vec(any::<u8>(), 0..90)), 0..6),
            cuts in proptest::collection::vec(1_usize..50, 1..40),
        ) {
            let stream: Vec<u8> = frames.iter().flat_map(|(header, payload)| frame(header, payload)).collect();
            let mut decoder = Decoder::default();
            let mut seen = Vec::new();
            let mut rest = stream.as_slice();
            let mut cuts = cuts.iter().cycle();
            while !rest.is_empty() {
                let (piece, later) = rest.split_at((*cuts.next().unwrap()).min(rest.len()));
                decoder.push(piece);
                rest = later;
                while let Some(raw) = decoder.next_frame().unwrap() {
                    seen.push((raw.header, raw.payload));
                }
            }
            prop_assert_eq!(seen, frames);
        }

        #[test]
        fn any_bytes_are_a_frame_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let mut decoder = Decoder::default();
            decoder.push(&bytes);
            while let Ok(Some(_)) = decoder.next_frame() {}
        }
    }

    #[test]
    fn oversized_frames_are_refused_by_their_prefix() {
        let whole = Prefix { header: MAX_HEADER, payload: INLINE, place: Place::Inline, memory: true };
        assert_eq!(Prefix::from_bytes(whole.to_bytes()), Ok(whole));
        for prefix in [
            Prefix { header: MAX_HEADER + 1, ..whole },
            Prefix { payload: INLINE + 1, ..whole },
            Prefix { payload: usize::MAX, place: Place::Shared, ..whole },
        ] {
            assert!(Prefix::from_bytes(prefix.to_bytes()).is_err(), "{prefix:?}");
        }
        let mut unknown = whole.to_bytes();
        unknown[4] = 4;
        assert!(Prefix::from_bytes(unknown).is_err());
    }

    #[test]
    fn frames_that_always_overlap_do_not_pile_up() {
        let one = frame(b"header", b"payload");
        let mut decoder = Decoder::default();
        decoder.push(&one[..5]);
        for _ in 0..100_000 {
            decoder.push(&one[5..]);
            assert!(decoder.next_frame().unwrap().is_some());
            decoder.push(&one[..5]);
        }
        assert!(decoder.bytes.capacity() < 10 * one.len());
    }
}
