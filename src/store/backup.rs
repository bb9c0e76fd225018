//! Writes the whole store to one ZIP file, and reads it back. Reading and writing the file blocks the thread: this is for
//! the command line, not for the server.

use std::{
    collections::HashSet,
    fs::File,
    io::{self, BufReader, BufWriter, Read, Seek, Write},
    path::Path,
};

use futures_util::StreamExt;
use sqlx::{Connection, SqliteConnection, query, query_scalar, sqlite::SqliteConnectOptions};
use tempfile::TempDir;
use zip::{CompressionMethod, ZipArchive, ZipWriter, result::ZipError, write::SimpleFileOptions};

use super::{
    Blobs, Store, StoreError,
    blobs::{PIECE, in_use},
    images, options,
};

/// The tables. Those that others refer to come first.
const TABLES: [&str; 24] = [
    "boundary",
    "ip_filter",
    "role",
    "account",
    "account_role",
    "token_pair",
    "personal_token",
    "policy",
    "script",
    "script_version",
    "script_role",
    "object",
    "object_role",
    "image",
    "image_file",
    "project",
    "project_published",
    "snapshot",
    "service",
    "service_version",
    "suspended",
    "batch",
    "batch_item",
    "batch_file",
];
/// The database in the ZIP file.
const DATABASE: &str = "offshoot.db";
/// The folder of the contents in the ZIP file.
const CONTENTS: &str = "contents/";

