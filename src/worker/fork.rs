//! Forking this process, which process this is, and how it ends.

use std::{
    io,
    sync::atomic::{AtomicBool, AtomicI32, Ordering},
    time::{Duration, Instant},
};

/// A thread that has not ended after this time is taken for one that stays.
const PASSING: Duration = Duration::from_secs(1);

/// This worker's process id: a child that R forks (package parallel) has another.
static WORKER: AtomicI32 = AtomicI32::new(0);
/// The process that workers are forked from: its own id, in itself and in them.
static ZYGOTE: AtomicI32 = AtomicI32::new(0);
/// Whether this worker has a user that no other session has.
static OWN_USER: AtomicBool = AtomicBool::new(false);

/// The two sides of a fork.
#[derive(Debug)]
pub enum Side {
    /// The zygote; the child has this process id.
    Parent(i32),
    /// The new process.
    Child,
}

/// Forks this process.
///
/// # Errors
/// The system's, and `ResourceBusy` when this process keeps more than one thread. The others would not be
/// there in the child, and what they had locked would stay locked.
pub fn fork() -> io::Result<Side> {
    if !is_alone() {
        return Err(io::Error::new(io::ErrorKind::ResourceBusy, "the zygote has more than one thread"));
    }
    ZYGOTE.store(rustix::process::getpid().as_raw_nonzero().get(), Ordering::Relaxed);
    // SAFETY: the process has one thread, so the child may use all of libc and R.
    match unsafe { libc::fork() } {
        -1 => Err(io::Error::last_os_error()),
        0 => Ok(Side::Child),
        pid => Ok(Side::Parent(pid)),
    }
}

/// Whether this process has one thread. Some libraries use a thread for a moment, as Pango does when it looks for fonts,
/// and the kernel counts a thread for a moment after its end: these are waited for.
#[must_use]
pub fn is_alone() -> bool {
    let begin = Instant::now();
    while std::fs::read_dir("/proc/self/task").map_or(1, Iterator::count) > 1 {
        if begin.elapsed() > PASSING {
            return false;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    true
}

/// Whether this process has a thread whose name begins like this.
#[must_use]
pub fn has_thread(name: &str) -> bool {
    let threads = std::fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
    threads.filter_map(|thread| std::fs::read_to_string(thread.path().join("comm")).ok()).any(|own| own.starts_with(name))
}

/// Makes this process a worker for [`is_worker`] and [`end_session`].
pub(super) fn claim(own_user: bool) {
    WORKER.store(rustix::process::getpid().as_raw_nonzero().get(), Ordering::Relaxed);
    OWN_USER.store(own_user, Ordering::Relaxed);
}

/// The process id of this worker.
pub(super) fn worker() -> i32 {
    WORKER.load(Ordering::Relaxed)
}

/// The process id of the zygote.
pub(super) fn zygote() -> i32 {
    ZYGOTE.load(Ordering::Relaxed)
}

/// Whether this process is the worker, and not a child that R forked from it.
#[must_use]
pub fn is_worker() -> bool {
    worker() == rustix::process::getpid().as_raw_nonzero().get()
}

/// Ends this process if it is a child that R forked, and that was interrupted or forgot to end: the reply is its parent's
/// to send.
pub fn end_if_child() {
    if !is_worker() {
        end(1);
    }
}

/// Ends this worker, with all processes that the session has left behind.
pub fn end_session(status: i32) -> ! {
    if is_worker() && OWN_USER.load(Ordering::Relaxed) {
        // SAFETY: all processes of this user except this one; no other session has the user.
        unsafe { libc::kill(-1, libc::SIGKILL) };
    }
    end(status)
}

/// Ends this process at once: no exit handler may run, as they would be the zygote's.
pub fn end(status: i32) -> ! {
    // SAFETY: always allowed.
    unsafe { libc::_exit(status) }
}

/// Writes to the console of a child that will not become a worker.
pub fn last_words(text: &str) {
    let _ = rustix::io::write(rustix::stdio::stdout(), text.as_bytes());
}
