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
    /// Nothing is kept for an owner that is no account.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn left_workspace_put(&self, owner: &str, content: &Blob, _keeping: &Keeping) -> Result<(), StoreError> {
        query("INSERT OR REPLACE INTO left_workspace (owner, blob, size, created) SELECT name, $2, $3, $4 FROM account WHERE name = $1")
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

#[cfg(test)]
mod tests {
    use crate::store::{Account, Store};

    #[tokio::test]
    async fn an_account_has_one_at_most_and_others_have_none() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).await.unwrap();
        store.account_add(&Account { name: "ada".to_owned(), display_name: "Ada".to_owned(), ..Account::default() }).await.unwrap();
        let keeping = store.blobs.keep().await.unwrap();
        for content in ["one", "two"] {
            let blob = store.blobs.put(&keeping, content.as_bytes()).await.unwrap();
            for owner in ["ada", "nobody"] {
                store.left_workspace_put(owner, &blob, &keeping).await.unwrap();
            }
            assert_eq!(store.left_workspace("ada").await.unwrap(), Some(blob));
            assert_eq!(store.left_workspace("nobody").await.unwrap(), None);
        }
        drop(keeping);
        assert_eq!(store.collect_blobs().await.unwrap(), 1);
        store.left_workspace_remove("ada").await.unwrap();
        assert_eq!(store.left_workspace("ada").await.unwrap(), None);
        assert_eq!(store.collect_blobs().await.unwrap(), 1);
    }
}
