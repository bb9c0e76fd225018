//! Groups of processes that the kernel limits as a whole: control groups, version 2 (the kernel's admin-guide/cgroup-v2). They are used
//! only if systemd (`Delegate=yes`) or a container has delegated the group of this process to it.

use std::{
    fs, io,
    path::{Path, PathBuf},
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process};
use uuid::Uuid;

/// The group for this process itself. It needs one, because a group that limits others cannot have processes of its own.
const OWN: &str = "server";
/// The prefix of the names of groups that this process makes.
const PREFIX: &str = "member-";
/// How often we try to remove a group whose processes are about to end, and the time between two attempts.
const TRIES: usize = 100;
const PAUSE: Duration = Duration::from_millis(2);

/// The group that has been delegated to this process; cheap to clone.
#[derive(Debug, Clone)]
pub struct Delegated {
    folder: PathBuf,
    /// Whether groups limit memory, and the number of processes.
    memory: bool,
    processes: bool,
}

/// The limits of a group; `None` is no limit.
#[derive(Debug, Clone, Copy, Default)]
pub struct Most {
    /// Memory, in bytes: that of processes, shared memory, and the kernel's memory for them.
    pub memory: Option<u64>,
    /// Processes and threads.
    pub processes: Option<u64>,
}

/// A group.
#[derive(Debug)]
pub struct Cgroup {
    folder: PathBuf,
}

impl Delegated {
    /// Takes over the group of this process, if it may: moves this process into a group below it, and removes groups that an earlier server
    /// has left there.
    #[must_use]
    pub fn take() -> Option<Self> {
        let own = fs::read_to_string("/proc/self/cgroup").ok()?;
        let mounts = fs::read_to_string("/proc/self/mountinfo").ok()?;
        Self::take_at(&own_folder(&own, &mounts)?)
    }

    fn take_at(folder: &Path) -> Option<Self> {
        // An earlier server that started this one has put itself into this group.
        let folder = if folder.file_name()? == OWN { folder.parent()? } else { folder };
        // The machine's own root group has no such file, and nobody can delegate it.
        if !folder.join("cgroup.events").exists() || !is_delegated(folder) {
            return None;
        }
        let own = folder.join(OWN);
        if let Err(error) = fs::create_dir(&own)
            && error.kind() != io::ErrorKind::AlreadyExists
        {
            return None;
        }
        // Repeated, because a process may fork while others are being moved.
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
    /// Errors of the system.
    pub fn group(&self, most: Most) -> io::Result<Cgroup> {
        let group = Cgroup { folder: self.folder.join(format!("{PREFIX}{}", Uuid::new_v4())) };
        fs::create_dir(&group.folder)?;
        if let Some(memory) = most.memory.filter(|_| self.memory) {
            fs::write(group.folder.join("memory.max"), memory.to_string())?;
            // All processes are killed together: if the kernel killed only one for lack of memory, the others would have to go on without
            // it.
            fs::write(group.folder.join("memory.oom.group"), "1")?;
            // The file does not exist on a machine without swap.
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
                drop(Cgroup { folder: entry.path() });
            }
        }
    }
}

impl Cgroup {
    /// The file to which a process writes `0` to join the group.
    #[must_use]
    pub fn members(&self) -> PathBuf {
        self.folder.join("cgroup.procs")
    }

    /// Whether the kernel has killed a process of the group for lack of memory.
    #[must_use]
    pub fn ran_out_of_memory(&self) -> bool {
        let events = fs::read_to_string(self.folder.join("memory.events")).unwrap_or_default();
        events.lines().filter_map(|line| line.strip_prefix("oom_kill ")).any(|count| count.trim() != "0")
    }

    /// Kills all processes of the group, also those that have left their session or process group.
    pub fn kill(&self) {
        if fs::write(self.folder.join("cgroup.kill"), "1").is_ok() {
            return;
        }
        // Linux before 5.14 cannot kill a group, so its processes are killed one by one.
        let members = fs::read_to_string(self.members()).unwrap_or_default();
        for pid in members.split_whitespace().filter_map(|pid| Pid::from_raw(pid.parse().ok()?)) {
            let _ = kill_process(pid, Signal::KILL);
        }
    }
}

/// Kills the processes of the group, and removes it when they have ended. May block for a moment.
impl Drop for Cgroup {
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

/// Whether this process may divide a group. Root can write to any group, but must divide only those that systemd has marked as delegated
/// (its document CGROUP_DELEGATION). The root group of a container has no mark, but nobody else uses it.
fn is_delegated(folder: &Path) -> bool {
    let mut mark = [0; 1];
    let is_marked = ["user.delegate", "trusted.delegate"]
        .into_iter()
        .any(|name| rustix::fs::getxattr(folder, name, &mut mark).is_ok_and(|length| length == 1) && mark == *b"1");
    let is_root_of_container = folder.parent().is_some_and(|parent| !parent.join("cgroup.procs").exists());
    is_marked || is_root_of_container || !rustix::process::geteuid().is_root()
}

/// Moves all processes of a group into another; returns how many there were.
fn move_all(from: &Path, to: &Path) -> io::Result<usize> {
    let members = fs::read_to_string(from.join("cgroup.procs"))?;
    for pid in members.split_whitespace() {
        match fs::write(to.join("cgroup.procs"), pid) {
            // The process has ended meanwhile.
            Err(error) if error.raw_os_error() == Some(libc::ESRCH) => {}
            moved => moved?,
        }
    }
    Ok(members.split_whitespace().count())
}

/// The folder of this process's group: `0::/path`, below the mount of type cgroup2 (cgroups(7), proc(5)).
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
