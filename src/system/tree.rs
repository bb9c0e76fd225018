//! How much is in a folder that somebody else fills.

use std::path::Path;

use rustix::{
    fs::{AtFlags, CWD, Dir, FileType, Mode, OFlags, openat, statat},
    io::Errno,
};

use super::removal;

/// The unit of `st_blocks`, in bytes (stat(3type)).
pub(super) const BLOCK: u64 = 512;
/// What an entry takes at the least: so that a limit in bytes is one on their number too.
const ENTRY: u64 = 4096;
/// Folders in folders. Each that is being looked at takes a descriptor, and few programs cope with paths that are longer
/// than this gets them.
pub const DEPTH: usize = 250;

/// What is in a folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Size {
    /// So many bytes.
    Bytes(u64),
    /// More than was asked about.
    More,
    /// Folders in folders, deeper than [`DEPTH`].
    Deep,
}

/// How much is in a folder, links not followed. It is not looked any further when it is more than `most` bytes. What goes
/// while it is looked at, or cannot be read, is left out.
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
                // Closed to this process, which has the same user: nothing is to be hidden in it.
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
