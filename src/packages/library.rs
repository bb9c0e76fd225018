//! The server's library. Packages are moved in and out as wholes.

use std::{
    fs, io,
    os::unix::fs::{MetadataExt, PermissionsExt, lchown},
    path::Path,
};

use rustix::{
    fs::{CWD, RenameFlags, renameat_with},
    process::{getegid, geteuid},
};
use uuid::Uuid;

use crate::system::removal;

/// Moves the packages in `from`, which belong to `user`, into `library`, and makes them the server's. Returns their names,
/// sorted. An older version is replaced in one step. No process of the user may be left: it could still change files.
pub(super) fn take(from: &Path, library: &Path, run: &Path, user: Option<u32>) -> io::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(from)?.flatten() {
        let (path, name) = (entry.path(), entry.file_name().into_string().unwrap_or_default());
        // The type of the entry itself: a symbolic link is not followed, and is no package.
        let is_package = entry.file_type()?.is_dir() && super::is_name(&name) && path.join("Meta/package.rds").is_file();
        if !is_package || name.starts_with("00LOCK") {
            continue;
        }
        adopt(&path, user.unwrap_or(geteuid().as_raw()))?;
        let target = library.join(&name);
        if target.exists() {
            renameat_with(CWD, &path, CWD, &target, RenameFlags::EXCHANGE)?;
            throw_away(&path, run)?;
        } else {
            fs::rename(&path, &target)?;
        }
        names.push(name);
    }
    names.sort();
    Ok(names)
}

/// Removes a package.
pub(super) fn remove(library: &Path, run: &Path, name: &str) -> io::Result<()> {
    throw_away(&library.join(name), run)
}

/// Hides a package in one step, and then removes it.
fn throw_away(path: &Path, run: &Path) -> io::Result<()> {
    let away = run.join(format!("removed-{}", Uuid::new_v4()));
    fs::rename(path, &away)?;
    removal::remove(&away)
}

/// Makes a tree of `user`'s files the server's, readable by all. A tree whose paths would be too long is refused.
fn adopt(path: &Path, user: u32) -> io::Result<()> {
    let mut left = vec![path.to_owned()];
    while let Some(path) = left.pop() {
        let metadata = fs::symlink_metadata(&path)?;
        if metadata.uid() != user {
            // A hard link to a file outside of the package, whose permissions must not be changed.
            return Err(io::Error::new(io::ErrorKind::PermissionDenied, format!("{} is of another user", path.display())));
        }
        lchown(&path, Some(geteuid().as_raw()), Some(getegid().as_raw()))?;
        if metadata.is_symlink() {
            continue;
        }
        let executable = metadata.is_dir() || metadata.mode() & 0o100 != 0;
        fs::set_permissions(&path, fs::Permissions::from_mode(if executable { 0o755 } else { 0o644 }))?;
        if metadata.is_dir() {
            for entry in fs::read_dir(&path)? {
                left.push(entry?.path());
            }
        }
    }
    Ok(())
}
