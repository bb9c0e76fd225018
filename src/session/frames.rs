//! The supervisor's end of the ways to and from a worker.
//!
//! What comes from a worker is not trusted: it is read in pieces, within the small bounds of a frame, and a large reply
//! is taken only from memory that this side has made and then sealed.

use std::{
    io,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
};

use bytes::Bytes;
use memmap2::Mmap;
use rustix::net::{AddressFamily, Shutdown, SocketFlags, SocketType, shutdown, socketpair};
use tokio::{
    io::{AsyncReadExt, Interest},
    net::{UnixStream, unix::pipe},
    task::{JoinHandle, spawn_blocking},
};

use crate::link::{
    channel::{Outgoing, Payload},
    command::Reply,
    frame::{Decoder, INLINE},
    messages, shared,
};

/// Bytes read at a time.
const PIECE: usize = 16 << 10;

/// Commands to a worker, and its replies.
#[derive(Debug)]
pub struct Frames {
    commands: OwnedFd,
    replies: pipe::Receiver,
    decoder: Decoder,
    /// What the worker has to write a large reply into.
    memory: Option<OwnedFd>,
    /// A reply whose payload is being taken out of the memory.
    large: Option<(Reply, JoinHandle<io::Result<Mmap>>)>,
    /// Bytes that a reply may have.
    most: usize,
}

impl Frames {
    /// A new link, and a worker's ends of it: where it reads commands, where it writes replies, which may have `most`
    /// bytes, and the memory for the first large one.
    ///
    /// # Errors
    /// The system's.
    pub fn new(most: usize) -> io::Result<(Self, [OwnedFd; 3])> {
        let (commands, their_commands) = socketpair(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
        rustix::io::ioctl_fionbio(&commands, true)?;
        // The other end can be read from only: what is sent there, descriptors above all, is refused by the kernel.
        shutdown(&commands, Shutdown::Read)?;
        let (replies, their_replies) = io::pipe()?;
        let replies = pipe::Receiver::from_owned_fd(replies.into())?;
        let memory = shared::create()?;
        let their_memory = memory.try_clone()?;
        let frames = Self { commands, replies, decoder: Decoder::default(), memory: Some(memory), large: None, most };
        Ok((frames, [their_commands, their_replies.into(), their_memory]))
    }

    /// Sends a command.
    ///
    /// # Errors
    /// The system's: the worker is gone, or there is no memory for the payload.
    pub async fn send(&mut self, header: &[u8], payload: &Bytes) -> io::Result<()> {
        let shared = if payload.len() > INLINE {
            let payload = payload.clone();
            Some(spawn_blocking(move || shared::sealed(&payload)).await??)
        } else {
            None
        };
        let needs_memory = self.memory.is_none();
        if needs_memory {
            self.memory = Some(shared::create()?);
        }
        let memory = self.memory.as_ref().filter(|_| needs_memory);
        let mut frame = match &shared {
            None => Outgoing::inline(header, payload, needs_memory),
            Some(_) => Outgoing::shared(header, payload.len(), needs_memory),
        };
        let descriptors: Vec<BorrowedFd<'_>> = shared.iter().chain(memory).map(AsFd::as_fd).collect();
        // Watched only while there is no room: else every command that a worker takes would wake whoever waits for its
        // reply.
        let mut room: Option<UnixStream> = None;
        loop {
            let mut send = || frame.send(&self.commands, &descriptors);
            let sent = match &room {
                None => send(),
                Some(room) => room.try_io(Interest::WRITABLE, send),
            };
            match sent {
                Ok(true) => return Ok(()),
                Ok(false) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    let room = match &mut room {
                        Some(room) => room,
                        None => room.insert(UnixStream::from_std(self.commands.try_clone()?.into())?),
                    };
                    room.writable().await?;
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Receives a reply; `None` when the worker is gone. Nothing is lost when the future is dropped.
    ///
    /// # Errors
    /// The system's, and `InvalidData` for what is no reply: the worker is not to be listened to any more.
    pub async fn receive(&mut self) -> io::Result<Option<(Reply, Payload)>> {
        loop {
            if let Some((_, taking)) = &mut self.large {
                let taken = taking.await;
                // Once it is there, whatever it is.
                let reply = self.large.take().map(|(reply, _)| reply);
                let payload = Payload::Shared(taken??);
                return Ok(reply.map(|reply| (reply, payload)));
            }
            if let Some(raw) = self.decoder.next_frame().map_err(|_| io::ErrorKind::InvalidData)? {
                let reply = messages::decode(&raw.header).filter(|_| !raw.memory).ok_or(io::ErrorKind::InvalidData)?;
                let Some(length) = raw.shared else { return Ok(Some((reply, Payload::Inline(raw.payload)))) };
                let memory = self.memory.take().filter(|_| length <= self.most).ok_or(io::ErrorKind::InvalidData)?;
                self.large = Some((reply, spawn_blocking(move || shared::take(memory, length))));
                continue;
            }
            let mut bytes = [0; PIECE];
            match self.replies.read(&mut bytes).await? {
                0 => return Ok(None),
                count => self.decoder.push(&bytes[..count]),
            }
        }
    }
}
