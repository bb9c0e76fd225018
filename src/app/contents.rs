//! Copies contents between the store and the folders of sessions.

use std::{fs::File, io, sync::Arc};

use uuid::Uuid;

use super::{
    App, Failure,
    files::{Area, draft_put},
};
use crate::{
    link::messages::folder,
    session::Session,
    store::{Blob, blobs::Keeping},
    system::folder::Draft,
};

impl App {
    /// Copies a content into a session, so that the worker can load it. Returns the file's name there.
    ///
    /// # Errors
    /// [`Failure`]
    pub(super) async fn content_bring(&self, session: &Arc<Session>, hash: &str) -> Result<Uuid, Failure> {
        let file = Uuid::new_v4();
        self.content_place(session, hash, Area::Exchange, &file.to_string()).await?;
        Ok(file)
    }

    /// Copies a content into a folder of a session.
    ///
    /// # Errors
    /// [`Failure`]
    pub(super) async fn content_place(&self, session: &Arc<Session>, hash: &str, area: Area, path: &str) -> Result<(), Failure> {
        let (file, draft) = self.content_draft(hash).await?;
        Ok(draft_put(session, area, path, file, draft, true).await?)
    }

    /// Copies a content into a draft.
    ///
    /// # Errors
    /// [`Failure`]
    pub(super) async fn content_draft(&self, hash: &str) -> Result<(File, Draft), Failure> {
        let (file, draft) = self.draft().await?;
        self.store.blobs.copy_to(hash, file.try_clone()?).await?;
        Ok((file, draft))
    }

    /// Moves a file that a session's worker has written for the server into the store.
    ///
    /// # Errors
    /// [`Failure`]
    pub(super) async fn content_collect(&self, session: &Arc<Session>, file: Uuid, keeping: &Keeping) -> Result<Blob, Failure> {
        let path = file.to_string();
        let content = self.file_open(session, Area::Exchange, &path).await?;
        let blob = self.store.blobs.put(keeping, tokio::fs::File::from_std(content)).await?;
        self.exchange_remove(session, file).await;
        Ok(blob)
    }

    /// Removes a file that a session's worker has written for the server. The session may have replaced it; only the name is removed.
    pub(super) async fn exchange_remove(&self, session: &Session, file: Uuid) {
        let _ = tokio::fs::remove_file(session.folder.join(folder::FILES).join(file.to_string())).await;
    }
}

/// Runs work that blocks on the file system.
pub(super) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> io::Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(io::Error::other)?
}
