//! Files below a folder that somebody else may write in.

use std::{fs::File, io, path::Path};

use rustix::fs::{CWD, Mode, OFlags, ResolveFlags, openat, openat2};

/// Opens a regular file below `folder` for reading. Links are followed nowhere on the way, and nothing leads
/// out of the folder, whatever its owner does to it meanwhile.
///
/// # Errors
/// The system's; `NotFound` for what is no regular file.
pub fn open_file(folder: &Path, name: &str) -> io::Result<File> {
    let folder = openat(CWD, folder, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
    // Not blocking: a pipe without a writer must not hold the server.
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
    let file = File::from(openat2(folder, name, flags, Mode::empty(), ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS)?);
    if file.metadata()?.is_file() { Ok(file) } else { Err(io::ErrorKind::NotFound.into()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn nothing_leads_out() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("in")).unwrap();
        std::fs::write(folder.path().join("secret"), "").unwrap();
        std::fs::write(folder.path().join("in/open"), "").unwrap();
        symlink("../secret", folder.path().join("in/link")).unwrap();
        symlink("..", folder.path().join("in/up")).unwrap();
        let inside = folder.path().join("in");
        assert!(open_file(&inside, "open").is_ok());
        for name in ["../secret", "link", "up/secret", "absent", ".", "/etc/passwd"] {
            assert!(open_file(&inside, name).is_err(), "{name}");
        }
    }
}
