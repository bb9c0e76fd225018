//! The places of a machine that sessions use: those that everybody may read.

use std::{
    collections::BTreeSet,
    fs,
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::{Path, PathBuf},
    time::SystemTime,
};

use crate::{
    r::{self, exec::RError},
    system::processes,
};

/// Programs, libraries, fonts and settings of the system. Where programs look for what they need to run.
const SYSTEM: [&str; 16] = [
    "/usr",
    "/bin",
    "/sbin",
    "/lib",
    "/lib32",
    "/lib64",
    "/libx32",
    "/opt",
    "/nix/store",
    "/gnu/store",
    // What is computed from what is there.
    "/var/cache/fontconfig",
    "/var/lib/ghostscript",
    "/var/lib/texmf",
    // Where /etc/resolv.conf leads to.
    "/run/systemd/resolve",
    "/run/resolvconf",
    "/run/NetworkManager",
];
/// The folder of settings, which may have secrets in it.
pub(super) const SETTINGS: &str = "/etc";
/// What the kernel tells everybody of the machine.
const KERNEL: [&str; 10] = [
    "/proc/cpuinfo",
    "/proc/meminfo",
    "/proc/stat",
    "/proc/loadavg",
    "/proc/uptime",
    "/proc/version",
    "/proc/filesystems",
    "/proc/vmstat",
    "/proc/cgroups",
    "/proc/sys",
];
/// What a process may read of itself. Not `net`, which tells of all processes.
pub(super) const OWN: [&str; 10] = ["cgroup", "fd", "limits", "maps", "mountinfo", "mounts", "smaps_rollup", "stat", "statm", "status"];
/// Devices that give nothing away.
pub(super) const DEVICES: [&str; 5] = ["/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom"];
/// Devices of terminals. They have owners, so they are for sessions with users of their own.
pub(super) const TERMINALS: [&str; 2] = ["/dev/ptmx", "/dev/pts"];
/// Where programs of the system have their sockets.
pub(super) const SOCKETS: &str = "/run";
/// Folders that everybody may write to: a session has its own in their places.
pub(super) const COMMON: [&str; 3] = ["/tmp", "/var/tmp", "/dev/shm"];

/// The places of the R that runs in this process: its own, its packages, its libraries and fonts.
pub(super) fn of_r() -> Result<Vec<PathBuf>, RError> {
    let of_r = r::scripts::ask(c"r_places", &[])?.into_iter().map(PathBuf::from);
    let fonts = r::fonts::places().unwrap_or_default();
    Ok(of_r.chain(fonts).chain(folders_of_libraries()).collect())
}

/// The places of the system that everybody may read, and others; none of them within another one.
pub(super) fn readable(others: impl Iterator<Item = PathBuf>) -> Vec<PathBuf> {
    let all = SYSTEM.into_iter().chain([SETTINGS]).map(PathBuf::from).chain(others);
    let all: BTreeSet<PathBuf> = all.filter_map(|path| path.canonicalize().ok()).filter(|path| path != Path::new("/")).collect();
    // Sorted, a folder comes before all that is in it.
    let mut places: Vec<PathBuf> = Vec::new();
    for path in all {
        if !places.last().is_some_and(|last| path.starts_with(last)) {
            places.push(path);
        }
    }
    places.extend(KERNEL.map(PathBuf::from));
    places
}

/// The folders of the libraries that this process has loaded.
fn folders_of_libraries() -> BTreeSet<PathBuf> {
    let maps = processes::read("/proc/self/maps").unwrap_or_default();
    let files = maps.lines().filter_map(|line| line.find('/').map(|at| Path::new(&line[at..])));
    let libraries = files.filter(|path| path.file_name().is_some_and(|name| name.to_string_lossy().contains(".so")));
    libraries.filter_map(Path::parent).map(Path::to_owned).collect()
}

/// When the folder of settings was last changed: something in it was made, removed or replaced.
pub(super) fn settings_changed() -> Option<SystemTime> {
    fs::metadata(SETTINGS).ok()?.modified().ok()
}

/// Settings of the system that this process could read though not everybody may: files and folders, without what is in these. More than
/// [`SETTINGS`] usually has are not looked at.
pub(super) fn private_settings() -> Vec<PathBuf> {
    const MOST: usize = 50_000;
    let mut private = Vec::new();
    let mut folders = vec![PathBuf::from(SETTINGS)];
    let mut seen = 0;
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            seen += 1;
            let Ok(metadata) = entry.metadata() else { continue };
            if seen > MOST || metadata.is_symlink() {
                continue;
            }
            let everybody = if metadata.is_dir() { 0o005 } else { 0o004 };
            if metadata.permissions().mode() & everybody == everybody {
                if metadata.is_dir() {
                    folders.push(entry.path());
                }
            } else if metadata.uid() != 0 || rustix::fs::access(entry.path(), rustix::fs::Access::READ_OK).is_ok() {
                private.push(entry.path());
            }
        }
    }
    private
}
