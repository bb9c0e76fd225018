//! Contents of objects and images, as files that are named by their SHA-256. A content is written before anything refers
//! to it, and is removed some time after nothing refers to it any more ("collected").

use std::{
    collections::HashSet,
    fs::File,
    io,
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
    sync::Arc,
};

use futures_util::{TryStreamExt, stream::BoxStream};
use object_store::{ObjectStore, ObjectStoreExt, buffered::BufWriter, local::LocalFileSystem, path::Path as Key};
use sha2::{Digest, Sha256};
use sqlx::{SqliteConnection, query_scalar};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use uuid::Uuid;

use super::{Store, StoreError, images};

/// Bytes read and written at a time.
pub const PIECE: usize = 256 << 10;
/// Bytes that are gathered before they are written to the disk.
const BATCH: usize = 1 << 20;
/// How many batches may be in writing while the next one is gathered. The library's own choice is eight batches of
/// 10 MiB, which is a lot of memory for each upload.
const BATCHES: usize = 2;
/// How much the library copies at a time. The allocator reuses blocks of this size at once; larger ones, which another
/// thread frees, it would keep for a second.
const SLICE: usize = 64 << 10;
/// The folder of contents that are being written.
const INCOMING: &str = "incoming";

/// A content.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Blob {
    /// SHA-256, 64 hexadecimal digits in lower case.
    pub hash: String,
    /// In bytes.
    pub size: u64,
}

/// The contents; cheap to clone.
#[derive(Debug, Clone)]
pub struct Blobs {
    store: Arc<dyn ObjectStore>,
    folder: PathBuf,
}

/// While one of these lives, in any process, nothing is collected. So a content that has just been written stays until
/// something refers to it.
#[derive(Debug)]
pub struct Keeping(#[expect(dead_code, reason = "the lock is let go of with the file")] File);

impl Blobs {
    /// The contents in `folder`, which only the server's user can enter.
    ///
    /// # Errors
    /// [`StoreError`]
    pub fn open(folder: &Path) -> Result<Self, StoreError> {
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        Ok(Self { store: Arc::new(LocalFileSystem::new_with_prefix(folder)?.with_fsync(true)), folder: folder.to_owned() })
    }

    /// Prevents collection. To be held while contents are written, and until something refers to them.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn keep(&self) -> Result<Keeping, StoreError> {
        let path = self.lock_path();
        let locked = tokio::task::spawn_blocking(move || {
            let file = open_lock(&path)?;
            file.lock_shared()?;
            Ok::<_, io::Error>(Keeping(file))
        });
        Ok(locked.await.map_err(io::Error::other)??)
    }

    /// Begins to write a content.
    #[must_use]
    pub fn writer(&self, _: &Keeping) -> Writer {
        let incoming = Key::from(INCOMING).join(Uuid::new_v4().to_string());
        let writer = BufWriter::with_capacity(Arc::clone(&self.store), incoming.clone(), BATCH).with_max_concurrency(BATCHES);
        Writer { store: Arc::clone(&self.store), incoming, writer, hasher: Sha256::new(), size: 0 }
    }

    /// Writes a content. A small one that is there is not written again, which would wait for the disk: an image has many small files, and
    /// the next image of the same session has the same.
    ///
    /// # Errors
    /// [`StoreError`]; reading the content may be what failed.
    pub async fn put(&self, keeping: &Keeping, mut content: impl AsyncRead + Unpin) -> Result<Blob, StoreError> {
        let mut piece = vec![0; PIECE];
        let mut first = 0;
        while first < PIECE {
            match content.read(&mut piece[first..]).await? {
                0 => break,
                count => first += count,
            }
        }
        if first < PIECE {
            let hash = hex::encode(Sha256::digest(&piece[..first]));
            // It is not collected, as long as `keeping` is held.
            if self.store.head(&key(&hash)).await.is_ok_and(|found| found.size == first as u64) {
                return Ok(Blob { hash, size: first as u64 });
            }
        }
        let mut writer = self.writer(keeping);
        writer.write(&piece[..first]).await?;
        loop {
            match content.read(&mut piece).await? {
                0 => return writer.finish().await,
                count => writer.write(&piece[..count]).await?,
            }
        }
    }

    /// Reads a content.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn get(&self, hash: &str) -> Result<BoxStream<'static, Result<bytes::Bytes, object_store::Error>>, StoreError> {
        Ok(self.store.get(&key(hash)).await?.into_stream())
    }

    /// Opens a content. Blocks on the file system.
    ///
    /// # Errors
    /// Errors of the system.
    pub fn file(&self, hash: &str) -> io::Result<File> {
        File::open(self.folder.join(key(hash).as_ref()))
    }

    /// Writes a content into `file`.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn copy_to(&self, hash: &str, mut file: File) -> Result<(), StoreError> {
        let (blobs, hash) = (self.clone(), hash.to_owned());
        // The kernel copies from file to file: nothing comes into this process.
        let copied = tokio::task::spawn_blocking(move || io::copy(&mut blobs.file(&hash)?, &mut file));
        copied.await.map_err(io::Error::other)??;
        Ok(())
    }

    fn lock_path(&self) -> PathBuf {
        self.folder.join("lock")
    }

    /// Removes all contents but those in `referred`.
    async fn remove_all_but(&self, referred: &HashSet<String>) -> Result<usize, StoreError> {
        // Nobody is writing now, so these files are leftovers of writers that were killed. The library does not list them.
        match tokio::fs::remove_dir_all(self.folder.join(INCOMING)).await {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error.into()),
            _ => {}
        }
        let all: Vec<_> = self.store.list(Some(&Key::from(CONTENTS))).try_collect().await?;
        let mut removed = 0;
        for entry in all {
            if !entry.location.filename().is_some_and(|name| referred.contains(name)) {
                self.store.delete(&entry.location).await?;
                removed += 1;
            }
        }
        Ok(removed)
    }
}

