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
    if spec.user.is_some() {
        fs::set_permissions(&spec.folder, fs::Permissions::from_mode(0o711))
            .map_err(|source| FolderError { path: spec.folder.clone(), source })?;
    }
    for name in folder::ALL {
        private(&spec.folder.join(name), spec.user)?;
    }
    Ok(())
}

/// Makes a folder that only `user` can enter, or that only this process's user can.
///
/// # Errors
/// [`FolderError`].
pub fn private(path: &Path, user: Option<u32>) -> Result<(), FolderError> {
    let failed = |source| FolderError { path: path.to_owned(), source };
    fs::DirBuilder::new().mode(0o700).create(path).map_err(failed)?;
    match user {
        Some(user) => chown(path, Some(user), Some(user)).map_err(failed),
        None => Ok(()),
    }
}
