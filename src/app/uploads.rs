//! Uploads on their way to a session or into the repository.

use std::{
    fs::File,
    io::{self, Read, Seek, Write},
};

use futures_util::StreamExt;

use super::{App, Failure, contents::blocking};
use crate::{
    store::{
        Blob, StoreError,
        blobs::{Keeping, Writer},
        policies::Policy,
    },
    system::folder::{Draft, draft},
};

/// Largest upload in MiB, unless the policy says otherwise.
const UPLOAD_MIB: u64 = 256;
/// Bytes collected before they are written to the disk.
const PIECE: usize = 256 << 10;

/// Where an upload is to go. It is received there, so that it need not be copied when it has arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Destination {
    /// A session, with which the upload ends. The file is moved there, and nothing waits for the disk.
    Session,
    /// The repository, which keeps it.
    Repository,
}

/// An upload under way.
#[derive(Debug)]
pub struct Receiving {
    sink: Sink,
    size: u64,
    limit_mib: u64,
}

#[derive(Debug)]
enum Sink {
    Draft { file: File, draft: Draft, collected: Vec<u8> },
    Content { writer: Box<Writer>, keeping: Keeping },
}

/// An upload that has arrived. It is removed when this is dropped, unless it was put somewhere.
#[derive(Debug)]
pub struct Received(Arrived);

#[derive(Debug)]
enum Arrived {
    Draft(File, Draft),
    Content(Blob, Keeping),
}

impl App {
    /// A new file that is moved to its place when it is written.
    pub(super) async fn draft(&self) -> io::Result<(File, Draft)> {
        let folder = self.uploads.clone();
        blocking(move || draft(&folder)).await
    }

    /// Largest upload that is taken, in MiB.
    #[must_use]
    pub fn upload_mib(&self) -> u64 {
        self.rules.now().policies.number(Policy::UploadMib, UPLOAD_MIB)
    }

    /// Begins to receive an upload of at most `limit_mib` MiB.
    ///
    /// # Errors
    /// [`Failure::Store`]
    pub async fn upload_receive(&self, destination: Destination, limit_mib: u64) -> Result<Receiving, Failure> {
        let sink = match destination {
            Destination::Session => {
                let (file, draft) = self.draft().await?;
                Sink::Draft { file, draft, collected: Vec::new() }
            }
            Destination::Repository => {
                let keeping = self.store.blobs.keep().await?;
                Sink::Content { writer: Box::new(self.store.blobs.writer(&keeping)), keeping }
            }
        };
        Ok(Receiving { sink, size: 0, limit_mib })
    }
}

impl Receiving {
    /// Receives a piece.
    ///
    /// # Errors
    /// [`Failure::TooLarge`], [`Failure::Store`]
    pub async fn write(&mut self, piece: &[u8]) -> Result<(), Failure> {
        self.size += piece.len() as u64;
        if self.size > self.limit_mib.saturating_mul(1 << 20) {
            return Err(Failure::TooLarge(self.limit_mib));
        }
        match &mut self.sink {
            Sink::Content { writer, .. } => Ok(writer.write(piece).await?),
            Sink::Draft { collected, .. } => {
                collected.extend_from_slice(piece);
                if collected.len() >= PIECE { self.flush().await } else { Ok(()) }
            }
        }
    }

    /// Writes the bytes that have been collected for a draft.
    async fn flush(&mut self) -> Result<(), Failure> {
        let Sink::Draft { file, collected, .. } = &mut self.sink else { return Ok(()) };
        let (mut to, mut bytes) = (file.try_clone()?, std::mem::take(collected));
        let written = blocking(move || {
            to.write_all(&bytes).map(|()| {
                bytes.clear();
                bytes
            })
        });
        *collected = written.await?;
        Ok(())
    }

    /// Ends the upload: everything has arrived.
    ///
    /// # Errors
    /// [`Failure::Store`]
    pub async fn finish(mut self) -> Result<Received, Failure> {
        self.flush().await?;
        match self.sink {
            Sink::Draft { file, draft, .. } => Ok(Received(Arrived::Draft(file, draft))),
            Sink::Content { writer, keeping } => Ok(Received(Arrived::Content(writer.finish().await?, keeping))),
        }
    }
}

impl Received {
    /// A file for a session, with its temporary place.
    ///
    /// # Errors
    /// [`Failure::Store`]
    pub(super) async fn into_draft(self, app: &App) -> Result<(File, Draft), Failure> {
        match self.0 {
            Arrived::Draft(file, draft) => Ok((file, draft)),
            Arrived::Content(blob, _keeping) => app.content_draft(&blob.hash).await,
        }
    }

    /// A content of the store, to which nothing refers yet, and what protects it from the removal of such contents.
    ///
    /// # Errors
    /// [`Failure::Store`]
    pub(super) async fn into_content(self, app: &App) -> Result<(Blob, Keeping), Failure> {
        match self.0 {
            Arrived::Content(blob, keeping) => Ok((blob, keeping)),
            Arrived::Draft(mut file, _draft) => {
                file.rewind()?;
                let keeping = app.store.blobs.keep().await?;
                Ok((app.store.blobs.put(&keeping, tokio::fs::File::from_std(file)).await?, keeping))
            }
        }
    }

    /// The bytes, or at least the first block of them.
    ///
    /// # Errors
    /// [`Failure::Store`]
    pub(super) async fn beginning(&self, app: &App) -> Result<Box<dyn Read + Send>, Failure> {
        match &self.0 {
            Arrived::Draft(file, _) => {
                let mut file = file.try_clone()?;
                file.rewind()?;
                Ok(Box::new(file))
            }
            Arrived::Content(blob, _) => {
                let first = app.store.blobs.get(&blob.hash).await?.next().await.transpose().map_err(StoreError::from)?;
                Ok(Box::new(io::Cursor::new(first.unwrap_or_default())))
            }
        }
    }
}
