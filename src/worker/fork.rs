//! Forking a worker, and what a child resets of its parent.

use std::{
    ffi::c_int,
    io,
    os::{
        fd::{FromRawFd, IntoRawFd, OwnedFd},
        unix::net::UnixStream,
    },
    sync::atomic::{AtomicBool, AtomicI32, Ordering},
    time::{Duration, Instant},
};

use super::confine;
use crate::{
    link::{
        channel::Link,
        marks::Mark,
        messages::{Fork, folder},
    },
    r,
};

/// The descriptor of a worker's socket for commands: the first after the standard ones.
const SOCKET: c_int = 3;
/// That of its pipe for replies, and that of the memory for the first large one.
const REPLIES: c_int = 4;
const MEMORY: c_int = 5;

/// What still runs after this time is a thread that stays.
const PASSING: Duration = Duration::from_secs(1);

/// This worker's process id: a child that R forks (package parallel) has another.
static WORKER: AtomicI32 = AtomicI32::new(0);
/// The process that workers are forked from: its own id, in itself and in them.
static ZYGOTE: AtomicI32 = AtomicI32::new(0);
/// Whether this worker's user is nobody else's.
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
/// The system's, and `ResourceBusy` when this process keeps more than one thread: the others would be dead in
/// the child, with whatever they had locked.
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

/// Whether this process has one thread. Libraries do some work in threads that end with it, as Pango does when it looks
/// for fonts, and one that has ended is counted for a moment more: these are waited for.
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

/// Makes this child a worker: its own group, descriptors, folders, limits, user, signals, and R's state.
///
/// # Errors
/// What could not be done; the child must end then.
pub fn become_worker(spec: &Fork, descriptors: [OwnedFd; 4]) -> Result<Link, String> {
    WORKER.store(rustix::process::getpid().as_raw_nonzero().get(), Ordering::Relaxed);
    let failed = |what: &'static str| move |error: rustix::io::Errno| format!("{what}: {error}");
    rustix::process::setpgid(None, None).map_err(failed("process group"))?;
    let link = own_descriptors(descriptors).map_err(|error| format!("descriptors: {error}"))?;

    if let Some(members) = &spec.group {
        std::fs::write(members, "0").map_err(|error| format!("{}: {error}", members.display()))?;
    }

    let own_user = spec.user.is_some();
    OWN_USER.store(own_user, Ordering::Relaxed);
    make_folders(spec)?;
    let (work, temporary) = (spec.folder.join(folder::WORK), spec.folder.join(folder::TEMPORARY));
    rustix::process::chdir(&work).map_err(failed("working folder"))?;
    rustix::process::umask(rustix::fs::Mode::RWXG | rustix::fs::Mode::RWXO);
    confine::environment(&work, &temporary, &spec.folder.join(folder::LIBRARY));
    confine::become_user(spec.user)?;
    confine::leave_keyring();
    confine::limit(&spec.limits, own_user)?;
    handle_signals();
    unbuffer_standard_output();
    reseed_c();

    r::console::set_error_marks(Mark::Error.bytes(&spec.tag), Mark::Output.bytes(&spec.tag));
    r::init::use_temporary_folder(&temporary);
    r::scripts::call(c"begin_session").map_err(|error| error.to_string())?;
    Ok(link)
}

fn make_folders(spec: &Fork) -> Result<(), String> {
    // The session's own folder belongs to the server: its user can pass through, and not put anything there.
    confine::private_folder(&spec.folder, None)?;
    if spec.user.is_some() {
        use std::os::unix::fs::PermissionsExt;
        std::fs::set_permissions(&spec.folder, std::fs::Permissions::from_mode(0o711)).map_err(|error| error.to_string())?;
    }
    for name in [folder::WORK, folder::TEMPORARY, folder::LIBRARY, folder::FILES] {
        confine::private_folder(&spec.folder.join(name), spec.user)?;
    }
    Ok(())
}

/// Leaves open: nothing to read as standard input, the console as output and error, and the ways for commands and
/// replies.
fn own_descriptors(descriptors: [OwnedFd; 4]) -> io::Result<Link> {
    let null = OwnedFd::from(std::fs::File::open("/dev/null")?);
    // Out of the way of the numbers that they are going to have.
    let moved = |descriptor: OwnedFd| rustix::io::fcntl_dupfd_cloexec(descriptor, 64).map(IntoRawFd::into_raw_fd);
    let [commands, replies, memory, console] = descriptors;
    let (null, commands, replies, memory, console) = (moved(null)?, moved(commands)?, moved(replies)?, moved(memory)?, moved(console)?);
    // SAFETY: plain system calls on descriptors that are open; what is closed here has no owner left that would close it
    // again, as a worker never returns to its caller's frames; this function owns what it returns.
    unsafe {
        for (from, to) in [(null, 0), (console, 1), (console, 2), (commands, SOCKET), (replies, REPLIES), (memory, MEMORY)] {
            if libc::dup2(from, to) < 0 {
                return Err(io::Error::last_os_error());
            }
        }
        for own in [SOCKET, REPLIES, MEMORY] {
            libc::fcntl(own, libc::F_SETFD, libc::FD_CLOEXEC);
        }
        if libc::syscall(libc::SYS_close_range, MEMORY + 1, c_int::MAX, 0) != 0 {
            return Err(io::Error::last_os_error());
        }
        let [replies, memory] = [REPLIES, MEMORY].map(|own| OwnedFd::from_raw_fd(own));
        Ok(Link::new(UnixStream::from_raw_fd(SOCKET), replies, memory))
    }
}

