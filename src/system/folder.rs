//! Files below a folder that another user can write to.
//!
//! The kernel follows every path, from an open folder and beneath it, so that links cannot lead out, and exchanging a folder on the way
//! does not help an attacker (openat2(2), `RESOLVE_BENEATH`). No existing file is opened for writing: a file is written elsewhere, and
//! moved to its place when it is complete.

use std::{
    fs::File,
    io,
    os::{
        fd::{AsFd, OwnedFd},
        unix::fs::MetadataExt,
    },
    path::{Component, Path, PathBuf},
};

use rustix::{
    fs::{
        AtFlags, CWD, FileType, Gid, Mode, OFlags, RenameFlags, ResolveFlags, Uid, fchown, mkdirat, mknodat, openat, openat2,
        renameat_with, statat, unlinkat,
    },
    io::Errno,
};
use uuid::Uuid;

use super::{locks, names};

/// Bytes that a pipe holds.
const PIPE: usize = 1 << 20;
/// How often a path is followed again when it has changed on the way.
const TRIES: usize = 20;

/// Why a file could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// There is no such file.
    #[error("there is no such file")]
    Missing,
    /// The path names a folder.
    #[error("it is a folder")]
    Folder,
    /// There is a file already.
    #[error("there is a file already")]
    Exists,
    /// The path leads out of the folder, or to another user's file.
    #[error("the path leads out of the folder")]
    Outside,
    /// A folder in the path is a file, or cannot be made.
    #[error("a folder on the way cannot be made")]
    Parent,
    /// The file is larger than is allowed.
    #[error("the file is too large")]
    TooLarge,
    /// No file can have such a name.
    #[error("the name is too long")]
    TooLong,
    /// The system failed.
    #[error(transparent)]
    System(#[from] io::Error),
}

/// Whether the kernel can open paths beneath a folder. A filter may forbid it: a container's, or systemd's `RestrictSUIDSGID`. Then no file
/// below such a folder can be read or written.
#[must_use]
pub fn can_be_opened() -> bool {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    openat2(CWD, "/", flags, Mode::empty(), ResolveFlags::NO_SYMLINKS).is_ok()
}

/// A folder that a user writes to, and in which only the user's files count.
#[derive(Debug)]
pub struct Folder {
    root: OwnedFd,
    /// The folder above it, in which only this process can make anything.
    private: OwnedFd,
    /// The user and their group; `None` is this process's own.
    ids: Option<(u32, u32)>,
}

