//! A worker's end of its socket: blocking frames, and the descriptors that come with them.

use std::{
    collections::VecDeque,
    io::{self, IoSlice, IoSliceMut},
    mem::MaybeUninit,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
};

use bytes::Bytes;
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage, SendFlags, recvmsg, sendmsg,
};

use super::{
    frame::{Decoder, INLINE, Place, Prefix, Raw},
    shared,
};
use crate::wire::Written;

/// Bytes read at a time.
const PIECE: usize = 16 << 10;
/// Descriptors taken per read.
const DESCRIPTORS: usize = 4;

/// A frame with its payload at hand.
#[derive(Debug)]
pub struct Frame {
    /// The header.
    pub header: Vec<u8>,
    /// The payload.
    pub payload: Payload,
}

/// A payload, wherever it is.
#[derive(Debug)]
pub enum Payload {
    /// In this process's memory.
    Inline(Vec<u8>),
    /// Mapped.
    Shared(memmap2::Mmap),
}

impl AsRef<[u8]> for Payload {
    fn as_ref(&self) -> &[u8] {
        match self {
            Self::Inline(bytes) => bytes,
            Self::Shared(map) => map,
        }
    }
}

/// What is mapped stays mapped for as long as these bytes are there.
impl From<Payload> for Bytes {
    fn from(payload: Payload) -> Self {
        match payload {
            Payload::Inline(bytes) => bytes.into(),
            Payload::Shared(map) => Self::from_owner(map),
        }
    }
}

/// What reading once has found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Read {
    /// Something, and there may be more.
    More,
    /// All that was there.
    All,
    /// The end of the stream.
    End,
}

/// What arrives on a socket, put together to frames. The reading itself is its owner's, blocking or not.
#[derive(Debug, Default)]
pub struct Incoming {
    decoder: Decoder,
    descriptors: VecDeque<OwnedFd>,
}

impl Incoming {
    /// Reads once from `socket`.
    ///
    /// # Errors
    /// The system's; `WouldBlock` when nothing is there and the socket does not block.
    pub fn read(&mut self, socket: impl AsFd) -> io::Result<Read> {
        let mut bytes = [0; PIECE];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(DESCRIPTORS))];
        let mut control = RecvAncillaryBuffer::new(&mut space);
        let received = recvmsg(socket, &mut [IoSliceMut::new(&mut bytes)], &mut control, RecvFlags::CMSG_CLOEXEC)?;
        let known = self.descriptors.len();
        for message in control.drain() {
            if let RecvAncillaryMessage::ScmRights(descriptors) = message {
                self.descriptors.extend(descriptors);
            }
        }
        self.decoder.push(&bytes[..received.bytes]);
        Ok(match received.bytes {
            0 => Read::End,
            // The kernel ends a read after what came with descriptors.
            PIECE.. => Read::More,
            _ if self.descriptors.len() > known => Read::More,
            _ => Read::All,
        })
    }

    /// The next whole frame that has been read.
    ///
    /// # Errors
    /// `OutOfMemory` when a payload cannot be mapped: that frame is lost. `InvalidData` when the bytes are no
    /// frame; the socket cannot be used any further.
    pub fn next_frame(&mut self) -> io::Result<Option<Frame>> {
        let invalid = |what: &str| io::Error::new(io::ErrorKind::InvalidData, what.to_owned());
        let Some(Raw { header, payload, shared }) = self.decoder.next_frame().map_err(|error| invalid(&error.to_string()))? else {
            return Ok(None);
        };
        let payload = match shared {
            None => Payload::Inline(payload),
            Some(length) => {
                let descriptor = self.descriptors.pop_front().ok_or_else(|| invalid("a payload without its descriptor"))?;
                Payload::Shared(shared::map(descriptor, length)?)
            }
        };
        Ok(Some(Frame { header, payload }))
    }
}

/// A frame ready to be sent: at first all of it, then what is left.
#[derive(Debug)]
pub struct Outgoing<'a> {
    prefix: [u8; super::frame::PREFIX],
    header: &'a [u8],
    payload: &'a [u8],
    /// To go with the first byte.
    descriptor: Option<OwnedFd>,
    sent: usize,
}

impl<'a> Outgoing<'a> {
    /// Prepares a frame. A large payload goes to shared memory, or inline where there is none.
    #[must_use]
    pub fn new(header: &'a [u8], payload: &'a [u8]) -> Self {
        if payload.len() > INLINE
            && let Ok(descriptor) = shared::sealed(payload)
        {
            return Self::shared(header, descriptor, payload.len());
        }
        let prefix = Prefix { header: header.len(), payload: payload.len(), place: Place::Inline };
        Self { prefix: prefix.to_bytes(), header, payload, descriptor: None, sent: 0 }
    }

    /// Prepares a frame whose payload is in sealed memory, of that length.
    #[must_use]
    pub fn shared(header: &'a [u8], descriptor: OwnedFd, length: usize) -> Self {
        let prefix = Prefix { header: header.len(), payload: length, place: Place::Shared };
        Self { prefix: prefix.to_bytes(), header, payload: &[], descriptor: Some(descriptor), sent: 0 }
    }

    /// Writes once to `socket`; true when everything has been sent.
    ///
    /// # Errors
    /// The system's; `WouldBlock` when the socket is full and does not block.
    pub fn write(&mut self, socket: impl AsFd) -> io::Result<bool> {
        let parts: [&[u8]; 3] = [&self.prefix, self.header, self.payload];
        let mut vectors = [IoSlice::new(&[]), IoSlice::new(&[]), IoSlice::new(&[])];
        let mut skip = self.sent;
        for (vector, part) in vectors.iter_mut().zip(parts) {
            let skipped = skip.min(part.len());
            *vector = IoSlice::new(&part[skipped..]);
            skip -= skipped;
        }
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        let descriptors: [BorrowedFd<'_>; 1];
        if let Some(descriptor) = &self.descriptor {
            descriptors = [descriptor.as_fd()];
            control.push(SendAncillaryMessage::ScmRights(&descriptors));
        }
        self.sent += sendmsg(socket, &vectors, &mut control, SendFlags::NOSIGNAL)?;
        self.descriptor = None;
        Ok(self.sent == parts.iter().map(|part| part.len()).sum::<usize>())
    }
}

/// Sends a frame over a blocking socket. A payload that is a file is one that [`shared::create`] has made.
///
/// # Errors
/// The system's.
pub fn send(socket: impl AsFd, header: &[u8], payload: Written) -> io::Result<()> {
    let bytes;
    let mut frame = match payload {
        Written::Bytes(kept) => {
            bytes = kept;
            Outgoing::new(header, &bytes)
        }
        Written::File(memory, length) => Outgoing::shared(header, shared::seal(memory)?, length),
    };
    loop {
        match frame.write(socket.as_fd()) {
            Ok(true) => return Ok(()),
            Ok(false) => {}
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// Receives a frame from a blocking socket; `None` at the end of the stream.
///
/// # Errors
/// As [`Incoming::next_frame`], and the system's.
pub fn receive(socket: impl AsFd, incoming: &mut Incoming) -> io::Result<Option<Frame>> {
    loop {
        if let Some(frame) = incoming.next_frame()? {
            return Ok(Some(frame));
        }
        match incoming.read(socket.as_fd()) {
            Ok(Read::End) => return Ok(None),
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}
