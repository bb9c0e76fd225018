//! Copies contents between the store and the folders of sessions.

use std::{fs::File, io, path::Path, sync::Arc};

use uuid::Uuid;

use super::{App, Failure};
use crate::{
    link::messages::folder,
    session::Session,
    store::{Blob, blobs::Keeping},
    system::folder::Folder,
};

impl App {
    /// Copies a content into a session, so that the worker can load it. Returns the file's name there.
    ///
    /// # Errors
    /// [`Failure`]
    pub(super) async fn content_bring(&self, session: &Arc<Session>, hash: &str) -> Result<Uuid, Failure> {
        let file = Uuid::new_v4();
        self.content_place(session, hash, folder::FILES, &file.to_string()).await?;
        Ok(file)
    }

    /// Copies a content into a folder of a session.
    ///
    /// # Errors
    /// [`Failure`]
    pub(super) async fn content_place(&self, session: &Arc<Session>, hash: &str, below: &'static str, path: &str) -> Result<(), Failure> {
        let (of, path) = (Arc::clone(session), path.to_owned());
        let (target, draft, file) = blocking(move || {
            let target = Folder::open(&of.folder, Path::new(below), of.user)?;
            let (file, draft) = target.draft()?;
            Ok((target, draft, file))
        })
        .await?;
        self.store.blobs.copy_to(hash, file.try_clone()?).await?;
        Ok(blocking(move || Ok(target.put_draft(&file, &draft, &path, true))).await??)
    }

    /// Moves a file that a session's worker has written for the server into the store.
    ///
    /// # Errors
    /// [`Failure`]
    pub(super) async fn content_collect(&self, session: &Arc<Session>, file: Uuid, keeping: &Keeping) -> Result<Blob, Failure> {
        let path = file.to_string();
        let content = self.file_open_in(session, folder::FILES, &path).await?;
        let blob = self.store.blobs.put(keeping, tokio::fs::File::from_std(content)).await?;
        let written = session.folder.join(folder::FILES).join(path);
        // The session may have replaced the file; only the name is removed.
        let _ = tokio::fs::remove_file(written).await;
        Ok(blob)
    }

    /// Opens a file in a folder of a session.
    ///
    /// # Errors
    /// [`Failure::Unknown`] when there is none
    pub(super) async fn file_open_in(&self, session: &Arc<Session>, below: &'static str, path: &str) -> Result<File, Failure> {
        let (of, path) = (Arc::clone(session), path.to_owned());
        Ok(blocking(move || Ok(Folder::open(&of.folder, Path::new(below), of.user)?.read(&path))).await??)
    }
}

/// Runs work that blocks on the file system.
pub(super) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> io::Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(io::Error::other)?
}
