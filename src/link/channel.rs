//! The link between the supervisor and a worker: a socket for commands, and a pipe for replies.
//!
//! A socket can carry descriptors. The supervisor sends two kinds: sealed memory with a large command, and memory into which the worker
//! writes its next large reply. Replies use a pipe because it cannot carry descriptors: code in a worker can write anything to it, but only
//! bytes.

use std::{
    cell::RefCell,
    collections::VecDeque,
    fs::File,
    io::{self, IoSlice, IoSliceMut, Seek, Write},
    mem::MaybeUninit,
    os::{
        fd::{AsFd, BorrowedFd, OwnedFd},
        unix::net::UnixStream,
    },
};

use bytes::Bytes;
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage, SendFlags, recvmsg, sendmsg,
};

use super::{
    frame::{Decoder, INLINE, PREFIX, Place, Prefix, Raw},
    shared,
};
use crate::wire::Written;

/// Bytes read at a time.
const PIECE: usize = 16 << 10;
/// The most descriptors of one command: its payload, and memory for a reply.
const DESCRIPTORS: usize = 2;

/// A frame with its complete payload.
#[derive(Debug)]
pub struct Frame {
    /// The header.
    pub header: Vec<u8>,
    /// The payload.
    pub payload: Payload,
}

/// A payload, in either of two places.
#[derive(Debug)]
pub enum Payload {
    /// In this process's memory.
    Inline(Vec<u8>),
    /// In mapped shared memory.
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

/// The mapping lives as long as these bytes.
impl From<Payload> for Bytes {
    fn from(payload: Payload) -> Self {
        match payload {
            Payload::Inline(bytes) => bytes.into(),
            Payload::Shared(map) => Self::from_owner(map),
        }
    }
}

/// A frame that is being sent: the bytes that are still left.
#[derive(Debug)]
pub struct Outgoing<'a> {
    prefix: [u8; PREFIX],
    header: &'a [u8],
    payload: &'a [u8],
    sent: usize,
}

impl<'a> Outgoing<'a> {
    /// A frame with its payload, of at most [`INLINE`] bytes. `memory` tells the receiver that memory for a reply comes with it.
    #[must_use]
    pub fn inline(header: &'a [u8], payload: &'a [u8], memory: bool) -> Self {
        let prefix = Prefix { header: header.len(), payload: payload.len(), place: Place::Inline, memory };
        Self { prefix: prefix.to_bytes(), header, payload, sent: 0 }
    }

    /// A frame whose payload of this length is in shared memory.
    #[must_use]
    pub fn shared(header: &'a [u8], length: usize, memory: bool) -> Self {
        let prefix = Prefix { header: header.len(), payload: length, place: Place::Shared, memory };
        Self { prefix: prefix.to_bytes(), header, payload: &[], sent: 0 }
    }

    /// Writes once to a pipe; true when everything has been written.
    ///
    /// # Errors
    /// Errors of the system; `WouldBlock` when the pipe is full and does not block.
    pub fn write(&mut self, pipe: impl AsFd) -> io::Result<bool> {
        let written = rustix::io::writev(pipe, &self.left())?;
        Ok(self.advance(written))
    }

    /// Writes once to a socket; `descriptors` go with the first byte. True when everything has been sent.
    ///
    /// # Errors
    /// Errors of the system; `WouldBlock` when the socket is full and does not block.
    pub fn send(&mut self, socket: impl AsFd, descriptors: &[BorrowedFd<'_>]) -> io::Result<bool> {
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(DESCRIPTORS))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        if self.sent == 0 && !descriptors.is_empty() {
            control.push(SendAncillaryMessage::ScmRights(descriptors));
        }
        let sent = sendmsg(socket, &self.left(), &mut control, SendFlags::NOSIGNAL)?;
        Ok(self.advance(sent))
    }

    fn parts(&self) -> [&[u8]; 3] {
        [&self.prefix, self.header, self.payload]
    }

    fn left(&self) -> [IoSlice<'_>; 3] {
        let mut skip = self.sent;
        self.parts().map(|part| {
            let skipped = skip.min(part.len());
            skip -= skipped;
            IoSlice::new(&part[skipped..])
        })
    }

    fn advance(&mut self, count: usize) -> bool {
        self.sent += count;
        self.sent == self.parts().iter().map(|part| part.len()).sum::<usize>()
    }
}

/// A worker's end of the link. It blocks.
#[derive(Debug)]
pub struct Link {
    commands: UnixStream,
    replies: OwnedFd,
    decoder: RefCell<Decoder>,
    descriptors: RefCell<VecDeque<OwnedFd>>,
    /// The memory for the next large reply.
    memory: RefCell<Option<File>>,
}

impl Link {
    /// A link over this socket and this pipe, with memory for the first large reply.
    #[must_use]
    pub fn new(commands: UnixStream, replies: OwnedFd, memory: OwnedFd) -> Self {
        let memory = RefCell::new(Some(memory.into()));
        Self { commands, replies, decoder: RefCell::default(), descriptors: RefCell::default(), memory }
    }

    /// Gives a descriptor to the supervisor, which has to expect it.
    ///
    /// # Errors
    /// Errors of the system.
    pub fn give_descriptor(&self, descriptor: &OwnedFd) -> io::Result<()> {
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        let descriptors = [descriptor.as_fd()];
        control.push(SendAncillaryMessage::ScmRights(&descriptors));
        // Descriptors go with at least one byte.
        sendmsg(&self.commands, &[IoSlice::new(&[0])], &mut control, SendFlags::NOSIGNAL)?;
        Ok(())
    }

