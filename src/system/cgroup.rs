//! Groups of processes that the kernel limits as a whole: control groups, version 2 (the kernel's
//! admin-guide/cgroup-v2). They are used where the group that this process is in has been delegated to it, by systemd
//! (`Delegate=yes`) or by a container.

use std::{
    fs, io,
    path::{Path, PathBuf},
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process};
use uuid::Uuid;

/// The group for this process itself: one that limits others has no processes of its own.
const OWN: &str = "server";
/// What the names of groups begin with that this process makes.
const PREFIX: &str = "member-";
/// How often a group is removed whose processes are about to end, and the time between.
const TRIES: usize = 100;
const PAUSE: Duration = Duration::from_millis(2);

/// The group that has been delegated to this process; cheap to clone.
#[derive(Debug, Clone)]
pub struct Delegated {
    folder: PathBuf,
    /// Whether memory is limited, and the number of processes.
    memory: bool,
    processes: bool,
}

/// What a group may use; `None` is no limit.
#[derive(Debug, Clone, Copy, Default)]
pub struct Most {
    /// Memory, in bytes: that of processes, shared memory, and what the kernel keeps for them.
    pub memory: Option<u64>,
    /// Processes and threads.
    pub processes: Option<u64>,
}

/// A group.
#[derive(Debug)]
pub struct Group {
    folder: PathBuf,
}

impl Delegated {
    /// Takes possession of the group that this process is in, if it may: moves this process into a group below it, and
    /// removes what an earlier one has left there.
    #[must_use]
    pub fn take() -> Option<Self> {
        let own = fs::read_to_string("/proc/self/cgroup").ok()?;
        let mounts = fs::read_to_string("/proc/self/mountinfo").ok()?;
        Self::take_at(&own_folder(&own, &mounts)?)
    }

    fn take_at(folder: &Path) -> Option<Self> {
        // The one in which an earlier server has put itself, which has started this one.
        let folder = if folder.file_name()? == OWN { folder.parent()? } else { folder };
        // The machine's own root has no such file, and is nobody's to delegate.
        if !folder.join("cgroup.events").exists() || !is_delegated(folder) {
            return None;
        }
        let own = folder.join(OWN);
        if let Err(error) = fs::create_dir(&own)
            && error.kind() != io::ErrorKind::AlreadyExists
        {
            return None;
        }
        // One of those that are moved may have made another meanwhile.
        for _ in 0..TRIES {
            if move_all(folder, &own).ok()? == 0 {
                break;
            }
        }
        let given = fs::read_to_string(folder.join("cgroup.controllers")).unwrap_or_default();
        let enabled = |controller: &str| {
            given.split_whitespace().any(|name| name == controller)
                && fs::write(folder.join("cgroup.subtree_control"), format!("+{controller}")).is_ok()
        };
        let delegated = Self { memory: enabled("memory"), processes: enabled("pids"), folder: folder.to_owned() };
        delegated.remove_left();
        Some(delegated)
    }

    /// Whether groups limit memory, shared memory included.
    #[must_use]
    pub fn limits_memory(&self) -> bool {
        self.memory
    }

    /// Whether groups limit the number of processes.
    #[must_use]
    pub fn limits_processes(&self) -> bool {
        self.processes
    }

    /// Makes a group.
    ///
    /// # Errors
    /// The system's.
    pub fn group(&self, most: Most) -> io::Result<Group> {
        let group = Group { folder: self.folder.join(format!("{PREFIX}{}", Uuid::new_v4())) };
        fs::create_dir(&group.folder)?;
        if let Some(memory) = most.memory.filter(|_| self.memory) {
            fs::write(group.folder.join("memory.max"), memory.to_string())?;
            // One of the group that is killed for want of memory would leave the others without it.
            fs::write(group.folder.join("memory.oom.group"), "1")?;
            // Where there is no swap, there is no such file.
            let _ = fs::write(group.folder.join("memory.swap.max"), "0");
        }
        if let Some(processes) = most.processes.filter(|_| self.processes) {
            fs::write(group.folder.join("pids.max"), processes.to_string())?;
        }
        Ok(group)
    }

    fn remove_left(&self) {
        for entry in fs::read_dir(&self.folder).into_iter().flatten().flatten() {
            if entry.file_name().to_string_lossy().starts_with(PREFIX) {
                drop(Group { folder: entry.path() });
            }
        }
    }
}

