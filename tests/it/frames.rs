//! A zygote and workers that get wrong messages: garbage, too little, too much, out of order. Each reports the error and goes on, or ends
//! and leaves nothing.

use std::{
    fs::File,
    io::{Read, Write},
    mem::MaybeUninit,
    os::{
        fd::{AsFd, BorrowedFd, OwnedFd},
        unix::net::UnixStream,
    },
    process::{Child, Command, ExitStatus, Stdio},
};

use offshoot::{
    config::Config,
    link::{
        channel::Outgoing,
        command::{Execute, Reply, Request},
        frame::{Decoder, INLINE, MAX_HEADER, PREFIX, Place, Prefix},
        messages::{Exit, Fork, Limits, Sandbox, Start, ZygoteReply, ZygoteRequest, decode, encode},
        shared,
    },
    session::rhome,
};
use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    net::{AddressFamily, SendAncillaryBuffer, SendAncillaryMessage, SendFlags, SocketFlags, SocketType, recv, sendmsg, socketpair},
};

use crate::harness::{PATIENCE, descendants, eventually};

/// Longer than any message to a zygote.
const TOO_LONG: usize = 100_000;

/// A zygote whose control socket belongs to the test.
struct Zygote {
    child: Child,
    control: Option<OwnedFd>,
    folder: tempfile::TempDir,
}

impl Zygote {
    /// Starts the program with this first message.
    fn told(first: &[u8]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (control, theirs) = socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None).unwrap();
        send(&control, first, &[]);
        let mut command = Command::new(env!("CARGO_BIN_EXE_offshoot-worker"));
        command.env_clear().envs(rhome::environment(&Config::default().r, false).unwrap()).env("TMPDIR", folder.path());
        let child = command.stdin(Stdio::from(theirs)).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        Self { child, control: Some(control), folder }
    }

    /// A zygote that is ready.
    fn start() -> Self {
        let zygote = Self::told(&encode(&Start {
            preload: Vec::new(),
            repositories: Vec::new(),
            sandbox: Sandbox::default(),
            namespaces: Vec::new(),
        }));
        assert!(matches!(zygote.receive(), ZygoteReply::Ready { .. }));
        zygote
    }

    fn send(&self, bytes: &[u8]) {
        send(self.control.as_ref().unwrap(), bytes, &[]);
    }

    fn receive(&self) -> ZygoteReply {
        let control = self.control.as_ref().unwrap();
        wait_for(control.as_fd());
        let mut bytes = vec![0; TOO_LONG];
        let (length, _) = recv(control, &mut bytes[..], rustix::net::RecvFlags::empty()).unwrap();
        decode(&bytes[..length]).expect("the zygote says what it can say")
    }

    fn spec(&self, request: u64) -> Fork {
        let folder = self.folder.path().join(format!("session-{request}"));
        Fork { request, folder, user: None, person: None, limits: Limits::default(), group: None, tag: [7; 16] }
    }

    /// A worker that is ready.
    fn fork(&self, request: u64) -> Worker {
        let (commands, their_commands) = UnixStream::pair().unwrap();
        let (replies, their_replies) = std::io::pipe().unwrap();
        let memory = shared::create().unwrap();
        let console = File::options().write(true).open("/dev/null").unwrap();
        let descriptors = [their_commands.as_fd(), their_replies.as_fd(), memory.as_fd(), console.as_fd()];
        send(self.control.as_ref().unwrap(), &encode(&ZygoteRequest::Fork(self.spec(request))), &descriptors);
        let ZygoteReply::Forked { request: answered, pid } = self.receive() else { panic!("it forks") };
        assert_eq!(answered, request);
        drop((their_commands, their_replies));
        let mut worker = Worker { pid, commands, replies: OwnedFd::from(replies).into(), decoder: Decoder::default() };
        assert!(matches!(worker.receive(), Some(Reply::Hello { .. })));
        worker
    }

    /// Waits for the end of a zygote whose supervisor is gone, or that has nothing to do. Returns its output; checks that nothing is left.
    fn end(mut self) -> (ExitStatus, String) {
        self.control.take();
        let zygote = self.child.id().cast_signed();
        let below = descendants(zygote);
        eventually("the zygote ends", || self.child.try_wait().unwrap().is_some());
        let mut said = String::new();
        self.child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
        assert!(below.iter().all(|pid| !exists(*pid)), "{below:?}: {said}");
        (self.child.wait().unwrap(), said)
    }
}

