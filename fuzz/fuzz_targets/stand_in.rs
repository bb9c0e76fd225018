//! What stands in for R: a zygote whose workers carry out every command at once, and know no R. They read what the server
//! sends as real ones do, write the files that it expects, and answer that all went well.
//!
//! The server starts its zygote and its janitor from this program: see [`be_other_process`].

use std::{
    io::{self, IoSliceMut},
    mem::MaybeUninit,
    os::fd::{AsFd, OwnedFd},
    path::Path,
};

use offshoot::{
    link::{
        channel::Link,
        command::{Ending, Executed, Image, Reply, Request, Surroundings},
        messages::{self, Exit, Fork, Ready, ZygoteReply, ZygoteRequest, folder},
    },
    system::janitor,
    wire::{Written, typed::input},
    worker::{
        folders,
        fork::{self, Side},
        reaping,
    },
};
use rustix::{
    event::{PollFd, PollFlags, poll},
    net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendFlags, recvmsg, send},
    process::{Pid, WaitOptions, setpgid, waitpid},
};

/// The variable that makes this program a zygote.
pub const ZYGOTE: &str = "OFFSHOOT_FUZZ_ZYGOTE";
/// The largest message of the server to its zygote, in bytes.
const MESSAGE: usize = 64 << 10;

/// The options of the address sanitizer, for processes whose environment does not have them. SQLite's only file has two
/// constants of one name, which the sanitizer would take for a mistake of the linker's.
#[unsafe(no_mangle)]
extern "C" fn __asan_default_options() -> *const std::ffi::c_char {
    c"detect_odr_violation=0".as_ptr()
}

/// Becomes the zygote or the janitor and never returns, if this process was started as one.
pub fn be_other_process() {
    let outcome = if std::env::args().nth(1).is_some_and(|argument| argument == "janitor") {
        janitor::process::run()
    } else if std::env::var_os(ZYGOTE).is_some() {
        zygote()
    } else {
        return;
    };
    fork::end(i32::from(outcome.is_err()))
}

fn zygote() -> io::Result<()> {
    let control = rustix::stdio::stdin().try_clone_to_owned()?;
    let children = reaping::child_signals()?;
    receive(&control)?;
    report(&control, &ZygoteReply::Ready(Ready { r_version: "4.2.2".to_owned(), ..Ready::default() }))?;
    loop {
        let mut ready = [PollFd::new(&control, PollFlags::IN), PollFd::new(&children, PollFlags::IN)];
        poll(&mut ready, None)?;
        let [asked, ended] = ready.map(|descriptor| !descriptor.revents().is_empty());
        if ended {
            reaping::drain(&children);
            while let Some(pid) = reaping::ended_child() {
                let status = waitpid(Pid::from_raw(pid), WaitOptions::NOHANG)?;
                let exit = status.map(|(_, status)| match status.terminating_signal() {
                    Some(signal) => Exit::Signal(signal),
                    None => Exit::Status(status.exit_status().unwrap_or(0)),
                });
                report(&control, &ZygoteReply::Exited { pid, exit: exit.unwrap_or(Exit::Status(0)) })?;
            }
        }
        if asked {
            let (message, descriptors) = receive(&control)?;
            match messages::decode(&message) {
                Some(ZygoteRequest::Fork(spec)) => fork_worker(&control, &spec, descriptors)?,
                Some(ZygoteRequest::Ping(number)) => report(&control, &ZygoteReply::Here(number))?,
                Some(ZygoteRequest::EndStrays(_)) => {}
                None => return Ok(()),
            }
        }
    }
}

fn receive(control: &OwnedFd) -> io::Result<(Vec<u8>, Vec<OwnedFd>)> {
    let mut bytes = vec![0; MESSAGE];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(4))];
    let mut ancillary = RecvAncillaryBuffer::new(&mut space);
    let received = recvmsg(control, &mut [IoSliceMut::new(&mut bytes)], &mut ancillary, RecvFlags::CMSG_CLOEXEC)?;
    bytes.truncate(received.bytes);
    let descriptors = ancillary.drain().flat_map(|message| match message {
        RecvAncillaryMessage::ScmRights(descriptors) => Vec::from_iter(descriptors),
        _ => Vec::new(),
    });
    Ok((bytes, descriptors.collect()))
}

