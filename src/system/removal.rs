//! Removes a folder that somebody else has filled, perhaps in order to harm the process that removes it.
//!
//! It does not descend into subfolders. It moves each of them up into the folder that is being removed, and empties it there. So neither
//! the stack nor the number of descriptors depends on the depth, and no path is longer than two names. Obstacles to moving or removing an
//! entry are cleared away: mode bits, the attributes immutable and append-only, mounts. The content of a mount stays.

use std::{
    ffi::{CStr, CString},
    io,
    os::fd::{AsFd, AsRawFd, OwnedFd},
    path::{Path, PathBuf},
};

use rustix::{
    fs::{
        AtFlags, CWD, Dir, FileType, IFlags, Mode, OFlags, RenameFlags, StatxFlags, fchmod, ioctl_getflags, ioctl_setflags, openat,
        renameat_with, statat, statx, unlinkat,
    },
    io::Errno,
    mount::{UnmountFlags, unmount},
};
use uuid::Uuid;

/// The flags for opening a folder.
const FOLDER: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// A removal in steps, so that one that takes long does not delay others.
#[derive(Debug)]
pub struct Removal {
    path: PathBuf,
    state: State,
}

#[derive(Debug)]
enum State {
    New,
    Open(Box<Emptying>),
    Done,
}

/// A folder that is being emptied.
#[derive(Debug)]
struct Emptying {
    root: OwnedFd,
    mount: u64,
    /// Its entries.
    list: Dir,
    /// The subfolder that is being emptied, and its entries.
    inner: Option<(CString, Dir)>,
    /// Whether anything was removed since the list was begun.
    progress: bool,
    /// Why something could not be removed since then.
    failure: Option<Errno>,
}

/// Removes a file or a folder at once. It is no error if there is none.
///
/// # Errors
/// Errors of the system, if something cannot be removed.
pub fn remove(path: &Path) -> io::Result<()> {
    let mut removal = Removal::new(path.to_owned());
    while !removal.step(1_000)? {}
    Ok(())
}

impl Removal {
    /// Removes the file or folder at `path`. Only this process may be able to change the folder above it.
    #[must_use]
    pub fn new(path: PathBuf) -> Self {
        Self { path, state: State::New }
    }

    /// Removes about `entries` entries; true when nothing is left.
    ///
    /// # Errors
    /// Errors of the system, if something cannot be removed; everything else is gone then.
    pub fn step(&mut self, entries: usize) -> io::Result<bool> {
        match &mut self.state {
            State::New => match open(&self.path) {
                Ok(Some(emptying)) => self.state = State::Open(Box::new(emptying)),
                Ok(None) | Err(Errno::NOENT) => self.state = State::Done,
                Err(error) => return Err(error.into()),
            },
            State::Open(emptying) => {
                if emptying.step(entries, &self.path)? {
                    self.state = State::Done;
                }
            }
            State::Done => {}
        }
        Ok(matches!(self.state, State::Done))
    }
}

/// Moves everything in a folder into its subfolder `aside`, so that it can be removed while others already use the folder. Returns the
/// paths to be removed. Entries that cannot be moved stay where they are.
///
/// # Errors
/// Errors of the system, when the folder cannot be read, or nothing can be made there.
pub fn set_aside(folder: &Path, aside: &Path) -> io::Result<Vec<PathBuf>> {
    use std::os::unix::fs::DirBuilderExt;
    let entries: Vec<_> = std::fs::read_dir(folder)?.flatten().map(|entry| entry.path()).collect();
    if entries.is_empty() {
        return Ok(Vec::new());
    }
    match std::fs::DirBuilder::new().mode(0o700).create(aside) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    for path in entries.iter().filter(|&path| path != aside) {
        if let Err(error) = std::fs::rename(path, aside.join(Uuid::new_v4().to_string())) {
            tracing::warn!(path = %path.display(), %error, "what an earlier run has left stays where it is");
        }
    }
    Ok(std::fs::read_dir(aside)?.flatten().map(|entry| entry.path()).collect())
}

