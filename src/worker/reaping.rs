//! How the zygote learns of children that have ended.

use std::{
    io,
    os::fd::{FromRawFd, OwnedFd},
};

/// A descriptor that becomes readable when a child ends. SIGCHLD is blocked from then on; a worker unblocks it.
///
/// # Errors
/// The system's.
pub fn child_signals() -> io::Result<OwnedFd> {
    // SAFETY: the structure is fully set before it is used; the descriptor returned is owned by nobody else.
    unsafe {
        let mut set: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&raw mut set);
        libc::sigaddset(&raw mut set, libc::SIGCHLD);
        if libc::sigprocmask(libc::SIG_BLOCK, &raw const set, std::ptr::null_mut()) != 0 {
            return Err(io::Error::last_os_error());
        }
        let descriptor = libc::signalfd(-1, &raw const set, libc::SFD_NONBLOCK | libc::SFD_CLOEXEC);
        if descriptor < 0 {
            return Err(io::Error::last_os_error());
        }
        Ok(OwnedFd::from_raw_fd(descriptor))
    }
}

/// Empties the descriptor of [`child_signals`]. Which children have ended is asked by [`ended_child`].
pub fn drain(signals: &OwnedFd) {
    let mut bytes = [0; 1024];
    while rustix::io::read(signals, &mut bytes).is_ok_and(|count| count > 0) {}
}

/// A child that has ended. It is not reaped yet, so that no other process can have its id.
#[must_use]
pub fn ended_child() -> Option<i32> {
    // SAFETY: fills in the structure it is given; `si_pid` is valid after success, 0 when no child has ended.
    unsafe {
        let mut info: libc::siginfo_t = std::mem::zeroed();
        let options = libc::WEXITED | libc::WNOHANG | libc::WNOWAIT;
        if libc::waitid(libc::P_ALL, 0, &raw mut info, options) != 0 {
            return None;
        }
        Some(info.si_pid()).filter(|&pid| pid > 0)
    }
}
