//! What a worker may use, and as whom: set once, after the fork, before any R code of the session.

use std::{cell::Cell, fs, io, os::unix::ffi::OsStrExt, path::Path};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::link::messages::{Limits, folder};

/// Descriptors of a process; R has 128 connections.
const DESCRIPTORS: u64 = 4096;

/// Sets the limits that hold for the life of the worker and of its children. The limit on processor time is
/// set anew for each operation, by [`Processor`].
///
/// # Errors
/// The system's, with the name of the limit.
pub fn limit(limits: &Limits, own_user: bool) -> Result<(), String> {
    if let Some(memory) = limits.memory {
        // R itself, its libraries and the zygote's data are mapped already, and are not the session's doing.
        let mapped = mapped_bytes().map_err(|error| format!("/proc/self/statm: {error}"))?;
        set(Resource::As, mapped.saturating_add(memory), "memory")?;
    }
    if let Some(size) = limits.file_size {
        set(Resource::Fsize, size, "file size")?;
    }
    if let Some(processes) = limits.processes {
        // The kernel counts all processes of a user: exact when the session has a user of its own, else a
        // bound on what all sessions and the server may have together.
        let others = if own_user { 0 } else { tasks_of_this_user() };
        set(Resource::Nproc, processes.saturating_add(others), "processes")?;
    }
    // The kernel keeps buffers for sockets that no limit on memory counts.
    set(Resource::Nofile, DESCRIPTORS, "descriptors")?;
    // POSIX message queues outlive whoever made them, and R has no use for them.
    set(Resource::Msgqueue, 0, "message queues")?;
    set(Resource::Core, 0, "core size")
}

/// Gives this process a keyring of its own: the one that it has is the server's.
pub fn leave_keyring() {
    const JOIN_SESSION_KEYRING: libc::c_long = 1;
    // SAFETY: a plain system call; no name is a new keyring. Where the kernel has none, there is nothing to leave.
    unsafe { libc::syscall(libc::SYS_keyctl, JOIN_SESSION_KEYRING, std::ptr::null::<libc::c_char>()) };
}

fn set(resource: Resource, value: u64, name: &str) -> Result<(), String> {
    let hard = getrlimit(resource).maximum;
    let value = hard.map_or(value, |hard| value.min(hard));
    setrlimit(resource, Rlimit { current: Some(value), maximum: Some(value) }).map_err(|error| format!("limit on {name}: {error}"))
}

/// Lowers the limit on memory until [`restore_memory`]: `memory` bytes more than are mapped now.
pub fn lower_memory(memory: Option<u64>) {
    let Some(memory) = memory else { return };
    let maximum = getrlimit(Resource::As).maximum;
    let Ok(mapped) = mapped_bytes() else { return };
    let lowered = mapped.saturating_add(memory);
    // Failing is harmless: the limit of the session holds.
    let _ = setrlimit(Resource::As, Rlimit { current: Some(maximum.map_or(lowered, |maximum| lowered.min(maximum))), maximum });
}

/// How much memory this process may still map, in bytes.
#[must_use]
pub fn memory_left() -> usize {
    let left = getrlimit(Resource::As).current.map(|limit| limit.saturating_sub(mapped_bytes().unwrap_or(limit)));
    left.and_then(|left| usize::try_from(left).ok()).unwrap_or(usize::MAX)
}

/// Gives back what [`lower_memory`] took.
pub fn restore_memory() {
    let maximum = getrlimit(Resource::As).maximum;
    let _ = setrlimit(Resource::As, Rlimit { current: maximum, maximum });
}

/// Processor time, which is limited for each operation anew.
#[derive(Debug)]
pub struct Processor {
    /// The hard limit, which stays as it is: it cannot be raised again for the next operation.
    maximum: Option<u64>,
    /// The limit in force.
    current: Cell<Option<u64>>,
}

impl Processor {
    /// That of this process.
    #[must_use]
    pub fn own() -> Self {
        let Rlimit { current, maximum } = getrlimit(Resource::Cpu);
        Self { maximum, current: Cell::new(current) }
    }

