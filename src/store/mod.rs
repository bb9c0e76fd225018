//! What the server remembers when it is stopped: accounts and their rights, scripts, objects, projects, policies.
//!
//! The methods speak of accounts, scripts and so on. Behind them are SQLite and, for contents, a [blob store](blobs).
//! Migrations are numbered files in `migrations/`, applied at the start. Several processes may work on one
//! store: the server and the command line.

pub mod access;
pub mod accounts;
pub mod archive;
pub mod backup;
pub mod batches;
pub mod blobs;
pub mod boundaries;
pub mod changes;
pub mod filters;
pub mod images;
mod left_workspaces;
mod names;
pub mod objects;
pub mod personal_tokens;
pub mod policies;
mod probe;
pub mod projects;
pub mod roles;
pub mod rules;
pub mod scripts;
pub mod service_files;
pub mod services;
pub mod snapshots;
pub mod tokens;

use std::path::{Path, PathBuf};

use sqlx::{
    Connection, Row, SqliteConnection, SqlitePool,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteRow, SqliteSynchronous},
};
use uuid::Uuid;

pub use access::Access;
pub use accounts::Account;
pub use blobs::{Blob, Blobs};
use names::Named;
pub use personal_tokens::PersonalToken;

/// The file in the data folder.
const FILE: &str = "offshoot.db";

/// The store; cheap to clone.
#[derive(Debug, Clone)]
pub struct Store {
    pool: SqlitePool,
    /// The contents.
    pub blobs: Blobs,
    file: PathBuf,
}

/// The store failed.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database has failed.
    #[error("the store failed")]
    Database(#[from] sqlx::Error),
    /// Its tables could not be brought up to date.
    #[error("the store's tables could not be brought up to date")]
    Migration(#[from] sqlx::migrate::MigrateError),
    /// A file in its folder cannot be read or written.
    #[error("a file in the data folder could not be read or written")]
    File(#[from] std::io::Error),
    /// The blob store has failed.
    #[error("the contents in the store could not be read or written")]
    Contents(#[from] object_store::Error),
}

/// Something in the store could not be changed.
#[derive(Debug, thiserror::Error)]
pub enum ChangeError {
    /// There is nothing of that name.
    #[error("there is no {kind} {name:?}")]
    Unknown {
        /// "account", "role"...
        kind: &'static str,
        /// The name that was asked for.
        name: String,
    },
    /// The name is taken.
    #[error("the {kind} {name:?} is there already")]
    Exists {
        /// "account", "role"...
        kind: &'static str,
        /// The name that is taken.
        name: String,
    },
    /// It belongs to somebody else.
    #[error("the {kind} {name:?} is somebody else's")]
    NotYours {
        /// "service"...
        kind: &'static str,
        /// The name that was asked for.
        name: String,
    },
    /// The change makes no sense; the text says why.
    #[error("{0}")]
    Invalid(String),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl ChangeError {
    fn unknown(kind: &'static str, name: &str) -> Self {
        Self::Unknown { kind, name: name.to_owned() }
    }

    fn exists(kind: &'static str, name: &str) -> Self {
        Self::Exists { kind, name: name.to_owned() }
    }
}

impl From<sqlx::Error> for ChangeError {
    fn from(error: sqlx::Error) -> Self {
        Self::Store(error.into())
    }
}

impl Store {
    /// Opens the store in the folder `data`, and makes it if it is not there.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn open(data: &Path) -> Result<Self, StoreError> {
        use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
        if !data.exists() {
            std::fs::create_dir_all(data)?;
            // Whatever the umask is: the users of sessions pass through it.
            std::fs::set_permissions(data, std::fs::Permissions::from_mode(0o711))?;
        }
        let file = data.join(FILE);
        // SQLite gives the files beside it the same permissions.
        std::fs::OpenOptions::new().create(true).append(true).mode(0o600).open(&file)?;
        let pool = SqlitePoolOptions::new().max_connections(4).connect_with(options(&file)).await?;
        sqlx::migrate!().run(&pool).await?;
        let blobs = Blobs::open(&data.join("blobs"))?;
        Ok(Self { pool, blobs, file })
    }

    /// The user id that the store in the folder `data` belongs to; `None` where there is no store.
    ///
    /// # Errors
    /// When the folder cannot be looked into.
    pub fn owner(data: &Path) -> std::io::Result<Option<u32>> {
        use std::os::unix::fs::MetadataExt;
        match std::fs::metadata(data.join(FILE)) {
            Ok(file) => Ok(Some(file.uid())),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Closes the store.
    pub async fn close(&self) {
        self.pool.close().await;
    }

    /// Watches for changes of the store, whichever process makes them.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn watch(&self) -> Result<Watch, StoreError> {
        let connection = SqliteConnection::connect_with(&options(&self.file)).await?;
        Ok(Watch { connection, seen: None })
    }
}

/// See [`Store::watch`].
#[derive(Debug)]
pub struct Watch {
    /// A connection that never writes: what SQLite then tells it of writes are those of others.
    connection: SqliteConnection,
    seen: Option<i64>,
}

impl Watch {
    /// Whether something was written since the last call. The first call says so in any case.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn changed(&mut self) -> Result<bool, StoreError> {
        let now: i64 = sqlx::query_scalar("PRAGMA data_version").fetch_one(&mut self.connection).await?;
        Ok(self.seen.replace(now) != Some(now))
    }

    /// Makes the next call of `changed` say that something was written, because the last change could not be read.
    pub fn forget(&mut self) {
        self.seen = None;
    }
}

fn options(file: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(file)
        .foreign_keys(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Normal)
        .busy_timeout(std::time::Duration::from_secs(10))
}

/// The time now, as the store has it: in microseconds since 1970.
fn now() -> i64 {
    jiff::Timestamp::now().as_microsecond()
}

/// Splits a list that is kept in one column. Its words are separated by blanks.
fn words(text: &str) -> Vec<String> {
    text.split_ascii_whitespace().map(str::to_owned).collect()
}

/// Reads an identity from a column.
fn uuid(row: &SqliteRow, column: &str) -> sqlx::Result<Uuid> {
    row.try_get::<&str, _>(column)?.parse().map_err(|error| sqlx::Error::ColumnDecode { index: column.to_owned(), source: Box::new(error) })
}

/// Reads a content from two columns: its hash and its size.
fn blob(row: &SqliteRow, column: &str) -> sqlx::Result<Blob> {
    Ok(Blob { hash: row.try_get(column)?, size: bytes(row, "size")? })
}

/// Reads a size from a column.
fn bytes(row: &SqliteRow, column: &str) -> sqlx::Result<u64> {
    Ok(u64::try_from(row.try_get::<i64, _>(column)?).unwrap_or(0))
}

/// A size as SQLite keeps it.
fn size(blob: &Blob) -> i64 {
    i64::try_from(blob.size).unwrap_or(i64::MAX)
}
