//! The supervisor's end of the link to a worker.
//!
//! Data from a worker is not trusted. It is read in pieces, within the small bounds of a frame. A large reply is taken only from memory
//! that the supervisor has made and then sealed.

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
    channel::{self, Outgoing, Payload},
    command::Reply,
    frame::{Decoder, INLINE},
    messages, shared,
};

/// Bytes read at a time.
const PIECE: usize = 16 << 10;

/// Sends commands to a worker, and receives its replies.
#[derive(Debug)]
pub struct Frames {
    commands: OwnedFd,
    replies: pipe::Receiver,
    decoder: Decoder,
    /// The memory into which the worker writes its next large reply.
    memory: Option<OwnedFd>,
    /// A large reply whose payload is just being sealed and mapped.
    large: Option<(Reply, JoinHandle<io::Result<Mmap>>)>,
    /// The most bytes that a reply may have.
    most: usize,
}

impl Frames {
    /// A new link with the worker's descriptors: the one from which it reads commands, the one to which it writes replies, and the memory
    /// for the first large reply. A reply may have `most` bytes. The worker can send nothing but replies; if it is to give a descriptor away
    /// first, it can until [`Self::take_descriptor`].
    ///
    /// # Errors
    /// Errors of the system.
    pub fn new(most: usize, gives_descriptor: bool) -> io::Result<(Self, [OwnedFd; 3])> {
        let (commands, their_commands) = socketpair(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
        rustix::io::ioctl_fionbio(&commands, true)?;
        if !gives_descriptor {
            make_read_only(&commands)?;
        }
        let (replies, their_replies) = io::pipe()?;
        let replies = pipe::Receiver::from_owned_fd(replies.into())?;
        let memory = shared::create()?;
        let their_memory = memory.try_clone()?;
        let frames = Self { commands, replies, decoder: Decoder::default(), memory: Some(memory), large: None, most };
        Ok((frames, [their_commands, their_replies.into(), their_memory]))
    }

    /// The descriptor that the worker has sent before its first reply, if it has. It can send no more.
    ///
    /// # Errors
    /// Errors of the system.
    pub fn take_descriptor(&mut self) -> io::Result<Option<OwnedFd>> {
        let sent = channel::take_descriptor(&self.commands);
        make_read_only(&self.commands)?;
        sent
    }

    /// Sends a command.
    ///
    /// # Errors
    /// Errors of the system: the worker is gone, or there is no memory for the payload.
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
        transmit(&self.commands, &mut frame, &descriptors).await
    }

    /// Another handle for sending, while replies are received by this one. It gives no memory for large replies.
    ///
    /// # Errors
    /// Errors of the system.
    pub fn commands(&self) -> io::Result<Commands> {
        Ok(Commands(self.commands.try_clone()?))
    }

    /// Receives a reply; `None` when the worker is gone. Nothing is lost when the future is dropped.
    ///
    /// # Errors
    /// Errors of the system, and `InvalidData` when the bytes are not a reply: nothing more must be read from this worker.
    pub async fn receive(&mut self) -> io::Result<Option<(Reply, Payload)>> {
        loop {
            if let Some((_, taking)) = &mut self.large {
                let taken = taking.await;
                // Taken only when the mapping is finished, whether it succeeded or not.
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

/// Sends commands to a worker, beside its [`Frames`].
#[derive(Debug)]
pub struct Commands(OwnedFd);

impl Commands {
    /// Sends a command.
    ///
    /// # Errors
    /// Errors of the system: the worker is gone, or there is no memory for the payload.
    pub async fn send(&self, header: &[u8], payload: &Bytes) -> io::Result<()> {
        if payload.len() <= INLINE {
            return transmit(&self.0, &mut Outgoing::inline(header, payload, false), &[]).await;
        }
        let shared = payload.clone();
        let shared = spawn_blocking(move || shared::sealed(&shared)).await??;
        transmit(&self.0, &mut Outgoing::shared(header, payload.len(), false), &[shared.as_fd()]).await
    }
}

/// Sends a frame with its descriptors.
async fn transmit(commands: &OwnedFd, frame: &mut Outgoing<'_>, descriptors: &[BorrowedFd<'_>]) -> io::Result<()> {
    // Watched only while the socket is full. Otherwise every command that the worker receives would wake the task that waits for its
    // reply.
    let mut room: Option<UnixStream> = None;
    loop {
        let mut send = || frame.send(commands, descriptors);
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
                    None => room.insert(UnixStream::from_std(commands.try_clone()?.into())?),
                };
                room.writable().await?;
            }
            Err(error) => return Err(error),
        }
    }
}

/// Makes the worker's end of the socket read-only, so that the kernel refuses whatever a worker sends there, above all descriptors.
fn make_read_only(commands: &OwnedFd) -> io::Result<()> {
    Ok(shutdown(commands, Shutdown::Read)?)
}