impl Group {
    /// Where a process writes `0` to become a member.
    #[must_use]
    pub fn members(&self) -> PathBuf {
        self.folder.join("cgroup.procs")
    }

    /// Whether a process of the group was killed for want of memory.
    #[must_use]
    pub fn ran_out_of_memory(&self) -> bool {
        let events = fs::read_to_string(self.folder.join("memory.events")).unwrap_or_default();
        events.lines().filter_map(|line| line.strip_prefix("oom_kill ")).any(|count| count.trim() != "0")
    }

    /// Kills all members, wherever they have hidden.
    pub fn kill(&self) {
        if fs::write(self.folder.join("cgroup.kill"), "1").is_ok() {
            return;
        }
        // Before Linux 5.14, one by one.
        let members = fs::read_to_string(self.members()).unwrap_or_default();
        for pid in members.split_whitespace().filter_map(|pid| Pid::from_raw(pid.parse().ok()?)) {
            let _ = kill_process(pid, Signal::KILL);
        }
    }
}

/// Ends the group: its members are killed, and it is removed when they have ended. May block for a moment.
impl Drop for Group {
    fn drop(&mut self) {
        for _ in 0..TRIES {
            match fs::remove_dir(&self.folder) {
                Err(error) if error.kind() == io::ErrorKind::ResourceBusy => {
                    self.kill();
                    std::thread::sleep(PAUSE);
                }
                _ => return,
            }
        }
        tracing::warn!(group = %self.folder.display(), "a control group is left with processes that do not end");
    }
}

/// Whether a group is this process's to divide. Root may write to any, and must not: systemd marks those that are
/// delegated (its document CGROUP_DELEGATION). The root of a container's own hierarchy has no mark, and nobody else.
fn is_delegated(folder: &Path) -> bool {
    let mut mark = [0; 1];
    let is_marked = ["user.delegate", "trusted.delegate"]
        .into_iter()
        .any(|name| rustix::fs::getxattr(folder, name, &mut mark).is_ok_and(|length| length == 1) && mark == *b"1");
    let is_root_of_container = folder.parent().is_some_and(|parent| !parent.join("cgroup.procs").exists());
    is_marked || is_root_of_container || !rustix::process::geteuid().is_root()
}

/// Moves all processes of a group into another; how many there were.
fn move_all(from: &Path, to: &Path) -> io::Result<usize> {
    let members = fs::read_to_string(from.join("cgroup.procs"))?;
    for pid in members.split_whitespace() {
        match fs::write(to.join("cgroup.procs"), pid) {
            // It has ended meanwhile.
            Err(error) if error.raw_os_error() == Some(libc::ESRCH) => {}
            moved => moved?,
        }
    }
    Ok(members.split_whitespace().count())
}

/// Where the group of this process is: `0::/path`, below the mount of type cgroup2 (cgroups(7), proc(5)).
fn own_folder(own: &str, mounts: &str) -> Option<PathBuf> {
    let path = own.lines().find_map(|line| line.strip_prefix("0::/"))?;
    let mount = mounts.lines().find_map(|line| {
        let (before, after) = line.split_once(" - ")?;
        let mut fields = before.split(' ').skip(3);
        let (root, place) = (fields.next()?, fields.next()?);
        (after.split(' ').next() == Some("cgroup2") && root == "/").then_some(place)
    })?;
    Some(Path::new(mount).join(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_own_group_is_found_below_its_mount() {
        let mounts = "24 30 0:22 / /proc rw - proc proc rw\n38 31 0:35 / /sys/fs/cgroup/blkio rw,relatime - cgroup cgroup rw,blkio\n41 31 0:38 / /sys/fs/cgroup rw,relatime shared:4 - cgroup2 cgroup2 rw\n";
        let folder = |own| own_folder(own, mounts);
        assert_eq!(folder("3:memory:/x\n0::/system.slice/offshoot.service\n"), Some("/sys/fs/cgroup/system.slice/offshoot.service".into()));
        assert_eq!(folder("0::/\n"), Some("/sys/fs/cgroup/".into()));
        assert_eq!(folder("3:memory:/x\n"), None);
        assert_eq!(own_folder("0::/", "24 30 0:22 / /proc rw - proc proc rw\n"), None);
    }

    #[test]
    fn the_root_of_the_machine_is_not_delegated() {
        assert!(Delegated::take_at(tempfile::tempdir().unwrap().path()).is_none());
    }
}
