//! Messages of the pipe, as they are on the wire (contract b.1): id and request id as little-endian 64-bit numbers, the name and the JSON
//! of the arguments as texts that end with a zero byte, and then the bytes of the blob.

use bytes::{BufMut, Bytes, BytesMut};

/// The request id of a message that wants no answer.
pub const NOTIFICATION: u64 = 0;
/// The request id of a message that wants an answer.
pub const REQUEST: u64 = u64::MAX;

/// The bytes before the name.
const HEAD: usize = 16;
/// The longest name, in bytes.
const NAME: usize = 256;

/// A message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Who sends a message gives it an id of their own.
    pub id: u64,
    /// [`NOTIFICATION`], [`REQUEST`], or the id of the message that this one answers.
    pub request: u64,
    /// What it is: begins with `!`, `?` or `:`, in that order.
    pub name: String,
    /// The arguments: the JSON of an array.
    pub json: String,
    /// More bytes.
    pub blob: Bytes,
}

/// Why bytes are no message. A sentence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoMessage {
    /// It ends too early.
    #[error("it ends within its head")]
    Short,
    /// The name is too long, or does not end.
    #[error("its name does not end")]
    Name,
    /// The JSON does not end.
    #[error("its arguments do not end")]
    Json,
    /// A text is not UTF-8.
    #[error("it has a text that is not UTF-8")]
    Utf8,
    /// The id is one of the two that mean something else.
    #[error("its id is {NOTIFICATION} or {REQUEST}")]
    Id,
    /// The name does not begin as the request id says.
    #[error("its name does not begin as that of such a message")]
    Kind,
}

impl Message {
    /// Reads a message.
    ///
    /// # Errors
    /// [`NoMessage`]
    pub fn parse(bytes: &Bytes) -> Result<Self, NoMessage> {
        let number = |at: usize| bytes.get(at..at + 8)?.try_into().ok().map(u64::from_le_bytes);
        let (id, request) = number(0).zip(number(8)).ok_or(NoMessage::Short)?;
        let name_end = memchr::memchr(0, &bytes[HEAD..bytes.len().min(HEAD + NAME + 1)]).ok_or(NoMessage::Name)? + HEAD;
        let json_end = memchr::memchr(0, &bytes[name_end + 1..]).ok_or(NoMessage::Json)? + name_end + 1;
        let text = |from: usize, to: usize| simdutf8::basic::from_utf8(&bytes[from..to]).map(str::to_owned).map_err(|_| NoMessage::Utf8);
        let name = text(HEAD, name_end)?;
        let kind = match request {
            NOTIFICATION => '!',
            REQUEST => '?',
            _ => ':',
        };
        if id == NOTIFICATION || id == REQUEST {
            return Err(NoMessage::Id);
        }
        if !name.starts_with(kind) {
            return Err(NoMessage::Kind);
        }
        Ok(Self { id, request, name, json: text(name_end + 1, json_end)?, blob: bytes.slice(json_end + 1..) })
    }

    /// Writes the message. Neither text may have a zero byte.
    #[must_use]
    pub fn to_bytes(&self) -> Bytes {
        let Self { id, request, name, json, blob } = self;
        let mut bytes = BytesMut::with_capacity(HEAD + name.len() + json.len() + 2 + blob.len());
        bytes.put_u64_le(*id);
        bytes.put_u64_le(*request);
        for text in [name, json] {
            bytes.put_slice(text.as_bytes());
            bytes.put_u8(0);
        }
        bytes.put_slice(blob);
        bytes.freeze()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn bytes(id: u64, request: u64, rest: &[u8]) -> Bytes {
        [&id.to_le_bytes()[..], &request.to_le_bytes(), rest].concat().into()
    }

    #[test]
    fn messages_are_written_as_the_protocol_wants() {
        let message = Message { id: 1, request: NOTIFICATION, name: "!End".to_owned(), json: "[true]".to_owned(), blob: Bytes::new() };
        assert_eq!(message.to_bytes(), bytes(1, 0, b"!End\0[true]\0"));
        let message = Message { id: 3, request: 2, name: ":=r".to_owned(), json: "[]".to_owned(), blob: Bytes::from_static(b"\0\xff") };
        assert_eq!(message.to_bytes(), bytes(3, 2, b":=r\0[]\0\0\xff"));
        assert_eq!(Message::parse(&message.to_bytes()), Ok(message));
    }

    #[test]
    fn what_is_no_message_is_refused() {
        for (bytes, why) in [
            (Bytes::new(), NoMessage::Short),
            (Bytes::from_static(&[1; 15]), NoMessage::Short),
            (bytes(2, 0, b""), NoMessage::Name),
            (bytes(2, 0, b"!x"), NoMessage::Name),
            (bytes(2, 0, &[b'!'; 300]), NoMessage::Name),
            (bytes(2, 0, b"!x\0[]"), NoMessage::Json),
            (bytes(2, 0, b"!\xff\0[]\0"), NoMessage::Utf8),
            (bytes(2, 0, b"!x\0[\xff]\0"), NoMessage::Utf8),
            (bytes(0, 0, b"!x\0[]\0"), NoMessage::Id),
            (bytes(REQUEST, 0, b"!x\0[]\0"), NoMessage::Id),
            (bytes(2, 0, b"?x\0[]\0"), NoMessage::Kind),
            (bytes(2, REQUEST, b"!x\0[]\0"), NoMessage::Kind),
            (bytes(2, 5, b"?x\0[]\0"), NoMessage::Kind),
            (bytes(2, 0, b"\0[]\0"), NoMessage::Kind),
        ] {
            assert_eq!(Message::parse(&bytes), Err(why), "{bytes:?}");
        }
    }

    proptest! {
        #[test]
        fn whatever_is_written_is_read_again(id in 1..u64::MAX, name in "[^\0]{0,60}", json in "[^\0]{0,100}", blob: Vec<u8>) {
            for (request, kind) in [(NOTIFICATION, "!"), (REQUEST, "?"), (7, ":")] {
                let message = Message { id, request, name: format!("{kind}{name}"), json: json.clone(), blob: blob.clone().into() };
                prop_assert_eq!(Message::parse(&message.to_bytes()), Ok(message));
            }
        }

        #[test]
        fn no_bytes_make_it_fail(bytes: Vec<u8>) {
            let _ = Message::parse(&bytes.into());
        }
    }
}