/// Signals as an ordinary program has them, but for those that a worker answers. Handlers, unlike ignored
/// signals, are reset when a child starts another program.
fn handle_signals() {
    extern "C" fn nothing(_signal: c_int) {}
    let handlers: [(c_int, extern "C" fn(c_int)); 5] = [
        (libc::SIGINT, r::interrupt::on_interrupt),
        (libc::SIGXCPU, r::interrupt::on_cpu_limit),
        // Writing too much, or to nobody, is an error of the write.
        (libc::SIGPIPE, nothing),
        (libc::SIGXFSZ, nothing),
        (libc::SIGIO, on_socket_event),
    ];
    // SAFETY: the handlers only store to memory or make system calls; the structures are fully set.
    unsafe {
        for (signal, handler) in handlers {
            let mut action: libc::sigaction = std::mem::zeroed();
            action.sa_sigaction = handler as *const () as usize;
            // Not SA_RESTART: R's own waits look for interrupts when a call is cut short.
            action.sa_flags = if signal == libc::SIGIO { libc::SA_RESTART } else { 0 };
            libc::sigemptyset(&raw mut action.sa_mask);
            libc::sigaction(signal, &raw const action, std::ptr::null_mut());
        }
        // Rust's own handlers are for its own stack: what R does wrong is to end the process.
        for signal in [libc::SIGSEGV, libc::SIGBUS] {
            libc::signal(signal, libc::SIG_DFL);
        }
        let mut none: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&raw mut none);
        libc::sigprocmask(libc::SIG_SETMASK, &raw const none, std::ptr::null_mut());
    }
}

/// The zygote has ended, or the socket tells something.
extern "C" fn on_socket_event(_signal: c_int) {
    watch_socket_if_orphan();
}

/// Sees to it that the end of the supervisor ends this worker at once, also while R computes and nobody reads the socket.
/// That is what the zygote does, and the kernel tells when there is none any more: then the socket is watched, which
/// costs a signal for each command.
pub fn watch_supervisor() {
    // SAFETY: plain system calls of the worker on itself, as the user that it is, and on its own socket.
    unsafe {
        libc::fcntl(SOCKET, libc::F_SETOWN, WORKER.load(Ordering::Relaxed));
        libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGIO);
    }
    // It may have been too late to be told.
    watch_socket_if_orphan();
}

fn watch_socket_if_orphan() {
    // SAFETY: all are async-signal-safe; the socket is the worker's own, the structure lives, and the group that is
    // ended is the worker's, itself included.
    unsafe {
        if libc::getppid() == ZYGOTE.load(Ordering::Relaxed) {
            return;
        }
        libc::fcntl(SOCKET, libc::F_SETFL, libc::O_ASYNC);
        let mut poll = libc::pollfd { fd: SOCKET, events: 0, revents: 0 };
        if libc::poll(&raw mut poll, 1, 0) > 0 && poll.revents & libc::POLLHUP != 0 {
            libc::kill(0, libc::SIGKILL);
        }
    }
}

/// What C code prints with stdio must not lag behind what R prints.
fn unbuffer_standard_output() {
    unsafe extern "C" {
        static mut stdout: *mut libc::FILE;
    }
    // SAFETY: before anything is printed in this process.
    unsafe { libc::setvbuf(stdout, std::ptr::null_mut(), libc::_IONBF, 0) };
}

/// Compiled code that draws from C's generators must not draw in every session what the zygote would.
fn reseed_c() {
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

/// Whether this process is the worker, and not a child that R forked from it.
#[must_use]
pub fn is_worker() -> bool {
    WORKER.load(Ordering::Relaxed) == rustix::process::getpid().as_raw_nonzero().get()
}

/// Ends this process if it is a child that R forked: one that was interrupted, or forgot to end. What follows
/// is its parent's to do.
pub fn end_if_child() {
    if !is_worker() {
        end(1);
    }
}

/// Ends a session whose work is done, with all processes that it has left behind.
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

/// Reads away what [`child_signals`] has to tell: that there was something, and nothing more, is what counts.
pub fn drain(signals: &OwnedFd) {
    let mut bytes = [0; 1024];
    while rustix::io::read(signals, &mut bytes).is_ok_and(|count| count > 0) {}
}

/// Writes to the console of a child that will not become a worker.
pub fn last_words(text: &str) {
    let _ = rustix::io::write(rustix::stdio::stdout(), text.as_bytes());
}

/// A child that has ended and is not reaped yet, so that its number is still its own.
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
