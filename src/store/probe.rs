//! Whether the store can be written.

use std::io::Write;

use super::{Store, StoreError};

impl Store {
    /// Tries to write: locks the database for writing, and makes a file beside it. Leaves nothing behind.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn probe(&self) -> Result<(), StoreError> {
        self.pool.begin_with("BEGIN IMMEDIATE").await?.rollback().await?;
        let path = self.file.with_extension("probe");
        let written = tokio::task::spawn_blocking(move || {
            let mut file = std::fs::File::create(&path)?;
            file.write_all(&[0; 4096])?;
            file.sync_data()?;
            std::fs::remove_file(path)
        });
        Ok(written.await.map_err(std::io::Error::other)??)
    }
}