/// Opens a folder. If the path is something else, it is removed.
fn open(path: &Path) -> rustix::io::Result<Option<Emptying>> {
    let root = match openat(CWD, path, FOLDER, Mode::empty()) {
        Ok(root) => root,
        Err(Errno::NOTDIR | Errno::LOOP | Errno::MLINK) => return remove_file(path).map(|()| None),
        Err(Errno::ACCESS) => {
            unlock(CWD, path);
            openat(CWD, path, FOLDER, Mode::empty())?
        }
        Err(error) => return Err(error),
    };
    let (mount, list) = (mount_of(&root)?, Dir::read_from(&root)?);
    Ok(Some(Emptying { root, mount, list, inner: None, progress: false, failure: None }))
}

fn remove_file(path: &Path) -> rustix::io::Result<()> {
    unlinkat(CWD, path, AtFlags::empty()).or_else(|_| {
        unlock(CWD, path);
        unlinkat(CWD, path, AtFlags::empty())
    })
}

impl Emptying {
    /// Removes about `entries` entries; true when nothing is left, including the folder at `path`.
    fn step(&mut self, entries: usize, path: &Path) -> io::Result<bool> {
        for _ in 0..entries {
            if let Some((name, inner)) = &mut self.inner {
                match inner.next() {
                    Some(Ok(entry)) if is_dot(entry.file_name()) => {}
                    Some(Ok(entry)) => {
                        let taken = take_out(&self.root, inner.fd()?, entry.file_name(), entry.file_type());
                        self.settle(taken);
                    }
                    Some(Err(error)) => {
                        self.failure = Some(error);
                        self.inner = None;
                    }
                    None => {
                        let name = std::mem::take(name);
                        self.inner = None;
                        self.attempt(&name, |this| unlinkat(&this.root, &name, AtFlags::REMOVEDIR));
                    }
                }
                continue;
            }
            match self.list.next() {
                Some(Ok(entry)) => {
                    let (name, kind) = (entry.file_name().to_owned(), entry.file_type());
                    self.enter_or_remove(&name, kind);
                }
                Some(Err(error)) => return Err(error.into()),
                None => {
                    if self.finish(path)? {
                        return Ok(true);
                    }
                }
            }
        }
        Ok(false)
    }

    /// Opens a subfolder of the root, to empty it. If the entry is something else, it is removed.
    fn enter_or_remove(&mut self, name: &CStr, kind: FileType) {
        if is_dot(name) {
            return;
        }
        if kind != FileType::Directory && unlinkat(&self.root, name, AtFlags::empty()).is_ok() {
            self.progress = true;
            return;
        }
        let opened = openat(&self.root, name, FOLDER, Mode::empty()).or_else(|_| {
            unlock(&self.root, name);
            openat(&self.root, name, FOLDER, Mode::empty())
        });
        match opened {
            Ok(folder) if mount_of(&folder) != Ok(self.mount) => {
                // Closed first, because an open mount cannot be detached.
                drop(folder);
                let detached = detach(&self.root, name);
                self.settle(detached);
            }
            Ok(folder) => match Dir::new(folder) {
                Ok(list) => self.inner = Some((name.to_owned(), list)),
                Err(error) => self.failure = Some(error),
            },
            Err(Errno::NOTDIR | Errno::LOOP | Errno::MLINK) => self.attempt(name, |this| unlinkat(&this.root, name, AtFlags::empty())),
            Err(Errno::NOENT) => self.progress = true,
            Err(error) => self.failure = Some(error),
        }
    }

    /// Tries an action on an entry of the root.
    fn attempt(&mut self, name: &CStr, action: impl Fn(&Self) -> rustix::io::Result<()>) {
        let done = persistently(&self.root, name, || action(self));
        self.settle(done);
    }

    fn settle(&mut self, done: rustix::io::Result<()>) {
        match done {
            Ok(()) | Err(Errno::NOENT) => self.progress = true,
            Err(error) => self.failure = Some(error),
        }
    }

    /// Called at the end of the list: the folder is removed, or its entries are listed once more.
    fn finish(&mut self, path: &Path) -> io::Result<bool> {
        let removed = unlinkat(CWD, path, AtFlags::REMOVEDIR).or_else(|error| {
            if matches!(error, Errno::ACCESS | Errno::PERM) {
                free(&self.root);
            }
            unlinkat(CWD, path, AtFlags::REMOVEDIR)
        });
        match removed {
            Ok(()) | Err(Errno::NOENT) => return Ok(true),
            Err(error) if !self.progress => return Err(self.failure.unwrap_or(error).into()),
            Err(_) => {}
        }
        self.list = Dir::read_from(&self.root)?;
        (self.progress, self.failure) = (false, None);
        Ok(false)
    }
}

