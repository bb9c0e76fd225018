//! Snapshots: images of sessions that users keep, bring back, and download.

use std::{io, sync::Arc};

use bytes::Bytes;
use futures_util::stream::BoxStream;
use uuid::Uuid;

use super::{App, Failure};
pub use crate::store::snapshots::Snapshot;
use crate::{
    auth::Principal,
    session::{Admission, Session},
};

/// Most bytes of a name.
const NAME: usize = 500;

impl App {
    /// Makes a snapshot of a session. One without a name is named after the time. Returns also what could not be saved, a sentence each.
    ///
    /// # Errors
    /// [`Failure::Invalid`] if the principal has too many, and others; there is no snapshot then.
    pub async fn snapshot_create(
        &self,
        session: &Arc<Session>,
        principal: &Principal,
        name: Option<&str>,
    ) -> Result<(Snapshot, Vec<String>), Failure> {
        let owner = principal.account().ok_or_else(|| Failure::Forbidden("Snapshots belong to accounts, so this needs one.".to_owned()))?;
        if name.is_some_and(|name| name.len() > NAME) {
            return Err(Failure::Invalid(format!("The name of a snapshot has {NAME} bytes at most.")));
        }
        let most = &self.config.snapshots;
        self.store.snapshot_room(owner, most).await?;
        let turn = session.turn(Admission::Queued)?;
        let (image, unsaved, keeping) = self.image_capture(session, &turn).await?;
        let name = name.map_or_else(|| jiff::Zoned::now().strftime("Snapshot %Y-%m-%d %H:%M:%S").to_string(), str::to_owned);
        let added = self.store.snapshot_add(owner, &name, &image, most, &keeping).await;
        drop(keeping);
        if added.is_err() {
            // Otherwise somebody could fill the disk with snapshots that are refused.
            self.store.collect_blobs().await?;
        }
        Ok((added?, unsaved))
    }

    /// The principal's snapshots, oldest first.
    ///
    /// # Errors
    /// [`Failure::Store`]
    pub async fn snapshot_list(&self, principal: &Principal) -> Result<Vec<Snapshot>, Failure> {
        Ok(self.store.snapshot_list(Some(principal.name())).await?)
    }

    /// One of the principal's snapshots.
    ///
    /// # Errors
    /// [`Failure::Unknown`] for all others
    pub async fn snapshot(&self, id: Uuid, principal: &Principal) -> Result<Snapshot, Failure> {
        let found = self.store.snapshot(id, principal.name()).await?;
        found.ok_or_else(|| Failure::Unknown(format!("There is no snapshot {id}.")))
    }

    /// Removes one of the principal's snapshots. What else names its image keeps it.
    ///
    /// # Errors
    /// [`Failure::Unknown`]
    pub async fn snapshot_remove(&self, id: Uuid, principal: &Principal) -> Result<(), Failure> {
        Ok(self.store.snapshot_remove(id, Some(principal.name())).await?)
    }

    /// Brings a snapshot into a session, beside what is there: its objects, files and packages replace those of the same name. Returns
    /// warnings.
    ///
    /// # Errors
    /// [`Failure`]; a part of the snapshot may be there then.
    pub async fn snapshot_load(&self, session: &Arc<Session>, principal: &Principal, id: Uuid) -> Result<Vec<String>, Failure> {
        // The snapshot may be removed meanwhile.
        let _keeping = self.store.blobs.keep().await?;
        let snapshot = self.snapshot(id, principal).await?;
        let turn = session.turn(Admission::Queued)?;
        self.image_restore(session, &turn, &snapshot.image).await
    }

    /// Brings a snapshot into a new session, which ends when it has not been used for this many seconds. The name may be empty.
    ///
    /// # Errors
    /// [`Failure`]; no session is left in this case.
    pub async fn snapshot_open(&self, principal: &Principal, id: Uuid, name: &str, idle_seconds: u64) -> Result<Arc<Session>, Failure> {
        self.snapshot(id, principal).await?;
        let mut opened = Opened { app: self, session: self.session_open_idle(principal, name, idle_seconds).await?, is_whole: false };
        self.snapshot_load(&opened.session, principal, id).await?;
        opened.is_whole = true;
        Ok(Arc::clone(&opened.session))
    }

    /// A snapshot as a ZIP file, which is made while it is read: the files of the working folder, the packages below `library/`, and the
    /// objects in `.RData`. The file ends with an error if it cannot be completed.
    ///
    /// # Errors
    /// [`Failure`]
    pub async fn snapshot_zip(
        &self,
        id: Uuid,
        principal: &Principal,
    ) -> Result<(Snapshot, BoxStream<'static, Result<Bytes, io::Error>>), Failure> {
        let keeping = self.store.blobs.keep().await?;
        let snapshot = self.snapshot(id, principal).await?;
        let image = self.store.image(&snapshot.image).await?;
        let image = image.ok_or_else(|| Failure::Unknown(format!("There is no snapshot {id}.")))?;
        Ok((snapshot, super::archives::zip(self.store.blobs.clone(), image, keeping)))
    }
}

/// A session that is closed unless it was brought to what it has to be, also when the caller goes away in the middle.
struct Opened<'a> {
    app: &'a App,
    session: Arc<Session>,
    is_whole: bool,
}

impl Drop for Opened<'_> {
    fn drop(&mut self) {
        if !self.is_whole {
            self.app.sessions.close(&self.session);
        }
    }
}
