//! Workspaces that interactive sessions have left for the next one of their owner. An account has one at most.

use sqlx::{Row, query};

use super::{Blob, Store, StoreError, blobs::Keeping, bytes, now, size};

impl Store {
    /// What an account's last interactive session has left.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn left_workspace(&self, owner: &str) -> Result<Option<Blob>, StoreError> {
        let found = query("SELECT blob, size FROM left_workspace WHERE owner = $1").bind(owner).fetch_optional(&self.pool).await?;
        Ok(found.map(|row| Ok::<_, sqlx::Error>(Blob { hash: row.try_get("blob")?, size: bytes(&row, "size")? })).transpose()?)
    }

    /// Keeps what an interactive session leaves, in the place of what an earlier one has left. The content was written under `_keeping`.
    ///
    /// # Errors
    /// [`StoreError`], also when there is no such account.
    pub async fn left_workspace_put(&self, owner: &str, content: &Blob, _keeping: &Keeping) -> Result<(), StoreError> {
        query("INSERT OR REPLACE INTO left_workspace (owner, blob, size, created) VALUES ($1, $2, $3, $4)")
            .bind(owner)
            .bind(&content.hash)
            .bind(size(content))
            .bind(now())
            .execute(&self.pool)
            .await?;
        Ok(())
    }

    /// Forgets it.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn left_workspace_remove(&self, owner: &str) -> Result<(), StoreError> {
        query("DELETE FROM left_workspace WHERE owner = $1").bind(owner).execute(&self.pool).await?;
        Ok(())
    }
}
