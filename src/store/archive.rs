//! ZIP files of the store: what a backup of everything and the file of one service have in common. Contents are in a folder of the archive,
//! each under its SHA-256, and are checked by it when they are read. Reading and writing the file blocks the thread: this is for the command
//! line, not for the server.

use std::{
    fmt::Display,
    io::{self, BufWriter, Read, Seek, Write},
};

use futures_util::StreamExt;
use zip::{CompressionMethod, ZipArchive, ZipWriter, result::ZipError, write::SimpleFileOptions};

use super::{
    Blob, Blobs, ChangeError, StoreError,
    blobs::{Keeping, PIECE},
};

/// The folder of the contents in the ZIP file.
const CONTENTS: &str = "contents/";

/// An archive could not be written or read.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// The file is not what it should be, or a damaged one; the text says what is wrong.
    #[error("{0}")]
    Unusable(String),
    /// The file could not be read or written.
    #[error(transparent)]
    File(#[from] io::Error),
    /// As a ZIP file.
    #[error("not a usable ZIP file")]
    Zip(#[from] ZipError),
    /// What is in the archive cannot be put into this store, or what was asked for is not in the store.
    #[error(transparent)]
    Change(#[from] ChangeError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<sqlx::Error> for ArchiveError {
    fn from(error: sqlx::Error) -> Self {
        Self::Store(error.into())
    }
}

/// Writes an archive.
pub(super) struct ArchiveWriter<W: Write + Seek>(ZipWriter<BufWriter<W>>);

impl<W: Write + Seek> ArchiveWriter<W> {
    pub(super) fn new(file: W) -> Self {
        Self(ZipWriter::new(BufWriter::new(file)))
    }

    /// Begins a file of the archive, to be written to what this returns.
    pub(super) fn entry(&mut self, name: &str) -> Result<&mut ZipWriter<BufWriter<W>>, ArchiveError> {
        self.0.start_file(name, SimpleFileOptions::default().compression_method(CompressionMethod::Deflated).large_file(true))?;
        Ok(&mut self.0)
    }

    /// Adds a content. Each may be there once.
    pub(super) async fn content(&mut self, hash: &str, blobs: &Blobs) -> Result<(), ArchiveError> {
        let entry = self.entry(&format!("{CONTENTS}{hash}"))?;
        let mut content = blobs.get(hash).await?;
        while let Some(piece) = content.next().await {
            entry.write_all(&piece.map_err(StoreError::from)?)?;
        }
        Ok(())
    }

    /// Ends the archive.
    pub(super) fn finish(self) -> Result<(), ArchiveError> {
        Ok(self.0.finish()?.flush()?)
    }
}

/// What an archive is called in messages.
#[derive(Debug, Clone, Copy)]
pub(super) struct Called {
    /// "the backup"
    pub(super) whole: &'static str,
    /// What is said of a ZIP file of another kind.
    pub(super) foreign: &'static str,
}

impl Called {
    pub(super) fn damaged(self, how: impl Display) -> ArchiveError {
        ArchiveError::Unusable(format!("{} is damaged: {how}", self.whole))
    }

    pub(super) fn foreign(self) -> ArchiveError {
        ArchiveError::Unusable(self.foreign.to_owned())
    }
}

/// Reads an archive.
#[derive(Debug)]
pub(super) struct ArchiveReader<R> {
    archive: ZipArchive<R>,
    called: Called,
}

impl<R: Read + Seek> ArchiveReader<R> {
    pub(super) fn open(file: R, called: Called) -> Result<Self, ArchiveError> {
        Ok(Self { archive: ZipArchive::new(file)?, called })
    }

    /// Reads up to `most` bytes of the file by which an archive of this kind is known.
    pub(super) fn extract(&mut self, name: &str, most: u64, to: &mut impl Write) -> Result<(), ArchiveError> {
        let called = self.called;
        let entry = self.archive.by_name(name).map_err(|error| match error {
            ZipError::FileNotFound => called.foreign(),
            error => error.into(),
        })?;
        let mut entry = entry.take(most);
        let mut piece = vec![0; PIECE];
        loop {
            // What is damaged is noticed by its checksum, at the latest at its end.
            match entry.read(&mut piece).map_err(|error| called.damaged(error))? {
                0 => return Ok(()),
                count => to.write_all(&piece[..count])?,
            }
        }
    }

    /// Puts a content into the blob store.
    pub(super) async fn content(&mut self, hash: &str, blobs: &Blobs, keeping: &Keeping) -> Result<Blob, ArchiveError> {
        let called = self.called;
        let mut entry = self.archive.by_name(&format!("{CONTENTS}{hash}")).map_err(|error| match error {
            ZipError::FileNotFound => called.damaged(format!("the content {hash} is missing")),
            error => error.into(),
        })?;
        let mut writer = blobs.writer(keeping);
        let mut piece = vec![0; PIECE];
        loop {
            match entry.read(&mut piece).map_err(|error| called.damaged(error))? {
                0 => break,
                count => writer.write(&piece[..count]).await?,
            }
        }
        let blob = writer.finish().await?;
        if blob.hash == hash { Ok(blob) } else { Err(called.damaged(format!("the content {hash} is another"))) }
    }
}
