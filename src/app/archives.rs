//! Images as ZIP files, which are made while they are read: neither the memory nor the disk ever has a whole one.

use std::{
    collections::HashSet,
    io::{self, Write},
    sync::{Arc, Mutex, PoisonError},
};

use bytes::Bytes;
use futures_util::{
    StreamExt,
    stream::{self, BoxStream},
};
use tokio::sync::mpsc;
use zip::{CompressionMethod, ZipWriter, write::SimpleFileOptions};

use crate::store::{
    Blobs,
    blobs::Keeping,
    images::{ImageArea, ImageFile, StoredImage},
};

/// The file of the objects in the archive.
const WORKSPACE: &str = ".RData";
/// The folder of the packages in it.
const LIBRARY: &str = "library/";
/// Pieces that may wait for the reader.
const WAITING: usize = 2;

/// Writes an image as a ZIP file. `keeping` protects it until that is done.
pub(super) fn zip(blobs: Blobs, image: StoredImage, keeping: Keeping) -> BoxStream<'static, Result<Bytes, io::Error>> {
    let (pieces, read) = mpsc::channel(WAITING);
    tokio::spawn(async move {
        if let Err(error) = write(&blobs, image, &pieces).await {
            // Nobody may be there to hear it.
            let _ = pieces.send(Err(error)).await;
        }
        drop(keeping);
    });
    stream::unfold(read, async |mut read| read.recv().await.map(|piece| (piece, read))).boxed()
}

async fn write(blobs: &Blobs, image: StoredImage, pieces: &mpsc::Sender<io::Result<Bytes>>) -> io::Result<()> {
    let written = Archived::default();
    let mut archive = ZipWriter::new_stream(written.clone());
    let workspace = ImageFile { area: ImageArea::Work, path: WORKSPACE.to_owned(), blob: image.workspace, executable: false };
    let mut names = HashSet::new();
    for ImageFile { area, path, blob, executable } in std::iter::once(workspace).chain(image.files) {
        let name = if area == ImageArea::Library { format!("{LIBRARY}{path}") } else { path };
        let options = SimpleFileOptions::default()
            .compression_method(CompressionMethod::Deflated)
            .compression_level(Some(1))
            .large_file(true)
            .unix_permissions(if executable { 0o755 } else { 0o644 });
        archive.start_file(free(name, &mut names), options)?;
        let mut content = blobs.get(&blob.hash).await.map_err(io::Error::other)?;
        while let Some(piece) = content.next().await {
            archive.write_all(&piece?)?;
            written.send(pieces).await?;
        }
    }
    archive.finish()?;
    written.send(pieces).await
}

/// The name of a file in the archive. If another has it, as a user's own `.RData` may, the name gets a number.
fn free(name: String, names: &mut HashSet<String>) -> String {
    let mut free = name.clone();
    for number in 2.. {
        if names.insert(free.clone()) {
            break;
        }
        free = format!("{name} ({number})");
    }
    free
}

/// What has been written of an archive, and was not sent yet.
#[derive(Debug, Clone, Default)]
struct Archived(Arc<Mutex<Vec<u8>>>);

impl Archived {
    async fn send(&self, pieces: &mpsc::Sender<io::Result<Bytes>>) -> io::Result<()> {
        let piece = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        if piece.is_empty() {
            return Ok(());
        }
        pieces.send(Ok(piece.into())).await.map_err(|_| io::ErrorKind::BrokenPipe.into())
    }
}

impl Write for Archived {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