/// Removes an entry of a subfolder of the root, or moves it up if it is a folder itself.
fn take_out(root: impl AsFd, folder: impl AsFd, name: &CStr, kind: FileType) -> rustix::io::Result<()> {
    let is_folder = match kind {
        FileType::Unknown => FileType::from_raw_mode(statat(&folder, name, AtFlags::SYMLINK_NOFOLLOW)?.st_mode) == FileType::Directory,
        kind => kind == FileType::Directory,
    };
    persistently(&folder, name, || {
        if is_folder {
            renameat_with(&folder, name, &root, Uuid::new_v4().to_string(), RenameFlags::NOREPLACE)
        } else {
            unlinkat(&folder, name, AtFlags::empty())
        }
    })
}

/// Tries an action on an entry of a folder, and if it fails, once more after possible obstacles are cleared away.
fn persistently(folder: impl AsFd, name: &CStr, action: impl Fn() -> rustix::io::Result<()>) -> rustix::io::Result<()> {
    let mut done = action();
    if done == Err(Errno::BUSY) {
        done = detach(&folder, name).and_then(|()| action());
    }
    if matches!(done, Err(Errno::ACCESS | Errno::PERM)) {
        free(&folder);
        unlock(&folder, name);
        done = action();
    }
    done
}

fn is_dot(name: &CStr) -> bool {
    matches!(name.to_bytes(), b"." | b"..")
}

/// The number of the mount that a file is on, or of its device if the kernel has no such number.
fn mount_of(file: impl AsFd) -> rustix::io::Result<u64> {
    let status = statx(file, c"", AtFlags::EMPTY_PATH, StatxFlags::MNT_ID)?;
    let device = u64::from(status.stx_dev_major) << 32 | u64::from(status.stx_dev_minor);
    Ok(if status.stx_mask & StatxFlags::MNT_ID.bits() == 0 { device } else { status.stx_mnt_id })
}

/// Detaches a mount from an entry of a folder.
fn detach(folder: impl AsFd, name: &CStr) -> rustix::io::Result<()> {
    let mut path = format!("/proc/self/fd/{}/", folder.as_fd().as_raw_fd()).into_bytes();
    path.extend_from_slice(name.to_bytes());
    unmount(path, UnmountFlags::DETACH | UnmountFlags::NOFOLLOW)
}

/// Lets this process change the entries of an open folder, if it may.
fn free(folder: impl AsFd) {
    let _ = clear_attributes(&folder);
    let _ = fchmod(folder, Mode::RWXU);
}

/// Lets this process read and change an entry of a folder, if it may. Links are not followed, and a pipe does not make it wait.
pub(super) fn unlock(folder: impl AsFd, name: impl rustix::path::Arg + Copy) {
    let flags = OFlags::NOFOLLOW | OFlags::CLOEXEC;
    if let Ok(entry) = openat(&folder, name, flags | OFlags::PATH, Mode::empty())
        && statx(&entry, c"", AtFlags::EMPTY_PATH, StatxFlags::TYPE)
            .is_ok_and(|status| FileType::from_raw_mode(status.stx_mode.into()) == FileType::Directory)
    {
        let _ = rustix::fs::chmodat(CWD, format!("/proc/self/fd/{}", entry.as_raw_fd()), Mode::RWXU, AtFlags::empty());
    }
    if let Ok(entry) = openat(&folder, name, flags | OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY, Mode::empty()) {
        let _ = clear_attributes(entry);
    }
}