    /// What has been received, without waiting for more than the rest of a frame that has begun.
    ///
    /// # Errors
    /// As [`Self::receive`].
    pub fn try_receive(&self) -> io::Result<TryReceived> {
        match self.next(RecvFlags::DONTWAIT) {
            Ok(Some(frame)) => Ok(TryReceived::Frame(frame)),
            Ok(None) => Ok(TryReceived::End),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(TryReceived::Nothing),
            Err(error) => Err(error),
        }
    }

    /// Receives a command; `None` when there will be no more.
    ///
    /// # Errors
    /// `OutOfMemory` when a payload cannot be mapped; this command is lost. `InvalidData` when the bytes are not a frame; the link is
    /// unusable then. Otherwise errors of the system.
    pub fn receive(&self) -> io::Result<Option<Frame>> {
        self.next(RecvFlags::empty())
    }

    fn next(&self, flags: RecvFlags) -> io::Result<Option<Frame>> {
        loop {
            let next = self.decoder.borrow_mut().next_frame();
            if let Some(raw) = next.map_err(|error| invalid(&error.to_string()))? {
                return self.complete(raw).map(Some);
            }
            match self.read(flags) {
                Ok(0) => return Ok(None),
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    fn read(&self, flags: RecvFlags) -> io::Result<usize> {
        let mut bytes = [0; PIECE];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(DESCRIPTORS))];
        let mut control = RecvAncillaryBuffer::new(&mut space);
        let received = recvmsg(&self.commands, &mut [IoSliceMut::new(&mut bytes)], &mut control, flags | RecvFlags::CMSG_CLOEXEC)?;
        for message in control.drain() {
            if let RecvAncillaryMessage::ScmRights(descriptors) = message {
                self.descriptors.borrow_mut().extend(descriptors);
            }
        }
        self.decoder.borrow_mut().push(&bytes[..received.bytes]);
        Ok(received.bytes)
    }

    /// Completes a frame with the descriptors that came with it, in this order: payload, memory.
    fn complete(&self, raw: Raw) -> io::Result<Frame> {
        let next = || self.descriptors.borrow_mut().pop_front().ok_or_else(|| invalid("a frame without its descriptor"));
        let payload = raw.shared.map(|length| next().map(|memory| (memory, length))).transpose()?;
        if raw.memory {
            self.memory.replace(Some(next()?.into()));
        }
        let payload = match payload {
            None => Payload::Inline(raw.payload),
            Some((memory, length)) => Payload::Shared(shared::map(memory, length)?),
        };
        Ok(Frame { header: raw.header, payload })
    }

    /// The memory for the next large reply, empty.
    ///
    /// # Errors
    /// Errors of the system, and `NotFound` when there is none.
    pub fn memory(&self) -> io::Result<File> {
        let mut memory = self.memory.borrow().as_ref().ok_or(io::ErrorKind::NotFound)?.try_clone()?;
        memory.set_len(0)?;
        memory.rewind()?;
        Ok(memory)
    }

    /// Sends a reply. A payload that is a file has to be the one from [`Self::memory`].
    ///
    /// # Errors
    /// `FileTooLarge` when the payload does not fit in the memory for it, and `InvalidInput` when the header is too long; in both cases
    /// nothing has been sent. Otherwise errors of the system.
    pub fn send(&self, header: &[u8], payload: Written) -> io::Result<()> {
        if header.len() > super::frame::MAX_HEADER {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        let bytes;
        let mut frame = match payload {
            Written::Bytes(kept) if kept.len() <= INLINE => {
                bytes = kept;
                Outgoing::inline(header, &bytes, false)
            }
            Written::Bytes(large) => {
                let written = self.memory().and_then(|mut memory| memory.write_all(&large));
                written.map_err(|_| io::ErrorKind::FileTooLarge)?;
                self.hand_over(header, large.len())
            }
            Written::File(_, length) => self.hand_over(header, length),
        };
        loop {
            match frame.write(&self.replies) {
                Ok(true) => return Ok(()),
                Ok(false) => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// A reply whose payload is in the memory. From now on this belongs to the supervisor, which sends another one with the next command.
    fn hand_over<'a>(&self, header: &'a [u8], length: usize) -> Outgoing<'a> {
        self.memory.replace(None);
        Outgoing::shared(header, length, false)
    }
}

impl AsFd for Link {
    /// Readable when there are commands, if none were received before that are not taken yet.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.commands.as_fd()
    }
}

/// What [`Link::try_receive`] gives.
#[derive(Debug)]
pub enum TryReceived {
    /// A frame.
    Frame(Frame),
    /// Nothing yet.
    Nothing,
    /// There will be no more.
    End,
}

/// The descriptor that has come by [`Link::give_descriptor`], if one has. Does not wait, if the socket does not.
///
/// # Errors
/// Errors of the system.
pub fn take_descriptor(commands: &OwnedFd) -> io::Result<Option<OwnedFd>> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    match recvmsg(commands, &mut [IoSliceMut::new(&mut [0])], &mut control, RecvFlags::CMSG_CLOEXEC) {
        Err(rustix::io::Errno::AGAIN) => return Ok(None),
        received => received?,
    };
    Ok(control
        .drain()
        .find_map(|message| if let RecvAncillaryMessage::ScmRights(mut descriptors) = message { descriptors.next() } else { None }))
}

fn invalid(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what.to_owned())
}
