//! What a process has for itself alone, by namespaces (namespaces(7)): objects of System V, and a view of the file system in which some
//! places look empty and others are its own.

use std::{
    fs::{self, File},
    io,
    os::fd::OwnedFd,
    path::{Path, PathBuf},
};

use rustix::{
    fs::{CWD, Mode, StatVfsMountFlags, statvfs},
    mount::{
        MountFlags, MountPropagationFlags, MoveMountFlags, OpenTreeFlags, mount, mount_bind, mount_change, mount_remount, move_mount,
        open_tree,
    },
    process::{getgid, getuid, umask},
    thread::{CapabilitySet, CapabilitySets, UnshareFlags, capabilities, set_capabilities, unshare_unsafe},
};

/// The namespaces that root makes without one of users.
pub(super) const AS_ROOT: UnshareFlags = UnshareFlags::NEWNS.union(UnshareFlags::NEWIPC);

/// How a process sees the file system.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct View {
    /// Folders that look empty, and files that look like `/dev/null`.
    pub hidden: Vec<PathBuf>,
    /// What is there all the same in hidden and common folders.
    pub shown: Vec<Shown>,
    /// Folders in whose places the process has one of its own.
    pub common: Vec<PathBuf>,
}

/// The folders of one process.
#[derive(Debug, Clone, Copy)]
pub struct Own<'a> {
    /// Shown, even in a hidden folder.
    pub folder: &'a Path,
    /// Put in the places of common folders.
    pub common: &'a Path,
}

/// A folder or file, in a hidden or common folder, that is there all the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shown {
    /// Its path.
    pub place: PathBuf,
    /// Whether it, and files in it, may be changed.
    pub may_change: bool,
}

/// A step that the system refused.
#[derive(Debug, thiserror::Error)]
#[error("{step}")]
pub struct PrivateError {
    step: String,
    source: io::Error,
}

/// Whether this process may have namespaces without a namespace of users.
#[must_use]
pub fn is_privileged() -> bool {
    capabilities(None).is_ok_and(|own| own.effective.contains(CapabilitySet::SYS_ADMIN))
}

/// Gives this process namespaces of its own, with this view of the file system and its own folders in it. It has no rights in them but those
/// that it has now.
///
/// # Errors
/// [`PrivateError`]: many systems allow it to root alone, and some to nobody. Then nothing has changed, if it was the first step that
/// failed.
pub fn enter(view: &View, own: Option<Own<'_>>) -> Result<(), PrivateError> {
    let (user, group) = (getuid(), getgid());
    let is_privileged = is_privileged();
    // SAFETY: the tables of descriptors and of the file system stay shared with nobody, as before.
    #[expect(unsafe_code, reason = "for flags that are not given here")]
    unsafe { unshare_unsafe(if is_privileged { AS_ROOT } else { AS_ROOT | UnshareFlags::NEWUSER }) }.map_err(failed("namespaces"))?;
    if is_privileged {
        // What is mounted here must not be seen elsewhere. Namespaces of other users have this of themselves.
        mount_change("/", MountPropagationFlags::DOWNSTREAM | MountPropagationFlags::REC).map_err(failed("propagation of mounts"))?;
    } else {
        let mapped = |file: &str, line: String| fs::write(file, line).map_err(|source| PrivateError { step: file.to_owned(), source });
        mapped("/proc/self/setgroups", "deny".to_owned())?;
        mapped("/proc/self/uid_map", format!("{0} {0} 1", user.as_raw()))?;
        mapped("/proc/self/gid_map", format!("{0} {0} 1", group.as_raw()))?;
    }
    // Whoever this process becomes has to pass through what is made.
    let mask = umask(Mode::WGRP | Mode::WOTH);
    let looks = look(view, own);
    umask(mask);
    looks?;
    if !is_privileged {
        // In its namespace, it has had all rights until now.
        give_up_rights()?;
    }
    Ok(())
}

/// Gives up all rights of root (capabilities(7)) that this process has in its namespaces.
///
/// # Errors
/// [`PrivateError`]
pub fn give_up_rights() -> Result<(), PrivateError> {
    let none = CapabilitySet::empty();
    set_capabilities(None, CapabilitySets { effective: none, permitted: none, inheritable: none }).map_err(failed("rights"))
}

