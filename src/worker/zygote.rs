//! The zygote: starts R, loads packages, then only forks, reaps and reports.
//!
//! It always has one thread, since a fork copies no other. When it starts, its standard input is the control socket. The
//! end of the supervisor closes the other end of that, and then the zygote ends all workers and itself.

use std::{
    collections::HashMap,
    io,
    mem::MaybeUninit,
    os::fd::{AsFd, OwnedFd},
    path::PathBuf,
};

use memmap2::Mmap;
use rustix::{
    event::{PollFd, PollFlags, poll},
    net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendFlags, recvmsg, send},
    process::{Pid, Signal, WaitOptions},
};

use super::{
    fork::{self, Side},
    packages, reaping,
    sandbox::{Prepared, SandboxError},
    session::CommandLoop,
    setup,
};
use crate::{
    link::{
        messages::{self, Exit, Fork, Namespace, Ready, Start, ZygoteReply, ZygoteRequest, folder},
        shared,
    },
    r,
    system::{processes, strays},
    with_sources,
};

/// Longest message on the control socket.
const MESSAGE: usize = 64 << 10;

/// What a zygote is told at its start: the first message on the control socket.
#[derive(Debug)]
pub struct Started {
    /// The message.
    pub start: Start,
    /// The code of its namespaces.
    pub code: Option<Mmap>,
    /// The file whose locks reserve the sessions' users on this machine, where sessions have users of their own. The
    /// supervisor's locks hold until this process has closed the file as well: when the supervisor dies, no other server
    /// gets a user before this zygote has ended the processes of that user.
    pub reserved: Option<OwnedFd>,
}

/// Receives the first message. `None` when `control` is not a control socket.
pub fn start(control: &OwnedFd) -> Option<Started> {
    let mut bytes = vec![0; MESSAGE];
    let (length, descriptors) = receive(control, &mut bytes).ok()?;
    let start: Start = messages::decode(&bytes[..length])?;
    let mut descriptors = descriptors.into_iter();
    let size = start.namespaces.iter().map(|namespace| namespace.length).sum();
    let code = if size > 0 { Some(shared::map(descriptors.next()?, size).ok()?) } else { None };
    Some(Started { start, code, reserved: descriptors.next() })
}

/// Runs the zygote on `control`, until the supervisor is gone.
///
/// # Errors
/// When R does not start, or the control socket fails.
pub fn run(control: OwnedFd, Started { start, code, reserved }: Started) -> anyhow::Result<()> {
    // In a session of its own, it is not interrupted by Ctrl-C at the terminal, which the supervisor handles. Nor can any
    // session reach the terminal.
    rustix::process::setsid()?;
    let children = reaping::child_signals()?;
    // A process whose parent has ended becomes a child of this one, so that it can be found.
    rustix::process::set_child_subreaper(Some(rustix::process::getpid()))?;
    setup::reserve_numbers()?;
    if let Err(error) = r::init::start() {
        report(&control, &ZygoteReply::Broken(with_sources(&error)))?;
        return Ok(());
    }
    let repositories: Vec<&str> = start.repositories.iter().map(String::as_str).collect();
    r::scripts::ask(c"use_repositories", &repositories)?;
    let mut rest = code.as_deref().unwrap_or_default();
    for Namespace { name, version, length } in &start.namespaces {
        let (code, others) = rest.split_at(*length);
        r::scripts::ask(c"host_make_namespace", &[name, version, std::str::from_utf8(code)?])?;
        rest = others;
    }
    drop(code);
    let mut warnings = packages::warm_graphics();
    let _ = packages::refresh_fonts();
    let (unloaded, notes) = packages::preload(&start.preload)?;
    warnings.extend(unloaded);
    packages::warm_up()?;
    warnings.extend(packages::settle()?);
    let temporary = r::init::temporary_folder();
    // Sessions have folders of their own. A package may have put something into this one that sessions look for: then it
    // is not empty, and stays.
    let _ = std::fs::remove_dir(&temporary);
    let mut sandbox = start.sandbox;
    sandbox.read_repositories(&start.repositories);
    let network = sandbox.network;
    let sandbox = match Prepared::new(sandbox, reserved.is_some()) {
        Ok(mut sandbox) => {
            sandbox.prepare_next(network);
            sandbox
        }
        Err(error) => {
            report(&control, &ZygoteReply::Broken(with_sources(&error)))?;
            return Ok(());
        }
    };
    let ready = Ready { r_version: r::init::version(), warnings, notes, walls: sandbox.walls().clone() };
    report(&control, &ZygoteReply::Ready(ready))?;
    let mut zygote = Zygote { control, request: vec![0; MESSAGE], children, workers: HashMap::new(), sandbox };
    let outcome = zygote.serve();
    zygote.end_workers();
    let _ = std::fs::remove_dir_all(&temporary);
    drop(reserved);
    match outcome {
        // The supervisor is gone, which is how zygotes end.
        Err(error) if matches!(error.kind(), io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset) => Ok(()),
        outcome => outcome.map_err(Into::into),
    }
}