fn clear_attributes(file: impl AsFd) -> rustix::io::Result<()> {
    let kept = IFlags::IMMUTABLE | IFlags::APPEND;
    let flags = ioctl_getflags(&file)?;
    if flags.intersects(kept) { ioctl_setflags(file, flags - kept) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{fs, os::unix::fs::PermissionsExt};

    /// A folder in a folder, and so on.
    fn make_deep(folder: &Path, depth: usize) {
        let mut at = openat(CWD, folder, FOLDER, Mode::empty()).unwrap();
        for _ in 0..depth {
            rustix::fs::mkdirat(&at, "d", Mode::RWXU).unwrap();
            at = openat(&at, "d", FOLDER, Mode::empty()).unwrap();
        }
        drop(openat(&at, "file", OFlags::CREATE | OFlags::WRONLY, Mode::RUSR).unwrap());
    }

    #[test]
    fn a_tree_of_any_depth_is_removed() {
        let folder = tempfile::tempdir().unwrap();
        let doomed = folder.path().join("doomed");
        fs::create_dir(&doomed).unwrap();
        make_deep(&doomed, 20_000);
        fs::write(folder.path().join("kept"), "").unwrap();
        remove(&doomed).unwrap();
        assert!(!doomed.exists() && folder.path().join("kept").exists());
        remove(&doomed).unwrap();
    }

    #[test]
    fn links_are_removed_and_what_they_lead_to_stays() {
        let folder = tempfile::tempdir().unwrap();
        let (doomed, kept) = (folder.path().join("doomed"), folder.path().join("kept"));
        fs::create_dir_all(doomed.join("sub")).unwrap();
        fs::create_dir(&kept).unwrap();
        fs::write(kept.join("file"), "").unwrap();
        for link in [doomed.join("link"), doomed.join("sub/link"), folder.path().join("link")] {
            std::os::unix::fs::symlink(&kept, link).unwrap();
        }
        remove(&doomed).unwrap();
        remove(&folder.path().join("link")).unwrap();
        assert!(!doomed.exists() && kept.join("file").exists() && !folder.path().join("link").exists());
    }

    #[test]
    fn mode_bits_are_no_hindrance() {
        let folder = tempfile::tempdir().unwrap();
        let doomed = folder.path().join("doomed");
        fs::create_dir_all(doomed.join("a/b/c")).unwrap();
        fs::write(doomed.join("a/b/file"), "").unwrap();
        for path in ["a/b/c", "a/b", "a", ""] {
            fs::set_permissions(doomed.join(path), fs::Permissions::from_mode(0o000)).unwrap();
        }
        remove(&doomed).unwrap();
        assert!(!doomed.exists());
    }

    #[test]
    fn a_wide_tree_is_removed_in_steps() {
        let folder = tempfile::tempdir().unwrap();
        let doomed = folder.path().join("doomed");
        for sub in 0..20 {
            fs::create_dir_all(doomed.join(format!("{sub}/x/y"))).unwrap();
            (0..50).for_each(|file| fs::write(doomed.join(format!("{sub}/x/{file}")), "").unwrap());
        }
        let mut removal = Removal::new(doomed.clone());
        let mut steps = 0;
        while !removal.step(10).unwrap() {
            steps += 1;
        }
        assert!(!doomed.exists() && steps > 100);
    }

    #[test]
    fn a_mount_is_taken_away_and_what_is_on_it_stays() {
        if !rustix::process::geteuid().is_root() {
            return; // Only root can mount.
        }
        let folder = tempfile::tempdir().unwrap();
        let doomed = folder.path().join("doomed");
        fs::create_dir_all(doomed.join("sub/mounted")).unwrap();
        fs::write(folder.path().join("kept"), "").unwrap();
        let mounted = rustix::mount::mount_bind(folder.path(), doomed.join("sub/mounted"));
        if mounted.is_ok() {
            remove(&doomed).unwrap();
            assert!(!doomed.exists() && folder.path().join("kept").exists());
        }
    }

    #[test]
    fn what_is_in_the_way_is_set_aside() {
        let folder = tempfile::tempdir().unwrap();
        let aside = folder.path().join("gone");
        fs::create_dir_all(folder.path().join("old/deep")).unwrap();
        fs::write(folder.path().join("file"), "").unwrap();
        assert_eq!(set_aside(folder.path(), &aside).unwrap().len(), 2);
        let left: Vec<_> = fs::read_dir(folder.path()).unwrap().flatten().map(|entry| entry.path()).collect();
        assert_eq!(left, std::slice::from_ref(&aside));
        // A folder that was not removed yet is found again.
        assert_eq!(set_aside(folder.path(), &aside).unwrap().len(), 2);
    }
}