impl Folder {
    /// Opens the folder `path` below `private`. `ids` are the user who writes there and the user's group; `None` is this process's own.
    ///
    /// # Errors
    /// Errors of the system, also if the user has replaced the folder by something else.
    pub fn open(private: &Path, path: &Path, ids: Option<(u32, u32)>) -> io::Result<Self> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let private = openat(CWD, private, flags, Mode::empty())?;
        let root = openat2(&private, path, flags, Mode::empty(), ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS)?;
        Ok(Self { root, private, ids })
    }

    /// Opens a file for reading. A leading slash in the path means this folder.
    ///
    /// # Errors
    /// [`FileError`]
    pub fn read(&self, path: &str) -> Result<File, FileError> {
        let wants_folder = path.ends_with('/');
        let path = relative(path);
        if path.as_os_str().is_empty() {
            return Err(FileError::Folder);
        }
        // Not blocking, because a pipe without a writer would make the server wait for ever.
        let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
        let file = match self.follow(&path, flags) {
            Ok(file) => File::from(file),
            Err(Errno::NOENT | Errno::NOTDIR | Errno::NXIO | Errno::NAMETOOLONG) => return Err(FileError::Missing),
            Err(Errno::XDEV | Errno::LOOP) => return Err(FileError::Outside),
            Err(error) => return Err(FileError::System(error.into())),
        };
        let metadata = file.metadata()?;
        if metadata.is_dir() {
            return Err(FileError::Folder);
        }
        if !metadata.is_file() || wants_folder {
            return Err(FileError::Missing);
        }
        // The file may be a hard link to one that the user cannot read.
        if self.ids.is_some_and(|(user, _)| std::os::unix::fs::MetadataExt::uid(&metadata) != user) {
            return Err(FileError::Outside);
        }
        Ok(file)
    }

    /// Moves a draft to `path`, and makes the folders of that path. The draft may be from any folder of the same file system. A leading
    /// slash means this folder. From then on the file belongs to the user.
    ///
    /// # Errors
    /// [`FileError`]
    pub fn put_draft(&self, file: &File, draft: &Draft, path: &str, overwrite: bool) -> Result<(), FileError> {
        self.give(file)?;
        self.put(draft, path, overwrite)
    }

    fn put(&self, draft: &Draft, path: &str, overwrite: bool) -> Result<(), FileError> {
        let whole = relative(path);
        let (Some(name), false) = (whole.file_name(), path.ends_with('/')) else { return Err(FileError::Folder) };
        let parent = self.make_folders(whole.parent().unwrap_or(Path::new("")))?;
        match statat(&parent, name, AtFlags::SYMLINK_NOFOLLOW).map(|status| FileType::from_raw_mode(status.st_mode)) {
            Ok(FileType::Directory) => return Err(FileError::Folder),
            Ok(FileType::Symlink) => return Err(FileError::Outside),
            Ok(_) if !overwrite => return Err(FileError::Exists),
            Ok(_) | Err(Errno::NOENT) => {}
            Err(Errno::NAMETOOLONG) => return Err(FileError::TooLong),
            Err(error) => return Err(FileError::System(error.into())),
        }
        let flags = if overwrite { RenameFlags::empty() } else { RenameFlags::NOREPLACE };
        match renameat_with(&draft.private, &draft.name, &parent, name, flags) {
            Ok(()) => Ok(()),
            Err(Errno::EXIST) => Err(FileError::Exists),
            Err(Errno::ISDIR) => Err(FileError::Folder),
            Err(error) => Err(FileError::System(error.into())),
        }
    }

    /// Moves a regular file of at most `most` bytes out of this folder into `target`, which nobody else can reach. `new` is its name there,
    /// and must not exist yet. Returns its size.
    ///
    /// # Errors
    /// [`FileError`]; something that is not a file of the user's stays where it was, or is removed.
    pub fn give_away(&self, name: &str, most: u64, target: &Path, new: &str) -> Result<u64, FileError> {
        let target = openat(CWD, target, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty()).map_err(io::Error::from)?;
        let is_file = |folder: &OwnedFd, name: &str| match statat(folder, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(status) if FileType::from_raw_mode(status.st_mode) == FileType::Directory => Err(FileError::Folder),
            Ok(status) if FileType::from_raw_mode(status.st_mode) != FileType::RegularFile => Err(FileError::Missing),
            Ok(status) if self.ids.is_some_and(|(user, _)| user != status.st_uid) => Err(FileError::Outside),
            Ok(status) if u64::try_from(status.st_size).is_ok_and(|size| size > most) => Err(FileError::TooLarge),
            Ok(status) => Ok(u64::try_from(status.st_size).unwrap_or(0)),
            Err(Errno::NOENT) => Err(FileError::Missing),
            Err(error) => Err(FileError::System(error.into())),
        };
        is_file(&self.root, name)?;
        renameat_with(&self.root, name, &target, new, RenameFlags::NOREPLACE).map_err(io::Error::from)?;
        // The user may have exchanged the file just before the move, but can neither exchange nor write it after this check.
        is_file(&target, new).and_then(|_| self.seize(&target, new, most)).inspect_err(|error| {
            let back = match error {
                FileError::Folder => renameat_with(&target, new, &self.private, new, RenameFlags::NOREPLACE),
                _ => unlinkat(&target, new, AtFlags::empty()),
            };
            if let Err(error) = back {
                tracing::warn!(%error, "what was put in the place of a file could not be removed");
            }
        })
    }

    /// Makes a file this process's own. Its user may have it open, or have another name for it. Returns its size.
    fn seize(&self, folder: &OwnedFd, name: &str, most: u64) -> Result<u64, FileError> {
        let file =
            File::from(openat(folder, name, OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty()).map_err(io::Error::from)?);
        if self.ids.is_some() {
            fchown(&file, Some(rustix::process::geteuid()), Some(rustix::process::getegid())).map_err(io::Error::from)?;
        }
        let metadata = file.metadata()?;
        if metadata.nlink() != 1 || !locks::is_written_by_nobody(&file) {
            return Err(FileError::Outside);
        }
        if metadata.len() > most { Err(FileError::TooLarge) } else { Ok(metadata.len()) }
    }

    /// Opens the folder at `path`; makes it and the folders above it if necessary.
    fn make_folders(&self, path: &Path) -> Result<OwnedFd, FileError> {
        let wrong = |error| match error {
            Errno::XDEV | Errno::LOOP => FileError::Outside,
            Errno::NOTDIR | Errno::NOENT | Errno::EXIST | Errno::NAMETOOLONG => FileError::Parent,
            error => FileError::System(error.into()),
        };
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let mut folder = self.follow(Path::new("."), flags).map_err(wrong)?;
        let mut reached = PathBuf::new();
        for part in path.components() {
            reached.push(part);
            folder = match (self.follow(&reached, flags), part) {
                (Err(Errno::NOENT), Component::Normal(name)) => {
                    match mkdirat(&folder, name, Mode::RWXU) {
                        Ok(()) | Err(Errno::EXIST) => {}
                        Err(error) => return Err(wrong(error)),
                    }
                    let made = openat(&folder, name, flags | OFlags::NOFOLLOW, Mode::empty()).map_err(wrong)?;
                    self.give(&made)?;
                    made
                }
                (opened, _) => opened.map_err(wrong)?,
            };
        }
        Ok(folder)
    }

    /// Opens the file or folder at `path`, if it is beneath this folder.
    fn follow(&self, path: &Path, flags: OFlags) -> rustix::io::Result<OwnedFd> {
        let mut tries = 0;
        loop {
            match openat2(&self.root, path, flags, Mode::empty(), ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS) {
                // Something in the path was moved meanwhile, so the kernel cannot tell whether it is still beneath the folder.
                Err(Errno::AGAIN) if tries < TRIES => tries += 1,
                opened => return opened,
            }
        }
    }

    /// Makes the user the owner of a file or a folder.
    fn give(&self, file: impl AsFd) -> io::Result<()> {
        let Some((user, group)) = self.ids else { return Ok(()) };
        Ok(fchown(file, Some(Uid::from_raw(user)), Some(Gid::from_raw(group)))?)
    }
}

