//! Frames: a header and a payload, over a stream socket.
//!
//! | bytes | what |
//! |---|---|
//! | 0-3 | length of the header, little-endian |
//! | 4-7 | 0: the payload follows the header; 1: it is in shared memory, whose descriptor came with byte 0 |
//! | 8-15 | length of the payload, little-endian |
//!
//! This file knows bytes only, and is fuzzed; [`super::channel`] is the socket.

/// Length of what stands before the header.
pub const PREFIX: usize = 16;
/// Longest header. A header holds names, conditions and file lists, never data.
pub const MAX_HEADER: usize = 64 << 20;
/// Payloads above this go by shared memory.
pub const INLINE: usize = 256 << 10;

/// Where a payload is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// In the stream.
    Inline,
    /// In shared memory.
    Shared,
}

/// What stands before the header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Prefix {
    /// Length of the header, in bytes.
    pub header: usize,
    /// Length of the payload, in bytes.
    pub payload: usize,
    /// Where the payload is.
    pub place: Place,
}

/// Bytes that are no frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("malformed frame: {0}")]
pub struct Malformed(&'static str);

impl Prefix {
    /// The bytes of this prefix.
    #[must_use]
    pub fn to_bytes(self) -> [u8; PREFIX] {
        let mut bytes = [0; PREFIX];
        bytes[..4].copy_from_slice(&u32::try_from(self.header).unwrap_or(u32::MAX).to_le_bytes());
        bytes[4..8].copy_from_slice(&u32::from(self.place == Place::Shared).to_le_bytes());
        bytes[8..].copy_from_slice(&(self.payload as u64).to_le_bytes());
        bytes
    }

    /// Reads a prefix.
    ///
    /// # Errors
    /// [`Malformed`] for lengths and places that no frame has.
    pub fn from_bytes(bytes: [u8; PREFIX]) -> Result<Self, Malformed> {
        let [a, b, c, d, e, f, g, h, rest @ ..] = bytes;
        let header = u32::from_le_bytes([a, b, c, d]) as usize;
        let payload = usize::try_from(u64::from_le_bytes(rest)).map_err(|_| Malformed("payload too long"))?;
        let place = match u32::from_le_bytes([e, f, g, h]) {
            0 => Place::Inline,
            1 => Place::Shared,
            _ => return Err(Malformed("unknown place of the payload")),
        };
        if header > MAX_HEADER {
            return Err(Malformed("header too long"));
        }
        if payload > isize::MAX as usize {
            return Err(Malformed("payload too long"));
        }
        Ok(Self { header, payload, place })
    }

    /// How many bytes follow the prefix in the stream.
    #[must_use]
    pub fn following(self) -> usize {
        self.header + if self.place == Place::Inline { self.payload } else { 0 }
    }
}

/// Frames out of a stream that arrives in pieces.
#[derive(Debug, Default)]
pub struct Decoder {
    bytes: Vec<u8>,
    /// Where the unread bytes begin.
    start: usize,
}

/// A frame taken out of a stream; a shared payload is not in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Raw {
    /// The header.
    pub header: Vec<u8>,
    /// The payload, when it was inline.
    pub payload: Vec<u8>,
    /// Length of the payload when it is in shared memory.
    pub shared: Option<usize>,
}

impl Decoder {
    /// Adds bytes from the stream.
    pub fn push(&mut self, bytes: &[u8]) {
        if self.start == self.bytes.len() {
            self.bytes.clear();
            self.start = 0;
        }
        self.bytes.extend_from_slice(bytes);
    }

    /// The next whole frame, if there is one.
    ///
    /// # Errors
    /// [`Malformed`]; the stream cannot be used any further.
    pub fn next_frame(&mut self) -> Result<Option<Raw>, Malformed> {
        let unread = &self.bytes[self.start..];
        let Some((prefix, rest)) = unread.split_first_chunk::<PREFIX>() else { return Ok(None) };
        let prefix = Prefix::from_bytes(*prefix)?;
        if rest.len() < prefix.following() {
            return Ok(None);
        }
        let (header, rest) = rest.split_at(prefix.header);
        let raw = match prefix.place {
            Place::Inline => Raw { header: header.to_vec(), payload: rest[..prefix.payload].to_vec(), shared: None },
            Place::Shared => Raw { header: header.to_vec(), payload: Vec::new(), shared: Some(prefix.payload) },
        };
        self.start += PREFIX + prefix.following();
        Ok(Some(raw))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn frame(header: &[u8], payload: &[u8]) -> Vec<u8> {
        let prefix = Prefix { header: header.len(), payload: payload.len(), place: Place::Inline };
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
    fn oversized_headers_are_refused() {
        let mut decoder = Decoder::default();
        decoder.push(&[0xff; PREFIX]);
        assert!(decoder.next_frame().is_err());
    }
}
