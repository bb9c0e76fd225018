//! The limits of a worker: how much memory, processor time, and so on it may use.

use std::{cell::Cell, fs, io, path::Path};

use rustix::{
    process::{Resource, Rlimit, getrlimit, setrlimit},
    time::{ClockId, clock_gettime},
};

use crate::{
    link::messages::{Limits, folder},
    system::tree,
};

/// Most descriptors of a process. R itself has at most 128 connections open.
const DESCRIPTORS: u64 = 4096;

/// Why a limit was not set.
#[derive(Debug, thiserror::Error)]
pub enum LimitError {
    /// The memory of this process is not known.
    #[error("/proc/self/statm")]
    Mapped(#[source] io::Error),
    /// The system refused.
    #[error("limit on {name}")]
    Refused {
        /// What was to be limited.
        name: &'static str,
        /// Why it refused.
        source: rustix::io::Errno,
    },
}

/// Sets the limits that hold for the life of the worker and of its children. The limit on processor time is
/// set anew for each operation, by [`Processor`].
///
/// # Errors
/// [`LimitError`].
pub fn limit(limits: &Limits, own_user: bool) -> Result<(), LimitError> {
    if let Some(memory) = limits.memory {
        // The session's own memory comes on top of R, its libraries and the zygote's data, which are mapped already.
        let mapped = mapped_bytes().map_err(LimitError::Mapped)?;
        set(Resource::As, mapped.saturating_add(memory), "memory")?;
    }
    if let Some(size) = limits.file_size {
        set(Resource::Fsize, size, "file size")?;
    }
    if let Some(processes) = limits.processes {
        // The kernel counts all processes of a user. That is exact when the session has a user of its own. Otherwise, those
        // of the server and of all sessions count as well, and we add those that there are now.
        let others = if own_user { 0 } else { tasks_of_this_user() };
        set(Resource::Nproc, processes.saturating_add(others), "processes")?;
    }
    // Each socket has buffers in the kernel that no limit on memory counts.
    set(Resource::Nofile, DESCRIPTORS, "descriptors")?;
    // POSIX message queues outlive the process that made them, and R has no use for them.
    set(Resource::Msgqueue, 0, "message queues")?;
    set(Resource::Core, 0, "core size")
}

/// Sets a limit, but none above the one in force: only root could.
fn set(resource: Resource, value: u64, name: &'static str) -> Result<(), LimitError> {
    let hard = getrlimit(resource).maximum;
    let value = hard.map_or(value, |hard| value.min(hard));
    setrlimit(resource, Rlimit { current: Some(value), maximum: Some(value) }).map_err(|source| LimitError::Refused { name, source })
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

/// Lowers the limit on the size of a file to what the session's files may still grow by, while `write` writes one. Otherwise a large file
/// would end the session, and not only the writing. `most` is the limit on all files in the folders of the session's `folder`.
pub fn within_disk<T>(folder: &Path, most: Option<u64>, write: impl FnOnce() -> T) -> T {
    let Some(most) = most else { return write() };
    // The session may not read the folder above them.
    let room = tree::room(folder::ALL.map(|name| folder.join(name)), most);
    let all = getrlimit(Resource::Fsize);
    let lowered = all.maximum.map_or(room, |maximum| maximum.min(room));
    // Failing is harmless: the server ends the session if it takes too much.
    let _ = setrlimit(Resource::Fsize, Rlimit { current: Some(lowered), ..all });
    let written = write();
    let _ = setrlimit(Resource::Fsize, all);
    written
}

/// The limit on processor time, which is set anew for each operation.
#[derive(Debug)]
pub struct Processor {
    /// The hard limit. It is left as it is, since it could not be raised again for the next operation.
    maximum: Option<u64>,
    /// The limit in force.
    current: Cell<Option<u64>>,
}

impl Processor {
    /// The limit of this process.
    #[must_use]
    pub fn own() -> Self {
        let Rlimit { current, maximum } = getrlimit(Resource::Cpu);
        Self { maximum, current: Cell::new(current) }
    }

    /// Allows `seconds` more of processor time; after that the kernel sends SIGXCPU, every second.
    pub fn allow(&self, seconds: Option<u64>) {
        let maximum = self.maximum;
        let current = seconds.map(|seconds| used_cpu_seconds().saturating_add(seconds).saturating_add(1)).or(maximum);
        // The limit counts whole seconds, and most operations take less: it is often the same again.
        if self.current.replace(current) != current {
            // Failing is harmless: the supervisor also limits the time by the clock.
            let _ = setrlimit(Resource::Cpu, Rlimit { current, maximum });
        }
    }
}

fn used_cpu_seconds() -> u64 {
    u64::try_from(clock_gettime(ClockId::ProcessCPUTime).tv_sec).unwrap_or(0)
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