/// Makes a new file in a folder that only this process can reach. The caller writes it, and moves it to its place.
///
/// # Errors
/// Errors of the system.
pub fn draft(folder: &Path) -> io::Result<(File, Draft)> {
    let private = openat(CWD, folder, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
    let name = format!("draft-{}", Uuid::new_v4());
    let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
    let file = openat(&private, &name, flags, Mode::RUSR | Mode::WUSR)?;
    Ok((File::from(file), Draft { private, name }))
}

/// Makes a named pipe as a draft, and opens it for reading, which does not wait for anybody who writes.
///
/// # Errors
/// Errors of the system.
pub fn draft_pipe(folder: &Path) -> io::Result<(File, Draft)> {
    let private = openat(CWD, folder, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
    let name = format!("draft-{}", Uuid::new_v4());
    mknodat(&private, &name, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0)?;
    let draft = Draft { private, name };
    let pipe = openat(&draft.private, &draft.name, OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC, Mode::empty())?;
    // Fewer changes between writer and reader. A user of the system may have only so much memory in pipes.
    let _ = rustix::pipe::fcntl_setpipe_size(&pipe, PIPE);
    Ok((File::from(pipe), draft))
}

/// A file that is not at its place yet. It is removed when this is dropped, unless it was moved.
#[derive(Debug)]
pub struct Draft {
    private: OwnedFd,
    name: String,
}

impl Drop for Draft {
    fn drop(&mut self) {
        // After the move, there is no file with this name.
        let _ = unlinkat(&self.private, &self.name, AtFlags::empty());
    }
}

/// The path that a text means, relative to the folder, without a leading slash.
fn relative(path: &str) -> PathBuf {
    names::meant(path).components().filter(|part| !matches!(part, Component::RootDir | Component::CurDir)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{
        fs,
        io::{Read, Write},
        os::{fd::AsRawFd, unix::fs::symlink},
    };

    /// A private folder, and a folder in it to work in.
    fn folders() -> (tempfile::TempDir, Folder) {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("work")).unwrap();
        let work = Folder::open(folder.path(), Path::new("work"), None).unwrap();
        (folder, work)
    }

    fn put(work: &Folder, path: &str, text: &str, overwrite: bool) -> Result<(), FileError> {
        let private = format!("/proc/self/fd/{}", work.private.as_raw_fd());
        let (mut file, draft) = draft(Path::new(&private)).unwrap();
        file.write_all(text.as_bytes()).unwrap();
        work.put_draft(&file, &draft, path, overwrite)
    }

    fn read(work: &Folder, path: &str) -> Result<String, FileError> {
        let mut text = String::new();
        work.read(path)?.read_to_string(&mut text)?;
        Ok(text)
    }

    #[test]
    fn files_are_put_and_read() {
        let (folder, work) = folders();
        for path in ["a", "/b", "sub/deeper/c", "./d", "größe 1+1%", "sub/../e", ".hidden"] {
            put(&work, path, path, false).unwrap();
            assert_eq!(read(&work, path).unwrap(), path);
        }
        assert!(matches!(put(&work, "a", "2", false), Err(FileError::Exists)));
        put(&work, "a", "2", true).unwrap();
        assert_eq!(read(&work, "a").unwrap(), "2");
        assert!(matches!(put(&work, "sub", "", true), Err(FileError::Folder)));
        assert!(matches!(put(&work, "sub/", "", true), Err(FileError::Folder)));
        assert!(matches!(put(&work, "", "", true), Err(FileError::Folder)));
        assert!(matches!(put(&work, "a/b", "", true), Err(FileError::Parent)));
        assert!(matches!(read(&work, "absent"), Err(FileError::Missing)));
        assert!(matches!(read(&work, "sub"), Err(FileError::Folder)));
        assert!(matches!(read(&work, "/"), Err(FileError::Folder)));
        // Nothing is left behind.
        let left: Vec<_> = fs::read_dir(folder.path()).unwrap().flatten().map(|entry| entry.file_name()).collect();
        assert_eq!(left, ["work"]);
    }

    #[test]
    fn links_lead_nowhere_outside() {
        let (folder, work) = folders();
        let inside = folder.path().join("work");
        fs::write(folder.path().join("secret"), "secret").unwrap();
        fs::create_dir(inside.join("real")).unwrap();
        for (target, name) in
            [("../secret", "link"), ("..", "up"), ("/etc", "etc"), ("real", "alias"), ("loop", "loop"), ("new", "dangling")]
        {
            symlink(target, inside.join(name)).unwrap();
        }
        for path in ["link", "up/secret", "etc/passwd", "../secret", "/../secret", "real/../../secret", "loop", "up/work/../secret"] {
            assert!(matches!(read(&work, path), Err(FileError::Outside)), "{path}");
        }
        for path in ["link", "up/x", "etc/x", "../x", "loop", "dangling", "real/../../x"] {
            assert!(matches!(put(&work, path, "x", true), Err(FileError::Outside)), "{path}");
        }
        assert_eq!(fs::read_to_string(folder.path().join("secret")).unwrap(), "secret");
        // A link that stays inside the folder works like any other folder.
        put(&work, "alias/file", "x", false).unwrap();
        assert_eq!(fs::read_to_string(inside.join("real/file")).unwrap(), "x");
        // A link in place of the folder itself is not the user's folder.
        fs::rename(&inside, folder.path().join("moved")).unwrap();
        symlink("/etc", &inside).unwrap();
        assert!(Folder::open(folder.path(), Path::new("work"), None).is_err());
    }

    #[test]
    fn only_files_are_given_away_and_none_is_replaced() {
        let (folder, work) = folders();
        let target = tempfile::tempdir().unwrap();
        put(&work, "file", "mine", false).unwrap();
        fs::create_dir(folder.path().join("work/folder")).unwrap();
        symlink("/etc/passwd", folder.path().join("work/link")).unwrap();
        fs::write(target.path().join("taken"), "another's").unwrap();
        assert!(matches!(work.give_away("folder", 9, target.path(), "new"), Err(FileError::Folder)));
        assert!(matches!(work.give_away("link", 9, target.path(), "new"), Err(FileError::Missing)));
        assert!(matches!(work.give_away("absent", 9, target.path(), "new"), Err(FileError::Missing)));
        assert!(work.give_away("file", 9, target.path(), "taken").is_err());
        assert!(matches!(work.give_away("file", 3, target.path(), "new"), Err(FileError::TooLarge)));
        assert_eq!(fs::read_to_string(target.path().join("taken")).unwrap(), "another's");
        assert_eq!(work.give_away("file", 4, target.path(), "new").unwrap(), 4);
        assert_eq!(fs::read_to_string(target.path().join("new")).unwrap(), "mine");
        assert!(matches!(read(&work, "file"), Err(FileError::Missing)));
    }

    #[test]
    fn pipes_do_not_hold_the_server() {
        let (folder, work) = folders();
        let pipe = folder.path().join("work/pipe");
        rustix::fs::mknodat(CWD, &pipe, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
        assert!(matches!(read(&work, "pipe"), Err(FileError::Missing)));
    }
}
