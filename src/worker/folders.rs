//! The folders of a session.

use std::{
    fs, io,
    os::unix::fs::{DirBuilderExt, PermissionsExt, chown},
    path::{Path, PathBuf},
};

use crate::link::messages::{Fork, folder};

/// A folder that could not be made.
#[derive(Debug, thiserror::Error)]
#[error("{}", path.display())]
pub struct FolderError {
    path: PathBuf,
    source: io::Error,
}

impl From<FolderError> for io::Error {
    fn from(FolderError { path, source }: FolderError) -> Self {
        Self::new(source.kind(), format!("{}: {source}", path.display()))
    }
}

/// Makes the folders of a session.
///
/// # Errors
/// [`FolderError`].
pub fn make(spec: &Fork) -> Result<(), FolderError> {
    // The session's folder itself belongs to the server: its user can go through it, and cannot put anything into it.
    private(&spec.folder, None)?;
    let ids = spec.ids();
    if ids.is_some() {
        fs::set_permissions(&spec.folder, fs::Permissions::from_mode(0o711))
            .map_err(|source| FolderError { path: spec.folder.clone(), source })?;
    }
    for name in folder::ALL {
        private(&spec.folder.join(name), ids)?;
    }
    Ok(())
}

/// Makes a folder that only this user can enter, whose group is the other id; or that only this process's user can.
///
/// # Errors
/// [`FolderError`].
pub fn private(path: &Path, ids: Option<(u32, u32)>) -> Result<(), FolderError> {
    let failed = |source| FolderError { path: path.to_owned(), source };
    fs::DirBuilder::new().mode(0o700).create(path).map_err(failed)?;
    match ids {
        Some((user, group)) => chown(path, Some(user), Some(group)).map_err(failed),
        None => Ok(()),
    }
}
