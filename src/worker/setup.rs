//! Makes a forked child a worker: everything that it has from the zygote and must not share is reset.

use std::{
    ffi::c_int,
    io,
    os::{
        fd::{FromRawFd, IntoRawFd, OwnedFd},
        unix::{ffi::OsStrExt, net::UnixStream},
    },
    path::{Path, PathBuf},
};

use super::{
    folders::{self, FolderError},
    fork,
    limits::{self, LimitError},
    sandbox::{FIRST_DESCRIPTOR, Prepared, Quarters, SandboxError},
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
pub fn become_worker(spec: &Fork, descriptors: [OwnedFd; 4], sandbox: &Prepared) -> Result<Link, SetupError> {
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
    set_environment(&work, &temporary, &spec.folder.join(folder::LIBRARY));
    leave_keyring();
    user::become_user(spec.user)?;
    sandbox.separate(&quarters, true)?;
    rustix::process::chdir(&work).map_err(failed("working folder"))?;
    limits::limit(&spec.limits, sandbox.counts_processes())?;
    let confined = sandbox.confine(&quarters)?;
    if let Some(connections) = confined.connections {
        link.give_descriptor(&connections).map_err(|source| SetupError::Step { step: "connections", source })?;
        look_up_names_by_tcp();
    }
    for held in confined.held {
        // Closed with this process.
        let _ = held.into_raw_fd();
    }
    close_range(FIRST_DESCRIPTOR, c_int::MAX).map_err(|source| SetupError::Step { step: "descriptors", source })?;
    signals::handle();
    unbuffer_standard_output();
    reseed_c();

    r::console::set_error_marks(Mark::Error.bytes(&spec.tag), Mark::Output.bytes(&spec.tag));
    r::init::use_temporary_folder(&temporary);
    r::scripts::call(c"begin_session")?;
    r::scripts::call(c"leave_zygote")?;
    Ok(link)
}

/// Gives the descriptors their numbers, and closes all others but those that the sandbox needs: standard input has nothing to read, standard output and
/// error are the console, then come the socket for commands, the pipe for replies and the memory for a large one.
fn own_descriptors(descriptors: [OwnedFd; 4]) -> io::Result<Link> {
    let null = OwnedFd::from(std::fs::File::open("/dev/null")?);
    // First to high numbers, so that none has a number that another one is to get.
    let moved = |descriptor: OwnedFd| rustix::io::fcntl_dupfd_cloexec(descriptor, FIRST_DESCRIPTOR).map(IntoRawFd::into_raw_fd);
    let [commands, replies, memory, console] = descriptors;
    let (null, commands, replies, memory, console) = (moved(null)?, moved(commands)?, moved(replies)?, moved(memory)?, moved(console)?);
    // SAFETY: plain system calls on descriptors that are open. Owners of descriptors that are closed here will not close
    // them again: they are in frames of the zygote, to which a worker never returns. The descriptors that are returned are
    // owned by nobody else.
    unsafe {
        for (from, to) in [(null, 0), (console, 1), (console, 2), (commands, SOCKET), (replies, REPLIES), (memory, MEMORY)] {
            if libc::dup2(from, to) < 0 {
                return Err(io::Error::last_os_error());
            }
        }
        for own in [SOCKET, REPLIES, MEMORY] {
            libc::fcntl(own, libc::F_SETFD, libc::FD_CLOEXEC);
        }
        close_range(MEMORY + 1, FIRST_DESCRIPTOR - 1)?;
        let [replies, memory] = [REPLIES, MEMORY].map(|own| OwnedFd::from_raw_fd(own));
        Ok(Link::new(UnixStream::from_raw_fd(SOCKET), replies, memory))
    }
}

/// Closes the descriptors between these numbers. For their owners, see [`own_descriptors`].
fn close_range(first: c_int, last: c_int) -> io::Result<()> {
    // SAFETY: a plain system call.
    if unsafe { libc::syscall(libc::SYS_close_range, first, last, 0) } == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Sets the environment of the session.
#[expect(clippy::disallowed_methods, reason = "a worker has one thread")]
fn set_environment(work: &Path, temporary: &Path, library: &Path) {
    let set = |name: &str, value: &std::ffi::OsStr| {
        // SAFETY: the process has one thread.
        unsafe { std::env::set_var(name, value) };
    };
    set("TMPDIR", temporary.as_os_str());
    // R tells programs that it starts about its temporary folder by this.
    set("R_SESSION_TMPDIR", temporary.as_os_str());
    set("R_LIBS_USER", library.as_os_str());
    set("HOME", work.as_os_str());
    set(folder::VARIABLE, work.as_os_str());
    for name in ["USER", "LOGNAME"] {
        set(name, std::ffi::OsStr::from_bytes(b"offshoot"));
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
