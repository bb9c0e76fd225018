//! Memory that processes take together. It includes memory that no limit on a single process counts: shared memory that no process has
//! mapped, and files without a name (proc(5)).

use std::{
    collections::HashMap,
    fs,
    os::unix::fs::{FileTypeExt, MetadataExt},
    path::Path,
};

use super::{processes, tree::BLOCK, usage};

/// The beginnings of links to shared memory.
const SHARED: [&str; 4] = ["/memfd:", "/dev/shm/", "/SYSV", "/dev/zero"];

/// How much some processes take together, in bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Taken {
    /// Memory, shared memory included.
    pub memory: u64,
    /// Removed files that a process still has open.
    pub removed_files: u64,
}

/// The memory with which a process forks others.
#[derive(Debug, Clone, Copy)]
pub struct Inherited {
    from: i32,
    bytes: u64,
    unused: u64,
}

impl Inherited {
    /// The memory with which this process forks others now.
    #[must_use]
    pub fn from(parent: i32) -> Self {
        let status = Status::of(parent);
        let unused = status.map_or(0, |status| status.mapped.saturating_sub(status.own));
        Self { from: parent, bytes: usage::forked_with(parent), unused }
    }

    /// Memory that the parent has mapped and not used, in bytes. Its children can use it without mapping any more.
    #[must_use]
    pub fn unused(self) -> u64 {
        self.unused
    }

    /// The part of it that is counted in the shares of some processes ([`own_share`]). If all pages are shared by the same processes, each
    /// has the same share of them as the one they come from. All shares together are what there is.
    fn shares_of(self, processes: usize) -> u64 {
        let Some(share) = own_share(self.from) else { return self.bytes };
        share.saturating_mul(processes as u64).min(self.bytes.saturating_sub(share))
    }
}

/// How much some processes take together, of which the first was forked with what it has inherited. That does not count.
///
/// If the sum exceeds `most`, memory that they share with each other or with more processes is counted in parts: then it is not too much,
/// whatever was forked from what. This is not always done, because counting each page takes milliseconds.
#[must_use]
pub fn taken(pids: &[i32], inherited: Inherited, most: u64) -> Taken {
    let mut files = HashMap::new();
    pids.iter().for_each(|&pid| open_files(pid, &mut files));
    let sum = |shared: bool| files.values().filter(|file| file.is_shared == shared).map(|file| file.bytes).sum::<u64>();
    let (mut own, mut shared) = (0, sum(true));
    for &pid in pids {
        let Some(status) = Status::of(pid) else { continue };
        own += status.own;
        if status.shared > 0 && has_other_mappings(pid, &files) {
            shared += status.shared;
        }
    }
    let mut memory = own.saturating_sub(inherited.bytes) + shared;
    if memory > most {
        let share = |pid| own_share(pid).unwrap_or_else(|| Status::of(pid).map_or(0, |status| status.own));
        let shares = pids.iter().map(|&pid| share(pid)).sum::<u64>();
        memory = memory.min(shares.saturating_sub(inherited.shares_of(pids.len())) + sum(true));
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

/// Whether a process has mapped shared memory that no process has open.
fn has_other_mappings(pid: i32, open: &HashMap<(u64, u64), OpenFile>) -> bool {
    let maps = processes::read(format!("/proc/{pid}/maps")).unwrap_or_default();
    // The fields: address, permissions, offset, device, inode, and perhaps a path, which may contain spaces.
    let mappings = maps.lines().filter_map(|line| {
        let path = &line[line.find('/')?..];
        let inode = line.split_ascii_whitespace().nth(4)?.parse::<u64>().ok()?;
        is_shared(Path::new(path)).then_some(inode)
    });
    mappings.into_iter().any(|mapped| !open.keys().any(|&(_, inode)| inode == mapped))
}

struct Status {
    /// Memory that belongs to no file, in bytes, including swapped memory.
    own: u64,
    /// Mapped shared memory.
    shared: u64,
    /// Memory that belongs to no file and is or could be used.
    mapped: u64,
}

impl Status {
    fn of(pid: i32) -> Option<Self> {
        let status = processes::read(format!("/proc/{pid}/status"))?;
        let bytes = |name| kibibytes(&status, name).unwrap_or(0) << 10;
        Some(Self { own: bytes("RssAnon:") + bytes("VmSwap:"), shared: bytes("RssShmem:"), mapped: bytes("VmData:") })
    }
}

/// Memory of a process that belongs to no file; of pages that several processes share, only its part. `None` where the kernel does not
/// tell.
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
    use std::{
        io::Write,
        process::{Child, Command, Stdio},
    };

    /// A program that has nothing but these open, and ends with its input, so with this test at the latest.
    fn program(output: impl Into<Stdio>, errors: impl Into<Stdio>) -> Child {
        Command::new("cat").stdin(Stdio::piped()).stdout(output).stderr(errors).spawn().unwrap()
    }

    #[test]
    fn what_a_process_was_forked_with_counts_for_no_program_that_it_starts() {
        let mut program = program(Stdio::null(), Stdio::null());
        let pid = program.id().cast_signed();
        let own = Status::of(pid).unwrap().own;
        for most in [u64::MAX, 0] {
            // The same process in the place of its parent, and of a program beside it.
            let inherited = Inherited { from: pid, bytes: own, unused: 0 };
            let taken = taken(&[pid, pid], inherited, most).memory;
            assert!(taken >= own / 2, "{taken} of {own}");
        }
        drop(program.stdin.take());
        program.wait().unwrap();
    }

    #[test]
    fn memory_that_nobody_has_mapped_and_files_without_a_name_count() {
        let memory = rustix::fs::memfd_create("test", rustix::fs::MemfdFlags::CLOEXEC).unwrap();
        let mut memory = fs::File::from(memory);
        memory.write_all(&vec![1; 50 << 20]).unwrap();
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&vec![1; 20 << 20]).unwrap();
        file.sync_all().unwrap();
        // Other programs, as the tests beside this one take and give back memory of this one.
        let mut programs =
            [program(Stdio::null(), Stdio::null()), program(memory.try_clone().unwrap(), file), program(memory, Stdio::null())];
        let [without, with, another] = programs.each_ref().map(|program| program.id().cast_signed());
        let nothing = Inherited::from(i32::MAX);
        let before = taken(&[without], nothing, u64::MAX);
        let after = taken(&[with], nothing, u64::MAX);
        assert!(after.memory >= before.memory + (40 << 20), "{before:?} {after:?}");
        assert!(after.removed_files >= before.removed_files + (10 << 20), "{before:?} {after:?}");
        // Counted once, and in whatever way.
        let both = [u64::MAX, 0].map(|most| taken(&[with, another], nothing, most).memory >> 20);
        assert!(both.iter().all(|both| (50..90).contains(both)), "{both:?} MiB");
        for program in &mut programs {
            drop(program.stdin.take());
            program.wait().unwrap();
        }
    }
}
