//! Copies contents between the store and the folders of sessions.

use std::{
    fs::{File, Permissions},
    io,
    os::unix::fs::PermissionsExt,
    sync::Arc,
};

use uuid::Uuid;

use super::{App, Failure, files::Area};
use crate::{
    link::messages::folder,
    session::Session,
    store::{Blob, blobs::Keeping},
    system::folder::{Draft, draft},
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
        self.content_place_as(session, hash, area, path, Permissions::from_mode(0o600)).await
    }

    /// Copies a content into a folder of a session, with these permissions. It is all done at once: for a small content, most of the time
    /// would be spent on going from thread to thread.
    ///
    /// # Errors
    /// [`Failure`]
    pub(super) async fn content_place_as(
        &self,
        session: &Arc<Session>,
        hash: &str,
        area: Area,
        path: &str,
        permissions: Permissions,
    ) -> Result<(), Failure> {
        let (uploads, blobs, of) = (self.uploads.clone(), self.store.blobs.clone(), Arc::clone(session));
        let (hash, path) = (hash.to_owned(), path.to_owned());
        let placed = blocking(move || {
            let (mut file, draft) = draft(&uploads)?;
            io::copy(&mut blobs.file(&hash)?, &mut file)?;
            file.set_permissions(permissions)?;
            Ok(area.open(&of)?.put_draft(&file, &draft, &path, true))
        });
        Ok(placed.await??)
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
