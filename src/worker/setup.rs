//! Makes a forked child a worker: everything that it has from the zygote and must not share is reset.

use std::{
    ffi::c_int,
    io,
    os::{
        fd::{AsRawFd, FromRawFd, IntoRawFd, OwnedFd},
        unix::net::UnixStream,
    },
    path::{Path, PathBuf},
};

use super::{
    folders::{self, FolderError},
    fork,
    limits::{self, LimitError},
    sandbox::{Prepared, Quarters, SandboxError},
    signals,
    user::{self, UserError},
};
use crate::{
    link::{
        channel::Link,
        marks::Mark,
        messages::{Fork, folder},
    },
    r::{self, exec::RError},
};

/// The descriptor of a worker's socket for commands: the first after the standard ones.
pub(super) const SOCKET: c_int = 3;
/// The descriptor of its pipe for replies.
const REPLIES: c_int = 4;
/// The descriptor of the memory for the first large reply.
const MEMORY: c_int = 5;

/// Why a child did not become a worker.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// A system call was refused.
    #[error("{step}")]
    Step {
        /// What it was for.
        step: &'static str,
        /// Why.
        source: io::Error,
    },
    /// It could not join its control group.
    #[error("{}", members.display())]
    Group {
        /// The file of the group's members.
        members: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A folder could not be made.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// It could not become the session's user.
    #[error(transparent)]
    User(#[from] UserError),
    /// A limit could not be set.
    #[error(transparent)]
    Limit(#[from] LimitError),
    /// A wall could not be put up.
    #[error(transparent)]
    Sandbox(#[from] SandboxError),
    /// R could not begin the session.
    #[error(transparent)]
    R(#[from] RError),
}

/// Makes this child a worker: its own group, descriptors, folders, user, limits, walls, signals, and R's state.
///
/// # Errors
/// [`SetupError`]; the child must end then.
pub fn become_worker(spec: &Fork, descriptors: [OwnedFd; 4], sandbox: &mut Prepared) -> Result<Link, SetupError> {
    fork::claim(spec.user.is_some());
    let failed = |step| move |source: rustix::io::Errno| SetupError::Step { step, source: source.into() };
    rustix::process::setpgid(None, None).map_err(failed("process group"))?;
    let link = own_descriptors(descriptors).map_err(|source| SetupError::Step { step: "descriptors", source })?;
    if let Some(members) = &spec.group {
        std::fs::write(members, "0").map_err(|source| SetupError::Group { members: members.clone(), source })?;
    }
    folders::make(spec)?;
    let quarters = Quarters::from(spec);
    sandbox.separate(&quarters, false)?;
    let (work, temporary) = (spec.folder.join(folder::WORK), spec.folder.join(folder::TEMPORARY));
    rustix::process::umask(rustix::fs::Mode::RWXG | rustix::fs::Mode::RWXO);
    set_environment(spec, &work, &temporary);
    leave_keyring();
    user::become_user(spec.ids(), spec.person.as_ref().map_or(&[], |person| &person.groups))?;
    sandbox.separate(&quarters, true)?;
    rustix::process::chdir(&work).map_err(failed("working folder"))?;
    limits::limit(&spec.limits, sandbox.counts_processes() && spec.person.is_none())?;
    let confined = sandbox.confine(&quarters)?;
    if let Some(connections) = confined.connections {
        link.give_descriptor(&connections).map_err(|source| SetupError::Step { step: "connections", source })?;
        look_up_names_by_tcp();
    }
    close_all_but(confined.held).map_err(|source| SetupError::Step { step: "descriptors", source })?;
    signals::handle();
    unbuffer_standard_output();
    reseed_c();

    r::console::set_error_marks(Mark::Error.bytes(&spec.tag), Mark::Output.bytes(&spec.tag));
    r::console::set_message_mark(Mark::Message.bytes(&spec.tag));
    r::init::use_temporary_folder(&temporary);
    r::scripts::call(c"begin_session")?;
    r::scripts::call(c"leave_zygote")?;
    Ok(link)
}

/// Makes sure that this process gives none of the numbers that a worker needs to a descriptor that its children need as well.
///
/// # Errors
/// When there are no more descriptors.
pub fn reserve_numbers() -> io::Result<()> {
    loop {
        let null = std::fs::File::open("/dev/null")?;
        if null.as_raw_fd() > MEMORY {
            return Ok(());
        }
        let _ = null.into_raw_fd();
    }
}

/// Gives the descriptors their numbers: standard input has nothing to read, standard output and error are the console, then come the socket
/// for commands, the pipe for replies and the memory for a large one.
fn own_descriptors([commands, replies, memory, console]: [OwnedFd; 4]) -> io::Result<Link> {
    let null = OwnedFd::from(std::fs::File::open("/dev/null")?);
    let numbers = [(&null, 0, 0), (&console, 1, 0), (&console, 2, 0), (&commands, SOCKET, libc::O_CLOEXEC)];
    let numbers = numbers.into_iter().chain([(&replies, REPLIES, libc::O_CLOEXEC), (&memory, MEMORY, libc::O_CLOEXEC)]);
    // SAFETY: plain system calls. The owners of what had these numbers are in frames of the zygote, to which a worker never returns. What is
    // returned is owned by nobody else.
    unsafe {
        for (from, to, flags) in numbers {
            if libc::dup3(from.as_raw_fd(), to, flags) < 0 {
                return Err(io::Error::last_os_error());
            }
        }
        let [replies, memory] = [REPLIES, MEMORY].map(|own| OwnedFd::from_raw_fd(own));
        Ok(Link::new(UnixStream::from_raw_fd(SOCKET), replies, memory))
    }
}

/// Closes all descriptors but the worker's own and these, which are closed with this process.
fn close_all_but(held: Vec<OwnedFd>) -> io::Result<()> {
    let mut held: Vec<_> = held.into_iter().map(IntoRawFd::into_raw_fd).collect();
    held.sort_unstable();
    let mut first = MEMORY + 1;
    for number in held {
        if number > first {
            close_range(first, number - 1)?;
        }
        first = number + 1;
    }
    close_range(first, c_int::MAX)
}

/// Closes the descriptors between these numbers. For their owners, see [`own_descriptors`].
fn close_range(first: c_int, last: c_int) -> io::Result<()> {
    // SAFETY: a plain system call.
    if unsafe { libc::syscall(libc::SYS_close_range, first, last, 0) } == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Sets the environment of the session.
#[expect(clippy::disallowed_methods, reason = "a worker has one thread")]
fn set_environment(spec: &Fork, work: &Path, temporary: &Path) {
    let set = |name: &str, value: &std::ffi::OsStr| {
        // SAFETY: the process has one thread.
        unsafe { std::env::set_var(name, value) };
    };
    set("TMPDIR", temporary.as_os_str());
    // R tells programs that it starts about its temporary folder by this.
    set("R_SESSION_TMPDIR", temporary.as_os_str());
    set("R_LIBS_USER", spec.folder.join(folder::LIBRARY).as_os_str());
    set("HOME", spec.person.as_ref().map_or(work, |person| &person.home).as_os_str());
    set(folder::VARIABLE, work.as_os_str());
    for name in ["USER", "LOGNAME"] {
        set(name, std::ffi::OsStr::new(spec.person.as_ref().map_or("offshoot", |person| &person.name)));
    }
}

/// Has this process and those that it starts ask name servers by TCP (resolv.conf(5)), for it has no other sockets.
#[expect(clippy::disallowed_methods, reason = "a worker has one thread")]
fn look_up_names_by_tcp() {
    // SAFETY: the process has one thread. The zygote may have read the settings already, so they are read again.
    unsafe {
        std::env::set_var("RES_OPTIONS", "use-vc");
        libc::res_init();
    }
}

/// Gives this process a keyring of its own: the one that it has is the server's.
fn leave_keyring() {
    const JOIN_SESSION_KEYRING: libc::c_long = 1;
    // SAFETY: a plain system call; without a name, the keyring is a new one. A kernel without keyrings refuses, and then
    // there is none to leave.
    unsafe { libc::syscall(libc::SYS_keyctl, JOIN_SESSION_KEYRING, std::ptr::null::<libc::c_char>()) };
}

/// Takes away C's buffer for standard output: C code of packages prints by it, and R does not.
fn unbuffer_standard_output() {
    unsafe extern "C" {
        static mut stdout: *mut libc::FILE;
    }
    // SAFETY: before anything is printed in this process.
    unsafe { libc::setvbuf(stdout, std::ptr::null_mut(), libc::_IONBF, 0) };
}

/// Gives C's random generators a new state: otherwise, C code of packages would draw the same numbers in every session.
pub(super) fn reseed_c() {
    let mut seed = [0; 4];
    if getrandom::fill(&mut seed).is_ok() {
        let seed = u32::from_ne_bytes(seed);
        // SAFETY: one thread; both only store the seed.
        unsafe {
            libc::srand(seed);
            srandom(seed);
        }
    }
    unsafe extern "C" {
        // stdlib.h; not bound by `libc`.
        fn srandom(seed: libc::c_uint);
    }
}