/// Why no worker was forked.
#[derive(Debug, thiserror::Error)]
enum ForkError {
    /// The request came without them.
    #[error("descriptors are missing")]
    Descriptors,
    /// The system's.
    #[error(transparent)]
    System(#[from] io::Error),
    /// A wall is missing.
    #[error(transparent)]
    Sandbox(#[from] SandboxError),
}

struct Zygote {
    control: OwnedFd,
    /// The buffer for requests. It is not cleared for each: a page that is written to here is no longer shared with the
    /// workers.
    request: Vec<u8>,
    /// Readable when a child has ended.
    children: OwnedFd,
    workers: HashMap<i32, Owner>,
    sandbox: Prepared,
}

/// How to tell processes of a session that have left its process group.
enum Owner {
    /// By their user, which no other session has.
    User(u32),
    /// By the working folder in their environment.
    Folder(PathBuf),
}

impl Zygote {
    fn serve(&mut self) -> io::Result<()> {
        loop {
            let mut ready = [PollFd::new(&self.control, PollFlags::IN), PollFd::new(&self.children, PollFlags::IN)];
            match poll(&mut ready, None) {
                Ok(_) => {}
                Err(rustix::io::Errno::INTR) => continue,
                Err(error) => return Err(error.into()),
            }
            let [control, children] = ready.map(|descriptor| !descriptor.revents().is_empty());
            if children {
                self.reap()?;
            }
            if control && !self.take_request()? {
                return Ok(());
            }
        }
    }

    /// Reads one request and does what it says; false when the supervisor is gone.
    fn take_request(&mut self) -> io::Result<bool> {
        let (length, descriptors) = receive(&self.control, &mut self.request)?;
        if length == 0 {
            return Ok(false);
        }
        let spec = match messages::decode(&self.request[..length]) {
            Some(ZygoteRequest::Fork(spec)) => spec,
            Some(ZygoteRequest::EndStrays(worker)) => {
                self.end_strays(worker);
                return Ok(true);
            }
            Some(ZygoteRequest::Ping(number)) => {
                report(&self.control, &ZygoteReply::Here(number))?;
                return Ok(true);
            }
            None => return Ok(true),
        };
        let request = spec.request;
        let reply = match <[OwnedFd; 4]>::try_from(descriptors)
            .map_err(|_| ForkError::Descriptors)
            .and_then(|descriptors| self.fork_worker(&spec, descriptors))
        {
            Ok(pid) => ZygoteReply::Forked { request, pid },
            Err(error) => ZygoteReply::NotForked { request, reason: error.to_string() },
        };
        report(&self.control, &reply)?;
        self.sandbox.prepare_next(spec.limits.network);
        Ok(true)
    }

    fn fork_worker(&mut self, spec: &Fork, descriptors: [OwnedFd; 4]) -> Result<i32, ForkError> {
        let have_fonts_changed = packages::refresh_fonts();
        self.sandbox.refresh(have_fonts_changed)?;
        match fork::fork()? {
            Side::Parent(pid) => {
                let owner = spec.user.map_or_else(|| Owner::Folder(spec.folder.join(folder::WORK)), Owner::User);
                self.workers.insert(pid, owner);
                Ok(pid)
            }
            Side::Child => match setup::become_worker(spec, descriptors, &mut self.sandbox) {
                Ok(link) => CommandLoop::new(link, spec).run(),
                Err(error) => {
                    // If the child has its console already, the supervisor keeps this for who asks why the session ended.
                    fork::last_words(&format!("the session could not be set up: {}\n", with_sources(&error)));
                    fork::end(70)
                }
            },
        }
    }

    /// Reaps children that have ended. With a worker, the rest of its process group is ended.
    fn reap(&mut self) -> io::Result<()> {
        reaping::drain(&self.children);
        while let Some(raw) = reaping::ended_child() {
            let Some(pid) = Pid::from_raw(raw) else { break };
            let worker = self.workers.remove(&raw);
            if worker.is_some() {
                // As long as the worker is not reaped, no other group can have the id of its group.
                let _ = rustix::process::kill_process_group(pid, Signal::KILL);
            }
            let status = rustix::process::waitpid(Some(pid), WaitOptions::NOHANG);
            if let (Some(owner), Ok(Some((_, status)))) = (worker, status) {
                let exit = match status.terminating_signal() {
                    Some(signal) => Exit::Signal(signal),
                    None => Exit::Status(status.exit_status().unwrap_or(0)),
                };
                match owner {
                    Owner::User(user) => end_all_of(user),
                    Owner::Folder(_) => self.end_strays(raw),
                }
                report(&self.control, &ZygoteReply::Exited { pid: raw, exit })?;
            }
        }
        Ok(())
    }

    /// Ends the processes that a worker has left running when it ended: those of its user or, where sessions have no users
    /// of their own, all children of this process that belong to no live session. A process tells by its environment which
    /// session it belongs to, and could tell anything: it is ended if it does not name a live session.
    fn end_strays(&self, ended: i32) {
        if let Some(Owner::User(user)) = self.workers.get(&ended) {
            return end_all_of(*user);
        }
        let live = || self.workers.iter().filter(|&(&pid, _)| pid != ended);
        let is_of_live_session = |pid| {
            live().any(|(&worker, owner)| {
                worker == pid || matches!(owner, Owner::Folder(folder) if strays::has(pid, folder::VARIABLE, folder.as_os_str()))
            })
        };
        strays::end(|pid| pid != ended && !is_of_live_session(pid));
    }

    /// Ends all workers and the processes that they have left running.
    fn end_workers(&self) {
        let pids = || self.workers.keys().filter_map(|&pid| Pid::from_raw(pid));
        for pid in pids() {
            let _ = rustix::process::kill_process_group(pid, Signal::KILL);
        }
        for owner in self.workers.values() {
            if let Owner::User(user) = *owner {
                end_all_of(user);
            }
        }
        strays::end(|_| true);
    }
}

fn end_all_of(user: u32) {
    if processes::has_processes(user) {
        processes::kill_all_of(user);
    }
}

/// Receives a message from the supervisor. Returns its length, 0 when the supervisor is gone, and the descriptors that it
/// brings.
fn receive(control: &OwnedFd, bytes: &mut [u8]) -> io::Result<(usize, Vec<OwnedFd>)> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(4))];
    let mut ancillary = RecvAncillaryBuffer::new(&mut space);
    let received =
        rustix::io::retry_on_intr(|| recvmsg(control, &mut [io::IoSliceMut::new(bytes)], &mut ancillary, RecvFlags::CMSG_CLOEXEC))?;
    let mut descriptors = Vec::new();
    for message in ancillary.drain() {
        if let RecvAncillaryMessage::ScmRights(received) = message {
            descriptors.extend(received);
        }
    }
    Ok((received.bytes, descriptors))
}

fn report(control: impl AsFd, reply: &ZygoteReply) -> io::Result<()> {
    let bytes = messages::encode(reply);
    loop {
        match send(&control, &bytes, SendFlags::NOSIGNAL) {
            Ok(_) => return Ok(()),
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}