impl Drop for Zygote {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

struct Worker {
    pid: i32,
    commands: UnixStream,
    replies: File,
    decoder: Decoder,
}

impl Worker {
    /// The next reply; `None` when there will be no more.
    fn receive(&mut self) -> Option<Reply> {
        loop {
            if let Some(raw) = self.decoder.next_frame().unwrap() {
                return Some(decode(&raw.header).expect("a worker says what it can say"));
            }
            wait_for(self.replies.as_fd());
            let mut bytes = [0; 4096];
            match self.replies.read(&mut bytes).unwrap() {
                0 => return None,
                count => self.decoder.push(&bytes[..count]),
            }
        }
    }
}

fn exists(pid: i32) -> bool {
    std::path::Path::new(&format!("/proc/{pid}")).exists()
}

fn wait_for(descriptor: BorrowedFd<'_>) {
    let patience = Timespec { tv_sec: PATIENCE.as_secs().cast_signed(), tv_nsec: 0 };
    assert_eq!(poll(&mut [PollFd::new(&descriptor, PollFlags::IN)], Some(&patience)), Ok(1), "nothing is ever said");
}

fn send(socket: &OwnedFd, bytes: &[u8], descriptors: &[BorrowedFd<'_>]) {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(4))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    if !descriptors.is_empty() {
        control.push(SendAncillaryMessage::ScmRights(descriptors));
    }
    sendmsg(socket, &[std::io::IoSlice::new(bytes)], &mut control, SendFlags::NOSIGNAL).unwrap();
}

fn prefix(header: usize, payload: usize, place: Place, memory: bool) -> Vec<u8> {
    Prefix { header, payload, place, memory }.to_bytes().to_vec()
}

/// A complete frame with a command.
fn frame(request: &Request, payload: &[u8]) -> Vec<u8> {
    let header = encode(request);
    [prefix(header.len(), payload.len(), Place::Inline, false), header, payload.to_vec()].concat()
}

#[test]
fn a_zygote_that_is_not_told_how_to_start_does_not() {
    let start =
        encode(&Start { preload: vec!["stats".to_owned()], repositories: Vec::new(), sandbox: Sandbox::default(), namespaces: Vec::new() });
    let further = [start.as_slice(), b"more"].concat();
    for first in [b"garbage".as_slice(), &start[..start.len() - 1], &further, &vec![1; TOO_LONG]] {
        let (status, said) = Zygote::told(first).end();
        assert_eq!((status.code(), said.as_str()), (Some(64), "offshoot-worker is started by offshoot, and not by hand\n"));
    }
}

#[test]
fn a_zygote_ignores_what_is_no_request_and_refuses_what_it_cannot_do() {
    let zygote = Zygote::start();
    let fork = encode(&ZygoteRequest::Fork(zygote.spec(1)));
    let further = [fork.as_slice(), b"more"].concat();
    for (number, garbage) in [b"\xff\xff\xff".as_slice(), &fork[..fork.len() / 2], &further, &vec![0xff; TOO_LONG]].into_iter().enumerate()
    {
        zygote.send(garbage);
        zygote.send(&encode(&ZygoteRequest::Ping(number as u64)));
        assert_eq!(zygote.receive(), ZygoteReply::Here(number as u64));
    }
    // A worker needs descriptors, and is not made without them.
    zygote.send(&fork);
    assert!(matches!(zygote.receive(), ZygoteReply::NotForked { request: 1, reason } if reason == "descriptors are missing"));
    zygote.send(&encode(&ZygoteRequest::EndStrays(1)));
    drop(zygote.fork(2));
    assert!(matches!(zygote.receive(), ZygoteReply::Exited { exit: Exit::Status(0), .. }));
    let (status, said) = zygote.end();
    assert_eq!((status.code(), said.as_str()), (Some(0), ""));
}

#[test]
fn a_worker_ends_at_what_is_no_frame() {
    let zygote = Zygote::start();
    let whole = frame(&Request::Execute(Execute::default()), b"x <- 1");
    let mut unknown = prefix(1, 0, Place::Inline, false);
    unknown[4] = 64;
    let wrong = [
        ("garbage", vec![0xff; PREFIX]),
        ("unknown flags", unknown),
        ("a header that is too long", prefix(MAX_HEADER + 1, 0, Place::Inline, false)),
        ("a payload that is too long", prefix(1, INLINE + 1, Place::Inline, false)),
        ("shared memory that does not come", [prefix(1, 10, Place::Shared, false), vec![0]].concat()),
        ("memory for a reply that does not come", [prefix(1, 0, Place::Inline, true), vec![0]].concat()),
        ("half a prefix", whole[..PREFIX / 2].to_vec()),
        ("half a header", whole[..=PREFIX].to_vec()),
        ("half a payload", whole[..whole.len() - 1].to_vec()),
        ("nothing", Vec::new()),
    ];
    for (number, (what, bytes)) in wrong.into_iter().enumerate() {
        let mut worker = zygote.fork(number as u64);
        worker.commands.write_all(&bytes).unwrap();
        if what.starts_with("half") || what == "nothing" {
            // The worker waits for the rest, until the socket is closed.
            worker.commands.shutdown(std::net::Shutdown::Write).unwrap();
        }
        assert_eq!(worker.receive(), None, "{what}");
        assert_eq!(zygote.receive(), ZygoteReply::Exited { pid: worker.pid, exit: Exit::Status(0) }, "{what}");
        assert!(!exists(worker.pid), "{what}");
    }
    let (status, said) = zygote.end();
    assert_eq!((status.code(), said.as_str()), (Some(0), ""));
}

#[test]
fn a_worker_refuses_what_is_no_command_and_answers_in_order() {
    let zygote = Zygote::start();
    let mut worker = zygote.fork(1);
    let refused = Some(Reply::Refused("unknown command".to_owned()));
    let reply = encode(&Reply::Quit(0));
    for header in [b"".as_slice(), b"\xff\xff", &[reply.as_slice(), b"more"].concat(), &vec![0xff; MAX_HEADER]] {
        worker.commands.write_all(&[&prefix(header.len(), 0, Place::Inline, false), header].concat()).unwrap();
        assert_eq!(worker.receive(), refused);
    }
    // Sent in one piece, and in pieces of a byte.
    let run = frame(&Request::Execute(Execute { inputs: 100, ..Execute::default() }), b"short");
    let list = frame(&Request::Files(offshoot::link::command::Files), b"");
    worker.commands.write_all(&[run.as_slice(), &list].concat()).unwrap();
    for byte in [run, list].concat() {
        worker.commands.write_all(&[byte]).unwrap();
    }
    for _ in 0..2 {
        assert_eq!(worker.receive(), Some(Reply::Refused("the inputs are cut short".to_owned())));
        assert_eq!(worker.receive(), Some(Reply::Files(Vec::new())));
    }
    // Memory that is not sealed, or is shorter than announced, is refused.
    let mut large = Outgoing::shared(b"\0", 1 << 20, false);
    assert!(large.send(&worker.commands, &[shared::create().unwrap().as_fd()]).unwrap());
    assert_eq!(worker.receive(), None);
    assert!(matches!(zygote.receive(), ZygoteReply::Exited { exit: Exit::Status(0), .. }));
    // The zygote ends the last worker when it ends itself.
    let last = zygote.fork(2);
    let (status, _) = zygote.end();
    assert!(status.success() && !exists(last.pid));
}
