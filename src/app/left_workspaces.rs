//! What an interactive session leaves for the next one of its owner, if its client has gone without a word. A session that runs as a person
//! of the machine has that person's home folder, where everything stays anyway.

use std::sync::Arc;

use super::{App, Failure, files::Area};
use crate::{session::Session, system::folder::FileError};

impl App {
    /// Puts what the owner's last session has left into the working folder of a new one, as a file of this name.
    pub async fn left_workspace_bring(&self, session: &Arc<Session>, file: &str) {
        let bring = async {
            match self.store.left_workspace(&session.owner).await? {
                Some(left) if self.is_homeless(session).await => self.content_place(session, &left.hash, Area::Work, file).await,
                _ => Ok(()),
            }
        };
        log(session, "brought", bring.await);
    }

    /// Keeps what a session leaves, in a file of its working folder, before the folder goes.
    pub async fn left_workspace_keep(&self, session: &Arc<Session>, file: &str) {
        let keep = async {
            if !self.is_homeless(session).await {
                return Ok(());
            }
            let content = match self.file_open(session, Area::Work, file).await {
                Ok(content) => content,
                Err(FileError::Missing) => return Ok(()),
                Err(error) => return Err(error.into()),
            };
            let keeping = self.store.blobs.keep().await?;
            let blob = self.store.blobs.put(&keeping, tokio::fs::File::from_std(content)).await?;
            Ok(self.store.left_workspace_put(&session.owner, &blob, &keeping).await?)
        };
        log(session, "kept", keep.await);
    }

    /// Forgets what the owner's last session has left.
    pub async fn left_workspace_forget(&self, session: &Session) {
        log(session, "forgotten", self.store.left_workspace_remove(&session.owner).await.map_err(Failure::from));
    }

    /// Whether the home folder of a session goes with it.
    async fn is_homeless(&self, session: &Session) -> bool {
        matches!(self.person(&session.owner).await, Ok(None))
    }
}

fn log(session: &Session, what: &str, outcome: Result<(), Failure>) {
    if let Err(error) = outcome {
        let error = &error as &dyn std::error::Error;
        tracing::warn!(session.id = %session.id, user.name = session.owner, error, "the workspace that a session has left could not be {what}");
    }
}
