//! The files of sessions, and their addresses.
//!
//! A file has an address if a run has published it, or if it is in a working folder and somebody has asked for its address. An address is
//! made for one login, and ends with it.

use std::{fs::File, io, path::PathBuf, sync::Arc};

use uuid::Uuid;

use super::{App, Failure, contents::blocking, runs::RunResult, sessions::login, uploads::Received};
pub use crate::system::folder::FileError;
use crate::{
    auth::{Login, Principal},
    link::{
        command::{Files, PublishedFile, RemoveFile},
        messages::folder,
    },
    session::{Admission, Session},
    system::folder::{Draft, Folder},
};

/// A folder of a session that has files for clients.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Area {
    /// The working folder, in which R code runs.
    Work,
    /// The library for packages that the session installs for itself.
    Library,
    /// R's `tempdir()`.
    Temporary,
    /// The folder in which the server and the worker hand files to each other.
    Exchange,
}

impl Area {
    pub(super) fn open(self, session: &Session) -> io::Result<Folder> {
        let path = match self {
            Self::Work => PathBuf::from(folder::WORK),
            Self::Library => PathBuf::from(folder::LIBRARY),
            Self::Exchange => PathBuf::from(folder::FILES),
            Self::Temporary => session.temporary.strip_prefix(&session.folder).unwrap_or(&session.temporary).to_owned(),
        };
        Folder::open(&session.folder, &path, session.ids)
    }
}

/// Moves a draft to its place in a folder of a session.
pub(super) async fn draft_put(
    session: &Arc<Session>,
    area: Area,
    path: &str,
    file: File,
    draft: Draft,
    overwrite: bool,
) -> Result<(), FileError> {
    let (of, path) = (Arc::clone(session), path.to_owned());
    blocking(move || Ok(area.open(&of)?.put_draft(&file, &draft, &path, overwrite))).await?
}

impl App {
    /// The files of a session's working folder: their paths in it, sorted, and the identities of their addresses.
    ///
    /// # Errors
    /// [`Failure`]
    pub async fn file_list(&self, session: &Arc<Session>, principal: &Principal) -> Result<Vec<(String, Uuid)>, Failure> {
        let login = login(principal)?.id;
        let files = Self::ask(&session.turn(Admission::Immediate)?, Files).await?;
        let addresses = self.published.live_all(session, &files, login);
        Ok(files.into_iter().zip(addresses).collect())
    }

    /// The paths of the files in a session's working folder, sorted, when the session has ended what it is running.
    ///
    /// # Errors
    /// [`Failure`]
    pub async fn file_names(&self, session: &Arc<Session>) -> Result<Vec<String>, Failure> {
        Self::ask(&session.turn(Admission::Queued)?, Files).await
    }

    /// Opens a file of a session.
    ///
    /// # Errors
    /// [`FileError`]
    pub async fn file_open(&self, session: &Arc<Session>, area: Area, path: &str) -> Result<File, FileError> {
        let (of, path) = (Arc::clone(session), path.to_owned());
        blocking(move || Ok(area.open(&of)?.read(&path))).await?
    }

    /// Puts an upload into a folder of a session. It replaces a file of the same name if the caller allows that.
    ///
    /// # Errors
    /// [`FileError`]
    pub async fn file_put(
        &self,
        session: &Arc<Session>,
        area: Area,
        path: &str,
        received: Received,
        overwrite: bool,
    ) -> Result<(), FileError> {
        let (file, draft) = received.into_draft(self).await.map_err(io::Error::other)?;
        draft_put(session, area, path, file, draft, overwrite).await
    }

    /// Puts an upload into the working folder of a session, which must not be running anything, and replaces a file of the same name.
    /// Returns the identity of its address.
    ///
    /// # Errors
    /// [`Failure`]
    pub async fn file_upload(
        &self,
        session: &Arc<Session>,
        name: &str,
        received: Received,
        principal: &Principal,
    ) -> Result<Uuid, Failure> {
        let login = login(principal)?.id;
        let _turn = session.turn(Admission::Immediate)?;
        self.file_put(session, Area::Work, name, received, true).await?;
        Ok(self.published.live(session, name, login))
    }

    /// Removes a file from a session's working folder.
    ///
    /// # Errors
    /// [`Failure::Unknown`] when there is none
    pub async fn file_remove(&self, session: &Arc<Session>, path: &str, admission: Admission) -> Result<(), Failure> {
        let removed = Self::ask(&session.turn(admission)?, RemoveFile { path: path.to_owned() }).await?;
        if removed { Ok(()) } else { Err(Failure::Unknown(format!("There is no file {path:?} in the R session."))) }
    }

    /// Gives addresses to the files that a run has published, for as long as the login lasts. A warning names the files for which there is
    /// no room.
    pub async fn file_publish(&self, session: &Arc<Session>, outcome: &mut RunResult, login: &Arc<Login>) -> Vec<PublishedFile> {
        let files = std::mem::take(&mut outcome.executed.published);
        if files.is_empty() {
            return files;
        }
        let (published, of, id, all) = (Arc::clone(&self.published), Arc::clone(session), login.id, files.len());
        let taken = tokio::task::spawn_blocking(move || published.take(&of, files, id)).await.unwrap_or_default();
        if login.is_closing() {
            // A logout removed the login's files before these were there.
            let published = Arc::clone(&self.published);
            let _ = tokio::task::spawn_blocking(move || published.forget(id)).await;
            return Vec::new();
        }
        if taken.len() < all {
            let missing = all - taken.len();
            let warning = format!("{missing} of {all} files could not be published: the files of a login may take so much, and no more");
            outcome.executed.warnings.push(warning);
        }
        taken
    }

    /// Opens the file at an address, for anybody, because the identity is a secret. Returns also the file's name.
    ///
    /// # Errors
    /// [`Failure::Unknown`] when there is no such file, also because it went with its session
    pub async fn file_at(&self, id: Uuid) -> Result<(File, String), Failure> {
        let published = Arc::clone(&self.published);
        let unknown = || Failure::Unknown("There is no such file, or it went with the login it belonged to.".to_owned());
        blocking(move || Ok(published.open(id))).await?.map_err(|error| match error {
            FileError::System(gone) if gone.kind() == io::ErrorKind::NotFound => unknown(),
            FileError::System(error) => error.into(),
            _ => unknown(),
        })
    }

    /// The files that runs of a session have published: their names, and the identities of their addresses.
    #[must_use]
    pub fn artifact_list(&self, session: &Session) -> Vec<(String, Uuid)> {
        self.published.of_session(session.id)
    }

    /// Removes a file that a run of a session has published; false when there is none.
    ///
    /// # Errors
    /// [`Failure`]
    pub async fn artifact_remove(&self, session: &Session, name: &str) -> Result<bool, Failure> {
        let (published, id, name) = (Arc::clone(&self.published), session.id, name.to_owned());
        Ok(blocking(move || Ok(published.remove(id, &name))).await?)
    }
}
