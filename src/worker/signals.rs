//! The signals of a worker.

use std::ffi::c_int;

use super::{fork, setup};
use crate::r;

/// Sets all signals to what an ordinary program has, except for those that a worker handles. Some have a handler that does
/// nothing. If they were ignored instead, programs that the session starts would ignore them as well.
///
/// R leaves none of the handlers by longjmp, so their ABI is "C". One could be interrupted by R's own handler of SIGINT,
/// which jumps, if it did not block all signals while it runs.
pub(super) fn handle() {
    extern "C" fn nothing(_signal: c_int) {}
    let handlers: [(c_int, extern "C" fn(c_int)); 5] = [
        (libc::SIGINT, r::interrupt::on_interrupt),
        (libc::SIGXCPU, r::interrupt::on_cpu_limit),
        // Writing too much, or to a pipe that nobody reads, then fails, and does not end the process.
        (libc::SIGPIPE, nothing),
        (libc::SIGXFSZ, nothing),
        (libc::SIGIO, on_socket_event),
    ];
    // SAFETY: the handlers only store to memory or make system calls; the structures are fully set.
    unsafe {
        for (signal, handler) in handlers {
            let mut action: libc::sigaction = std::mem::zeroed();
            action.sa_sigaction = handler as *const () as usize;
            // Not SA_RESTART: R looks for interrupts when a signal has cut a wait short.
            action.sa_flags = if signal == libc::SIGIO { libc::SA_RESTART } else { 0 };
            libc::sigfillset(&raw mut action.sa_mask);
            libc::sigaction(signal, &raw const action, std::ptr::null_mut());
        }
        // Rust has handlers for these, which report an overflow of a stack of its own. When R or a package has caused the
        // signal, it is to end the process.
        for signal in [libc::SIGSEGV, libc::SIGBUS] {
            libc::signal(signal, libc::SIG_DFL);
        }
        let mut none: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&raw mut none);
        libc::sigprocmask(libc::SIG_SETMASK, &raw const none, std::ptr::null_mut());
    }
}

/// Holds interrupts back, as there is nothing to be interrupted any more. The supervisor sees that they are, and sends those that are for
/// the next command again.
pub fn hold_interrupts() {
    let interrupts = interrupts();
    // SAFETY: a plain system call with a set that is fully set.
    unsafe { libc::sigprocmask(libc::SIG_BLOCK, &raw const interrupts, std::ptr::null_mut()) };
}

/// Lets interrupts come again. Those that came meanwhile were for the last command.
pub fn release_interrupts() {
    let (interrupts, now) = (interrupts(), libc::timespec { tv_sec: 0, tv_nsec: 0 });
    // SAFETY: as above; what waits is taken away, and its handler not called.
    unsafe {
        libc::sigtimedwait(&raw const interrupts, std::ptr::null_mut(), &raw const now);
        r::interrupt::clear();
        libc::sigprocmask(libc::SIG_UNBLOCK, &raw const interrupts, std::ptr::null_mut());
    }
}

fn interrupts() -> libc::sigset_t {
    // SAFETY: a set is plain memory, which is fully set.
    unsafe {
        let mut set: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&raw mut set);
        libc::sigaddset(&raw mut set, libc::SIGINT);
        set
    }
}

/// The handler of SIGIO: the zygote has ended, or something has happened on the socket.
extern "C" fn on_socket_event(_signal: c_int) {
    watch_socket_if_orphan();
}

/// Sees to it that the end of the supervisor ends this worker at once, also while R computes and nobody reads the socket.
///
/// As long as there is a zygote, it does that. The kernel tells us by SIGIO when the zygote has ended. From then on, we
/// have the kernel send SIGIO for the socket, which also tells when the supervisor's end has been closed. We do not from
/// the start, since it costs a signal for each command.
pub fn watch_supervisor() {
    // SAFETY: plain system calls of the worker on itself, as the user that it is, and on its own socket.
    unsafe {
        libc::fcntl(setup::SOCKET, libc::F_SETOWN, fork::worker());
        libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGIO);
    }
    // The zygote may have ended before we asked to be told.
    watch_socket_if_orphan();
}

fn watch_socket_if_orphan() {
    // SAFETY: all calls are allowed in signal handlers. The socket is the worker's own, and so is the process group that is
    // killed, which includes the worker itself.
    unsafe {
        if libc::getppid() == fork::zygote() {
            return;
        }
        libc::fcntl(setup::SOCKET, libc::F_SETFL, libc::O_ASYNC);
        let mut poll = libc::pollfd { fd: setup::SOCKET, events: 0, revents: 0 };
        if libc::poll(&raw mut poll, 1, 0) > 0 && poll.revents & libc::POLLHUP != 0 {
            libc::kill(0, libc::SIGKILL);
        }
    }
}
