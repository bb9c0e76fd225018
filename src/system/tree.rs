//! Measures a folder that another user fills.

use std::path::{Path, PathBuf};

use rustix::{
    fs::{AtFlags, CWD, Dir, FileType, Mode, OFlags, openat, statat},
    io::Errno,
};

use super::removal;

/// The unit of `st_blocks`, in bytes (stat(3type)).
pub(super) const BLOCK: u64 = 512;
/// The least that an entry counts, in bytes. It turns a limit on bytes into a limit on the number of entries as well.
const ENTRY: u64 = 4096;
/// The deepest nesting of folders that is measured. Each level takes a descriptor while it is read, and few programs can use paths that are
/// longer than this allows.
pub const DEPTH: usize = 250;

/// The size of a folder's content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Size {
    /// So many bytes.
    Bytes(u64),
    /// More than the limit that the caller gave.
    More,
    /// Folders are nested deeper than [`DEPTH`].
    Deep,
}

/// The size of a folder's content, without following links. Counting stops at `most` bytes. Entries that are removed meanwhile, or cannot
/// be read, are left out.
#[must_use]
pub fn size(folder: &Path, most: u64) -> Size {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let Ok(root) = openat(CWD, folder, flags, Mode::empty()).and_then(Dir::new) else { return Size::Bytes(0) };
    let (mut open, mut bytes) = (vec![root], 0);
    loop {
        let depth = open.len();
        let Some(folder) = open.last_mut() else { return Size::Bytes(bytes) };
        let Some(Ok(entry)) = folder.next() else {
            open.pop();
            continue;
        };
        let name = entry.file_name();
        if matches!(name.to_bytes(), b"." | b"..") {
            continue;
        }
        let Ok(descriptor) = folder.fd() else { continue };
        let Ok(status) = statat(descriptor, name, AtFlags::SYMLINK_NOFOLLOW) else { continue };
        bytes += (u64::try_from(status.st_blocks).unwrap_or(0) * BLOCK).max(ENTRY);
        if bytes > most {
            return Size::More;
        }
        if FileType::from_raw_mode(status.st_mode) == FileType::Directory {
            if depth > DEPTH {
                return Size::Deep;
            }
            let inner = openat(descriptor, name, flags, Mode::empty()).or_else(|error| match error {
                // The folder is closed to this process, which runs as the same user. It must not be a place to hide files.
                Errno::ACCESS => {
                    removal::unlock(descriptor, name);
                    openat(descriptor, name, flags, Mode::empty())
                }
                error => Err(error),
            });
            open.extend(inner.and_then(Dir::new));
        }
    }
}

/// How many bytes may be added to these folders in a file, until they have `most` bytes together. The file system's own index of the file
/// takes up to one in 300 bytes, if each block of the file is somewhere else, and counts, too.
#[must_use]
pub fn room(folders: impl IntoIterator<Item = PathBuf>, most: u64) -> u64 {
    let room = folders.into_iter().fold(most, |room, folder| match size(&folder, room) {
        Size::Bytes(taken) => room.saturating_sub(taken),
        Size::More | Size::Deep => 0,
    });
    room.saturating_sub(room / 256 + 2 * ENTRY)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn files_folders_and_their_number_count() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(size(folder.path(), 1 << 30), Size::Bytes(0));
        assert_eq!(size(&folder.path().join("absent"), 0), Size::Bytes(0));
        fs::create_dir_all(folder.path().join("a/b")).unwrap();
        fs::write(folder.path().join("a/b/large"), vec![1; 1 << 20]).unwrap();
        std::os::unix::fs::symlink("/", folder.path().join("link")).unwrap();
        let Size::Bytes(bytes) = size(folder.path(), 1 << 30) else { panic!("it is small") };
        assert!((1 << 20..3 << 20).contains(&bytes), "{bytes}");
        (0..100).for_each(|file| fs::write(folder.path().join(format!("{file}")), "").unwrap());
        assert_eq!(size(folder.path(), bytes + 50 * ENTRY), Size::More);
    }

    #[test]
    fn a_tree_that_is_too_deep_is_not_followed() {
        let folder = tempfile::tempdir().unwrap();
        let mut path = folder.path().to_owned();
        (0..=DEPTH).for_each(|_| path.push("d"));
        fs::create_dir_all(&path).unwrap();
        assert_eq!(size(folder.path(), 1 << 30), Size::Deep);
        fs::remove_dir(&path).unwrap();
        assert!(matches!(size(folder.path(), 1 << 30), Size::Bytes(_)));
    }
}