fn look(view: &View, own: Option<Own<'_>>) -> Result<(), PrivateError> {
    let at = |path: &Path| failed(path.display().to_string());
    let clone = |place: &Path| open_tree(CWD, place, OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC).map_err(at(place));
    let is_in_common = |path: &Path| view.common.iter().any(|common| path.starts_with(common));
    let is_hidden = |path: &Path| is_in_common(path) || view.hidden.iter().any(|hidden| path.starts_with(hidden));
    // Taken before anything is hidden.
    let own_folder = own.map(|own| (own.folder, true)).filter(|(folder, _)| is_hidden(folder));
    let shown = view.shown.iter().map(|shown| (shown.place.as_path(), shown.may_change)).chain(own_folder);
    let shown = shown.filter_map(|(place, may_change)| match clone(place) {
        // It was there when this view was made.
        Err(gone) if gone.source.kind() == io::ErrorKind::NotFound => None,
        tree => Some(tree.map(|tree| (place, may_change, place.is_dir(), tree))),
    });
    let shown = shown.collect::<Result<Vec<_>, PrivateError>>()?;
    let common = view.common.iter().filter_map(|place| Some((place, own?.common)));
    let common = common.map(|(place, own)| Ok((place, clone(own)?))).collect::<Result<Vec<_>, PrivateError>>()?;
    let mut empty: Vec<PathBuf> = Vec::new();
    // What is in a common folder is gone with that.
    for hidden in view.hidden.iter().filter(|hidden| !is_in_common(hidden)) {
        if hidden.is_dir() {
            make_empty(hidden)?;
            empty.push(hidden.to_owned());
        } else if hidden.exists() {
            mount_bind("/dev/null", hidden).map_err(at(hidden))?;
        }
    }
    for (place, tree) in common {
        put(tree, place)?;
    }
    for (place, may_change, is_folder, tree) in shown {
        // On the way to it, there is nothing else, and nothing can be made.
        let way = view.common.iter().find_map(|common| Some(common.join(place.strip_prefix(common).ok()?.iter().next()?)));
        if let Some(way) = way.filter(|way| way != place && !empty.contains(way)) {
            make_folder(&way)?;
            make_empty(&way)?;
            empty.push(way);
        }
        if is_folder {
            make_folder(place)?;
        } else {
            place.parent().map_or(Ok(()), make_folder)?;
            make_file(place)?;
        }
        put(tree, place)?;
        if !may_change {
            make_read_only(place)?;
        }
    }
    empty.iter().try_for_each(|folder| make_read_only(folder))
}

fn make_folder(folder: &Path) -> Result<(), PrivateError> {
    fs::create_dir_all(folder).map_err(|source| PrivateError { step: folder.display().to_string(), source })
}

fn make_file(file: &Path) -> Result<(), PrivateError> {
    match File::create_new(file) {
        Err(source) if source.kind() != io::ErrorKind::AlreadyExists => Err(PrivateError { step: file.display().to_string(), source }),
        _ => Ok(()),
    }
}

/// Makes a folder look empty.
fn make_empty(folder: &Path) -> Result<(), PrivateError> {
    let options = c"size=4k,nr_inodes=64,mode=0755";
    mount("tmpfs", folder, "tmpfs", MountFlags::NOSUID | MountFlags::NODEV, options).map_err(failed(folder.display().to_string()))
}

fn put(tree: OwnedFd, place: &Path) -> Result<(), PrivateError> {
    move_mount(tree, "", CWD, place, MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH).map_err(failed(place.display().to_string()))
}

/// Makes a mount read-only, and leaves its other properties as they are: only root could take them away.
fn make_read_only(place: &Path) -> Result<(), PrivateError> {
    let at = || failed(place.display().to_string());
    let now = statvfs(place).map_err(at())?.f_flag;
    let kept = [
        (StatVfsMountFlags::NOSUID, MountFlags::NOSUID),
        (StatVfsMountFlags::NODEV, MountFlags::NODEV),
        (StatVfsMountFlags::NOEXEC, MountFlags::NOEXEC),
        (StatVfsMountFlags::NOATIME, MountFlags::NOATIME),
        (StatVfsMountFlags::NODIRATIME, MountFlags::NODIRATIME),
        (StatVfsMountFlags::RELATIME, MountFlags::RELATIME),
    ];
    let flags = kept.iter().filter(|(has, _)| now.contains(*has)).fold(MountFlags::empty(), |flags, (_, flag)| flags | *flag);
    mount_remount(place, MountFlags::BIND | MountFlags::RDONLY | flags, "").map_err(at())
}

fn failed(step: impl Into<String>) -> impl FnOnce(rustix::io::Errno) -> PrivateError {
    let step = step.into();
    move |source| PrivateError { step, source: source.into() }
}