    /// Allows `seconds` more of processor time; after that the kernel sends SIGXCPU, every second.
    pub fn allow(&self, seconds: Option<u64>) {
        let maximum = self.maximum;
        let current = seconds.map(|seconds| used_cpu_seconds().saturating_add(seconds).saturating_add(1)).or(maximum);
        // Most operations take less than a second.
        if self.current.replace(current) != current {
            // Failing is harmless, as the wall clock of the supervisor limits what this does not.
            let _ = setrlimit(Resource::Cpu, Rlimit { current, maximum });
        }
    }
}

fn used_cpu_seconds() -> u64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: fills in the structure it is given.
    unsafe { libc::clock_gettime(libc::CLOCK_PROCESS_CPUTIME_ID, &raw mut time) };
    u64::try_from(time.tv_sec).unwrap_or(0)
}

fn mapped_bytes() -> io::Result<u64> {
    let pages: u64 = fs::read_to_string("/proc/self/statm")?.split(' ').next().and_then(|pages| pages.parse().ok()).unwrap_or(0);
    Ok(pages * rustix::param::page_size() as u64)
}

/// Threads of all processes of this user, as the kernel counts them for its limit.
fn tasks_of_this_user() -> u64 {
    use std::os::unix::fs::MetadataExt;
    let user = rustix::process::getuid().as_raw();
    let Ok(processes) = fs::read_dir("/proc") else { return 0 };
    let own = processes.flatten().filter(|entry| entry.metadata().is_ok_and(|metadata| metadata.uid() == user));
    own.filter_map(|entry| fs::read_dir(entry.path().join("task")).ok()).map(|tasks| tasks.count() as u64).sum()
}

/// Makes a folder that only the worker can enter.
///
/// # Errors
/// The system's, with the path.
pub fn private_folder(path: &Path, user: Option<u32>) -> Result<(), String> {
    use std::os::unix::fs::DirBuilderExt;
    let failed = |error: io::Error| format!("{}: {error}", path.display());
    fs::DirBuilder::new().mode(0o700).create(path).map_err(failed)?;
    if let Some(user) = user {
        std::os::unix::fs::chown(path, Some(user), Some(user)).map_err(failed)?;
    }
    Ok(())
}

/// Becomes another user, for good, and gives up all ways to more rights.
///
/// # Errors
/// The system's: only root may become somebody else.
pub fn become_user(user: Option<u32>) -> Result<(), String> {
    let failed = |what: &str| format!("{what}: {}", io::Error::last_os_error());
    if let Some(user) = user {
        // SAFETY: plain system calls, in the order groups, group, user: the last one takes the right to do
        // the others. The process has one thread, so all of it changes.
        unsafe {
            if libc::setgroups(0, std::ptr::null()) != 0 {
                return Err(failed("setgroups"));
            }
            if libc::setresgid(user, user, user) != 0 {
                return Err(failed("setresgid"));
            }
            if libc::setresuid(user, user, user) != 0 {
                return Err(failed("setresuid"));
            }
            // Changing the user closes /proc/self to the process itself; nobody else has this user.
            libc::prctl(libc::PR_SET_DUMPABLE, 1);
        }
    }
    // SAFETY: a plain system call.
    if unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) } != 0 {
        return Err(failed("no_new_privs"));
    }
    Ok(())
}

/// Sets the environment of the session.
#[expect(clippy::disallowed_methods, reason = "a worker has one thread")]
pub fn environment(work: &Path, temporary: &Path, library: &Path) {
    let set = |name: &str, value: &std::ffi::OsStr| {
        // SAFETY: the process has one thread.
        unsafe { std::env::set_var(name, value) };
    };
    set("TMPDIR", temporary.as_os_str());
    // Where R tells it to programs that it starts.
    set("R_SESSION_TMPDIR", temporary.as_os_str());
    set("R_LIBS_USER", library.as_os_str());
    set("HOME", work.as_os_str());
    set(folder::VARIABLE, work.as_os_str());
    for name in ["USER", "LOGNAME"] {
        set(name, std::ffi::OsStr::from_bytes(b"offshoot"));
    }
}
