//! Memory that processes take together, also where no limit on a process counts it: shared memory that nobody has mapped,
//! and files that have no name any more (proc(5)).

use std::{
    collections::HashMap,
    fs,
    os::unix::fs::{FileTypeExt, MetadataExt},
    path::Path,
};

use super::{processes, tree::BLOCK};

/// What links to shared memory begin with.
const SHARED: [&str; 4] = ["/memfd:", "/dev/shm/", "/SYSV", "/dev/zero"];

/// What some processes take together, in bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Taken {
    /// Memory, shared memory included.
    pub memory: u64,
    /// Files that have been removed, and that somebody has open.
    pub removed_files: u64,
}

/// What these processes take together. Each began with `inherited` bytes that are not its own.
///
/// What they share is counted once, if that takes more than `most`: counting each page takes milliseconds.
#[must_use]
pub fn taken(pids: &[i32], inherited: u64, most: u64) -> Taken {
    let mut files = HashMap::new();
    pids.iter().for_each(|&pid| open_files(pid, &mut files));
    let sum = |shared: bool| files.values().filter(|file| file.is_shared == shared).map(|file| file.bytes).sum::<u64>();
    let mut memory = sum(true);
    for &pid in pids {
        let Some(status) = Status::of(pid) else { continue };
        memory += status.own.saturating_sub(inherited);
        if status.shared > 0 && has_other_mappings(pid, &files) {
            memory += status.shared;
        }
    }
    if memory > most {
        let own = |pid| own_share(pid).unwrap_or_else(|| Status::of(pid).map_or(0, |status| status.own)).saturating_sub(inherited);
        let counted_once = pids.iter().map(|&pid| own(pid)).sum::<u64>() + sum(true);
        memory = memory.min(counted_once.max(sum(true)));
    }
    Taken { memory, removed_files: sum(false) }
}

struct OpenFile {
    bytes: u64,
    is_shared: bool,
}

/// The shared memory and the removed files that a process has open, by device and inode.
fn open_files(pid: i32, files: &mut HashMap<(u64, u64), OpenFile>) {
    for entry in fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten() {
        let Ok(link) = fs::read_link(entry.path()) else { continue };
        let is_shared = is_shared(&link);
        if !is_shared && !link.as_os_str().to_string_lossy().ends_with(" (deleted)") {
            continue;
        }
        if let Ok(metadata) = fs::metadata(entry.path())
            && metadata.is_file()
            && !metadata.file_type().is_char_device()
        {
            files.insert((metadata.dev(), metadata.ino()), OpenFile { bytes: metadata.blocks() * BLOCK, is_shared });
        }
    }
}

fn is_shared(path: &Path) -> bool {
    let path = path.as_os_str().to_string_lossy();
    SHARED.iter().any(|start| path.starts_with(start))
}

/// Whether a process has shared memory mapped that nobody has open.
fn has_other_mappings(pid: i32, open: &HashMap<(u64, u64), OpenFile>) -> bool {
    let maps = processes::read(format!("/proc/{pid}/maps")).unwrap_or_default();
    // Address, permissions, offset, device, inode, and perhaps a path with blanks.
    let mappings = maps.lines().filter_map(|line| {
        let path = &line[line.find('/')?..];
        let inode = line.split_ascii_whitespace().nth(4)?.parse::<u64>().ok()?;
        is_shared(Path::new(path)).then_some(inode)
    });
    mappings.into_iter().any(|mapped| !open.keys().any(|&(_, inode)| inode == mapped))
}

struct Status {
    /// Memory that is no file's, in bytes, on disk or not.
    own: u64,
    /// Shared memory that is mapped.
    shared: u64,
}

impl Status {
    fn of(pid: i32) -> Option<Self> {
        let status = processes::read(format!("/proc/{pid}/status"))?;
        let bytes = |name| kibibytes(&status, name).unwrap_or(0) << 10;
        Some(Self { own: bytes("RssAnon:") + bytes("VmSwap:"), shared: bytes("RssShmem:") })
    }
}

/// Memory of a process that is no file's, of pages that several have its part only; `None` where it is not told.
fn own_share(pid: i32) -> Option<u64> {
    let rollup = processes::read(format!("/proc/{pid}/smaps_rollup"))?;
    Some((kibibytes(&rollup, "Pss_Anon:")? + kibibytes(&rollup, "SwapPss:").unwrap_or(0)) << 10)
}

/// The number in a line such as `RssAnon:     712 kB`.
pub(super) fn kibibytes(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.trim().strip_suffix("kB")?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    #[test]
    fn memory_that_nobody_has_mapped_and_files_without_a_name_count() {
        let own = rustix::process::getpid().as_raw_nonzero().get();
        let before = taken(&[own], 0, u64::MAX);
        let memory = rustix::fs::memfd_create("test", rustix::fs::MemfdFlags::CLOEXEC).unwrap();
        fs::File::from(memory.try_clone().unwrap()).write_all(&vec![1; 50 << 20]).unwrap();
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&vec![1; 20 << 20]).unwrap();
        file.sync_all().unwrap();
        let after = taken(&[own], 0, u64::MAX);
        assert!(after.memory >= before.memory + (40 << 20), "{before:?} {after:?}");
        assert!(after.removed_files >= before.removed_files + (10 << 20), "{before:?} {after:?}");
        // Counted once, and in whatever way.
        assert!(taken(&[own, own], u64::MAX, 0).memory >= 50 << 20);
    }
}