/// A backup could not be written or read.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// The file is no backup, or a damaged one; the text says what is wrong.
    #[error("{0}")]
    Unusable(String),
    /// The file could not be read or written.
    #[error(transparent)]
    File(#[from] io::Error),
    /// As a ZIP file.
    #[error("not a usable ZIP file")]
    Zip(#[from] ZipError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<sqlx::Error> for BackupError {
    fn from(error: sqlx::Error) -> Self {
        Self::Store(error.into())
    }
}

impl Store {
    /// Writes everything to `file`, as it is at one moment; the server may be running. Objects that are deleted when a
    /// login ends are left out.
    ///
    /// # Errors
    /// [`BackupError`]
    pub async fn backup(&self, file: impl Write + Seek) -> Result<(), BackupError> {
        let _keeping = self.blobs.keep().await?;
        let folder = self.scratch()?;
        let copy = folder.path().join(DATABASE);
        query("VACUUM INTO $1").bind(copy.to_string_lossy()).execute(&self.pool).await?;
        write(&copy, &self.blobs, file).await
    }

    /// Replaces everything by what is in `file`, in one transaction. A running server ends its logins and sessions.
    ///
    /// # Errors
    /// [`BackupError`]; nothing has been changed then.
    pub async fn restore(&self, file: impl Read + Seek) -> Result<(), BackupError> {
        let keeping = self.blobs.keep().await?;
        let folder = self.scratch()?;
        let copy = folder.path().join(DATABASE);
        let mut archive = ZipArchive::new(file)?;
        match archive.by_name(DATABASE) {
            Ok(entry) => extract(entry, File::create(&copy)?)?,
            Err(ZipError::FileNotFound) => return Err(BackupError::Unusable("this is no backup of an Offshoot store".to_owned())),
            Err(error) => return Err(error.into()),
        };
        let ours: i64 = query_scalar("SELECT max(version) FROM _sqlx_migrations").fetch_one(&self.pool).await?;
        let (theirs, needed) = inspect(&copy).await?;
        if theirs != ours {
            return Err(BackupError::Unusable(format!(
                "the backup is of version {theirs} of the store, and this is version {ours}: use the same release of Offshoot for both"
            )));
        }
        let mut present = HashSet::new();
        for at in 0..archive.len() {
            let entry = archive.by_index(at)?;
            let Some(hash) = entry.name()?.strip_prefix(CONTENTS).map(str::to_owned) else { continue };
            let mut content = extract(entry, tempfile::tempfile_in(folder.path())?)?;
            content.rewind()?;
            if self.blobs.put(&keeping, tokio::fs::File::from_std(content)).await?.hash != hash {
                return Err(BackupError::Unusable(format!("the backup is damaged: the content {hash} is another")));
            }
            present.insert(hash);
        }
        if let Some(missing) = needed.difference(&present).next() {
            return Err(BackupError::Unusable(format!("the backup is damaged: the content {missing} is missing")));
        }
        replace(&self.file, &copy).await
    }

    /// A temporary folder beside the store, which only its owner can enter.
    fn scratch(&self) -> io::Result<TempDir> {
        tempfile::Builder::new().prefix("backup-").tempdir_in(self.file.parent().unwrap_or(Path::new(".")))
    }
}

/// Writes an entry of the ZIP file into `file`. If the entry is damaged, reading it fails.
fn extract(mut entry: impl Read, mut file: File) -> Result<File, BackupError> {
    let mut piece = vec![0; PIECE];
    loop {
        match entry.read(&mut piece) {
            Ok(0) => return Ok(file),
            Ok(count) => file.write_all(&piece[..count])?,
            Err(error) => return Err(BackupError::Unusable(format!("the backup is damaged: {error}"))),
        }
    }
}

async fn write(database: &Path, blobs: &Blobs, file: impl Write + Seek) -> Result<(), BackupError> {
    let mut connection = SqliteConnection::connect_with(&options(database)).await?;
    query("DELETE FROM object WHERE login IS NOT NULL").execute(&mut connection).await?;
    // Otherwise what was ended since would be good again.
    query("DELETE FROM token_pair").execute(&mut connection).await?;
    images::forget_unnamed(&mut connection).await?;
    let contents = in_use(&mut connection).await?;
    // Moves everything from SQLite's write-ahead log into the file.
    query("PRAGMA journal_mode = DELETE").execute(&mut connection).await?;
    connection.close().await?;
    let mut archive = ZipWriter::new(BufWriter::new(file));
    let compressed = SimpleFileOptions::default().compression_method(CompressionMethod::Deflated).large_file(true);
    archive.start_file(DATABASE, compressed)?;
    io::copy(&mut BufReader::new(File::open(database)?), &mut archive)?;
    for hash in contents {
        archive.start_file(format!("{CONTENTS}{hash}"), compressed)?;
        let mut content = blobs.get(&hash).await?;
        while let Some(piece) = content.next().await {
            archive.write_all(&piece.map_err(StoreError::from)?)?;
        }
    }
    archive.finish()?.flush()?;
    Ok(())
}

/// The version of a database's tables, and the contents that it refers to.
async fn inspect(database: &Path) -> Result<(i64, HashSet<String>), BackupError> {
    let unusable = |_| BackupError::Unusable("the backup is damaged: its database cannot be read".to_owned());
    let mut connection = SqliteConnection::connect_with(&SqliteConnectOptions::new().filename(database)).await.map_err(unusable)?;
    let version = query_scalar("SELECT max(version) FROM _sqlx_migrations").fetch_one(&mut connection).await.map_err(unusable)?;
    let contents = in_use(&mut connection).await.map_err(unusable)?;
    connection.close().await?;
    Ok((version, contents))
}

/// Replaces the rows of all tables, in one transaction.
async fn replace(database: &Path, copy: &Path) -> Result<(), BackupError> {
    let mut connection = SqliteConnection::connect_with(&options(database)).await?;
    query("ATTACH $1 AS backup").bind(copy.to_string_lossy()).execute(&mut connection).await?;
    let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
    query("PRAGMA defer_foreign_keys = ON").execute(&mut *transaction).await?;
    for table in TABLES.iter().rev() {
        query(sqlx::AssertSqlSafe(format!("DELETE FROM main.{table}"))).execute(&mut *transaction).await?;
    }
    for table in TABLES {
        query(sqlx::AssertSqlSafe(format!("INSERT INTO main.{table} SELECT * FROM backup.{table}"))).execute(&mut *transaction).await?;
    }
    query("UPDATE main.generation SET id = lower(hex(randomblob(16)))").execute(&mut *transaction).await?;
    transaction.commit().await?;
    Ok(connection.close().await?)
}