fn report(control: impl AsFd, reply: &ZygoteReply) -> io::Result<()> {
    send(control, &messages::encode(reply), SendFlags::NOSIGNAL)?;
    Ok(())
}

fn fork_worker(control: &OwnedFd, spec: &Fork, descriptors: Vec<OwnedFd>) -> io::Result<()> {
    match fork::fork()? {
        Side::Parent(pid) => report(control, &ZygoteReply::Forked { request: spec.request, pid }),
        Side::Child => fork::end(i32::from(worker(spec, descriptors).is_err())),
    }
}

fn worker(spec: &Fork, descriptors: Vec<OwnedFd>) -> io::Result<()> {
    let Ok([commands, replies, memory, console]) = <[OwnedFd; 4]>::try_from(descriptors) else { return Err(io::ErrorKind::InvalidInput.into()) };
    setpgid(None, None)?;
    folders::make(spec)?;
    // The console stays open until the worker ends.
    let _console = console;
    let link = Link::new(commands.into(), replies, memory);
    let temporary = spec.folder.join(folder::TEMPORARY);
    link.send(&messages::encode(&Reply::Hello { temporary }), Written::Bytes(Vec::new()))?;
    while let Some(frame) = link.receive()? {
        let Some(request) = messages::decode(&frame.header) else { return Err(io::ErrorKind::InvalidData.into()) };
        let Some((reply, payload)) = carry_out(request, frame.payload.as_ref(), &spec.folder)? else { return Ok(()) };
        link.send(&messages::encode(&reply), Written::Bytes(payload.to_vec()))?;
    }
    Ok(())
}

/// The reply to a command, with its payload; `None` at the end of the session.
fn carry_out(request: Request, payload: &[u8], session: &Path) -> io::Result<Option<(Reply, &'static [u8])>> {
    let exchanged = session.join(folder::FILES);
    let reply = match request {
        Request::Execute(execute) => {
            let (inputs, code) = payload.split_at_checked(execute.inputs).ok_or(io::ErrorKind::InvalidData)?;
            assert!(std::str::from_utf8(code).is_ok(), "code is UTF-8");
            if let Err(invalid) = input::read(inputs).map(drop) {
                return Ok(Some((Reply::InvalidInput(invalid.to_string()), b"")));
            }
            let saved = execute.save.map(|file| std::fs::write(exchanged.join(file.to_string()), "RDX3\n")).transpose()?.is_some();
            Reply::Execute(Executed {
                ending: Ending::Completed,
                warnings: Vec::new(),
                dropped_warnings: 0,
                missing: Vec::new(),
                changed: Vec::new(),
                published: Vec::new(),
                saved,
            })
        }
        Request::Evaluate(_) => return Ok(Some((Reply::Evaluate(Ending::Completed), b"null"))),
        Request::Unserialize(_) => Reply::Unserialize(Ending::Completed),
        Request::Objects(_) => Reply::Objects(Vec::new()),
        Request::Assign(_) => match input::read(payload) {
            Ok(_) => Reply::Assign(()),
            Err(invalid) => Reply::InvalidInput(invalid.to_string()),
        },
        Request::Remove(_) => Reply::Remove(true),
        Request::Pages(_) => Reply::Pages(1),
        Request::Draw(_) => return Ok(Some((Reply::Draw(true), b"a picture"))),
        Request::Files(_) => Reply::Files(vec!["a".to_owned()]),
        Request::RemoveFile(_) => Reply::RemoveFile(true),
        Request::Load(load) => {
            std::fs::remove_file(exchanged.join(load.0.file.to_string()))?;
            Reply::Load(Vec::new())
        }
        Request::Save(save) => {
            std::fs::write(exchanged.join(save.file.to_string()), "RDX3\n")?;
            Reply::Save(true)
        }
        Request::SaveImage(save) => {
            std::fs::write(exchanged.join(save.file.to_string()), "RDX3\n")?;
            Reply::SaveImage(Some(Image { surroundings: Surroundings::default(), files: Vec::new(), unsaved: Vec::new() }))
        }
        Request::LoadImage(load) => {
            std::fs::remove_file(exchanged.join(load.workspace.file.to_string()))?;
            Reply::LoadImage(Vec::new())
        }
        Request::End => return Ok(None),
    };
    Ok(Some((reply, b"")))
}
