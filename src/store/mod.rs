//! What outlives the server: accounts, for now.
//!
//! The interface is in terms of the domain; SQLite stands behind it. Migrations are numbered files in
//! `migrations/`, applied at the start.

mod accounts;

use std::path::Path;

use sqlx::{
    SqlitePool,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};

pub use accounts::{Account, AccountError};

/// The file in the data folder.
const FILE: &str = "offshoot.db";

/// The store; cheap to clone.
#[derive(Debug, Clone)]
pub struct Store {
    pool: SqlitePool,
}

/// The store failed.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database did.
    #[error("the store failed")]
    Database(#[from] sqlx::Error),
    /// Its tables could not be brought up to date.
    #[error("the store's tables could not be brought up to date")]
    Migration(#[from] sqlx::migrate::MigrateError),
    /// Its folder is not usable.
    #[error("the data folder is not usable")]
    Folder(#[from] std::io::Error),
}

impl Store {
    /// Opens the store in the folder `data`, and makes it if it is not there.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn open(data: &Path) -> Result<Self, StoreError> {
        use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
        std::fs::DirBuilder::new().recursive(true).mode(0o711).create(data)?;
        let file = data.join(FILE);
        let options = SqliteConnectOptions::new()
            .filename(&file)
            .foreign_keys(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Normal)
            .busy_timeout(std::time::Duration::from_secs(10));
        // The files beside it are made with its rights.
        std::fs::OpenOptions::new().create(true).append(true).mode(0o600).open(&file)?;
        let pool = SqlitePoolOptions::new().max_connections(4).connect_with(options).await?;
        sqlx::migrate!().run(&pool).await?;
        Ok(Self { pool })
    }

    /// Closes the store.
    pub async fn close(&self) {
        self.pool.close().await;
    }
}

/// Now, in the store's measure.
fn now() -> i64 {
    jiff::Timestamp::now().as_microsecond()
}