/// A content that is being written. It appears under its name when it is finished; if that never happens, what has been
/// written is collected.
#[derive(Debug)]
#[expect(clippy::struct_field_names, reason = "one writes by means of another")]
pub struct Writer {
    store: Arc<dyn ObjectStore>,
    incoming: Key,
    writer: BufWriter,
    hasher: Sha256,
    /// Bytes written so far.
    pub size: u64,
}

impl Writer {
    /// Writes a piece.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn write(&mut self, piece: &[u8]) -> Result<(), StoreError> {
        self.hasher.update(piece);
        self.size += piece.len() as u64;
        for slice in piece.chunks(SLICE) {
            self.writer.write_all(slice).await?;
        }
        Ok(())
    }

    /// Gives the content its name.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn finish(self) -> Result<Blob, StoreError> {
        let Self { store, incoming, mut writer, hasher, size } = self;
        writer.shutdown().await?;
        let hash = hex::encode(hasher.finalize());
        // Even if the content exists already, as the existing file may be about to be collected.
        store.rename(&incoming, &key(&hash)).await?;
        Ok(Blob { hash, size })
    }
}

/// The folder of finished contents.
const CONTENTS: &str = "sha256";

fn key(hash: &str) -> Key {
    let shard = hash.get(..2).unwrap_or_default();
    Key::from(CONTENTS).join(shard).join(hash)
}

fn open_lock(path: &Path) -> io::Result<File> {
    std::fs::OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(path)
}

impl Store {
    /// All contents that something refers to.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn blobs_in_use(&self) -> Result<HashSet<String>, StoreError> {
        Ok(in_use(&mut *self.pool.acquire().await?).await?)
    }

    /// Removes images that nothing names, and contents that nothing refers to, unless somebody is writing one; returns how many contents.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn collect_blobs(&self) -> Result<usize, StoreError> {
        let lock = open_lock(&self.blobs.lock_path())?;
        if lock.try_lock().is_err() {
            return Ok(0);
        }
        let mut connection = self.pool.acquire().await?;
        images::forget_unnamed(&mut connection).await?;
        let referred = in_use(&mut connection).await?;
        drop(connection);
        let removed = self.blobs.remove_all_but(&referred).await;
        drop(lock);
        removed
    }
}

/// All contents that something in a database refers to.
pub(super) async fn in_use(connection: &mut SqliteConnection) -> sqlx::Result<HashSet<String>> {
    let hashes = query_scalar(
        "SELECT blob FROM object UNION SELECT workspace FROM image UNION SELECT blob FROM image_file UNION SELECT blob FROM batch_file
         UNION SELECT blob FROM left_workspace",
    );
    Ok(hashes.fetch_all(connection).await?.into_iter().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn contents_come_back_and_what_nobody_refers_to_goes() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).await.unwrap();
        let content = vec![7; 3 * PIECE + 1];
        let keeping = store.blobs.keep().await.unwrap();
        let blob = store.blobs.put(&keeping, content.as_slice()).await.unwrap();
        assert_eq!((blob.size, blob.hash.len()), (content.len() as u64, 64));
        // What a writer leaves behind that is killed.
        let partial = folder.path().join("blobs/incoming/a#1");
        std::fs::write(&partial, "half").unwrap();
        // A content that is being written is not collected.
        assert_eq!(store.collect_blobs().await.unwrap(), 0);
        assert_eq!(store.blobs.put(&keeping, content.as_slice()).await.unwrap(), blob);
        let back: Vec<_> = store.blobs.get(&blob.hash).await.unwrap().try_collect().await.unwrap();
        assert_eq!(back.concat(), content);
        drop(keeping);
        assert!(partial.exists());
        assert_eq!(store.collect_blobs().await.unwrap(), 1);
        assert!(!partial.exists());
        assert!(store.blobs.get(&blob.hash).await.is_err());
    }
}
