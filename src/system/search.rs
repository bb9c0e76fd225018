//! Lists of folders in environment variables, such as `PATH`, for another user.

use std::{
    ffi::{OsStr, OsString},
    os::unix::fs::MetadataExt,
    path::Path,
};

/// The permission of everybody to search a folder.
const OTHERS_SEARCH: u32 = 0o001;

/// The list without the folders that everybody but their owner and group is kept from. If a program looks for another one in a folder that
/// it may not search, it finds that it lacks a permission, although what it lacks is the other program.
#[must_use]
pub fn open_to_others(list: &OsStr) -> OsString {
    let folders = std::env::split_paths(list).filter(|folder| !is_closed_to_others(folder));
    // What was split can be joined again.
    std::env::join_paths(folders).unwrap_or_else(|_| list.to_owned())
}

/// Whether it is there, and others may not search this folder (or run this program) or search one above it: as the path is written or,
/// where there are links, as it is.
#[must_use]
pub fn is_closed_to_others(path: &Path) -> bool {
    let is_closed = |path: &Path| path.metadata().is_ok_and(|metadata| metadata.mode() & OTHERS_SEARCH == 0);
    let whole = path.canonicalize();
    path.is_absolute() && path.ancestors().chain(whole.iter().flat_map(|whole| whole.ancestors())).any(is_closed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{fs, os::unix::fs::PermissionsExt};

    #[test]
    fn closed_folders_are_left_out_of_a_list() {
        let top = tempfile::tempdir().unwrap();
        let path = |name: &str| top.path().join(name);
        fs::set_permissions(top.path(), PermissionsExt::from_mode(0o755)).unwrap();
        fs::create_dir_all(path("closed/within")).unwrap();
        fs::create_dir(path("open")).unwrap();
        for (name, mode) in [("open", 0o755), ("closed/within", 0o755), ("closed", 0o750)] {
            fs::set_permissions(path(name), PermissionsExt::from_mode(mode)).unwrap();
        }
        std::os::unix::fs::symlink(path("closed/within"), path("link")).unwrap();
        let list = std::env::join_paths([
            path("closed"),
            path("closed/within"),
            path("link"),
            path("open"),
            path("absent"),
            "".into(),
            "own".into(),
        ]);
        let left = std::env::join_paths([path("open"), path("absent"), "".into(), "own".into()]);
        assert_eq!(open_to_others(&list.unwrap()), left.unwrap());
    }
}
