//! What somebody sends, on its way into the blob store.

use super::{App, Failure};
use crate::store::{
    Blob,
    blobs::{Keeping, Writer},
};

/// An upload under way.
#[derive(Debug)]
pub struct Receiving {
    writer: Writer,
    keeping: Keeping,
    limit_mib: u64,
}

/// An upload that has arrived. Nothing refers to it yet; it is gone if nothing does before this is dropped.
#[derive(Debug)]
pub struct Received {
    /// The content.
    pub blob: Blob,
    /// Keeps it.
    pub keeping: Keeping,
}

impl App {
    /// Begins to receive an upload.
    ///
    /// # Errors
    /// [`Failure::Store`]
    pub async fn receive(&self) -> Result<Receiving, Failure> {
        let keeping = self.store.blobs.keep().await?;
        Ok(Receiving { writer: self.store.blobs.writer(&keeping), keeping, limit_mib: self.upload_mib() })
    }
}

impl Receiving {
    /// Takes a piece.
    ///
    /// # Errors
    /// [`Failure::TooLarge`], [`Failure::Store`]
    pub async fn write(&mut self, piece: &[u8]) -> Result<(), Failure> {
        if self.writer.size + piece.len() as u64 > self.limit_mib << 20 {
            return Err(Failure::TooLarge(self.limit_mib));
        }
        Ok(self.writer.write(piece).await?)
    }

    /// All has arrived.
    ///
    /// # Errors
    /// [`Failure::Store`]
    pub async fn finish(self) -> Result<Received, Failure> {
        Ok(Received { blob: self.writer.finish().await?, keeping: self.keeping })
    }
}
