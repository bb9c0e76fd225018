//! R boundaries: what the sessions of an account, or the runs of a script, may use.

use serde::Serialize;
use sqlx::{FromRow, SqliteConnection, query, query_as, query_scalar};

use super::{
    ChangeError, Named, Store, StoreError, now,
    policies::{Shape, require_unnamed},
};
use crate::config::NetworkMode;

/// A boundary. 0 is no limit.
#[derive(Debug, Clone, PartialEq, Eq, FromRow, Serialize)]
pub struct Boundary {
    /// Its name; unique.
    pub name: String,
    /// Processor time of one operation, in seconds.
    pub cpu_seconds: i64,
    /// Memory that a session may allocate, in MiB.
    pub memory_mib: i64,
    /// The network that a session has; `None` for that of the settings.
    pub network: Option<NetworkMode>,
}

const KIND: &str = "boundary";

impl Store {
    /// All boundaries, by name.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn boundary_list(&self) -> Result<Vec<Boundary>, StoreError> {
        Ok(query_as("SELECT name, cpu_seconds, memory_mib, network FROM boundary ORDER BY name").fetch_all(&self.pool).await?)
    }

    /// Makes a boundary, or changes it.
    ///
    /// # Errors
    /// [`ChangeError::Invalid`] for a name that cannot be one, [`ChangeError::Store`]
    pub async fn boundary_put(&self, boundary: &Boundary) -> Result<(), ChangeError> {
        Named::Boundary.check(&boundary.name)?;
        query(
            "INSERT INTO boundary (name, cpu_seconds, memory_mib, network, changed) VALUES ($1, $2, $3, $4, $5)
             ON CONFLICT (name) DO UPDATE SET cpu_seconds = $2, memory_mib = $3, network = $4, changed = $5",
        )
        .bind(&boundary.name)
        .bind(boundary.cpu_seconds)
        .bind(boundary.memory_mib)
        .bind(boundary.network)
        .bind(now())
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// Removes a boundary, unless a policy names it; accounts and scripts that had it have none.
    ///
    /// # Errors
    /// [`ChangeError`]
    pub async fn boundary_remove(&self, name: &str) -> Result<(), ChangeError> {
        let mut transaction = self.pool.begin_with("BEGIN IMMEDIATE").await?;
        require(&mut transaction, name).await?;
        require_unnamed(&mut transaction, Shape::Boundary, name).await?;
        query("DELETE FROM boundary WHERE name = $1").bind(name).execute(&mut *transaction).await?;
        Ok(transaction.commit().await?)
    }
}

/// Checks that there is such a boundary.
pub(super) async fn require(connection: &mut SqliteConnection, name: &str) -> Result<(), ChangeError> {
    let found = query_scalar("SELECT EXISTS (SELECT 1 FROM boundary WHERE name = $1)");
    if found.bind(name).fetch_one(connection).await? { Ok(()) } else { Err(ChangeError::unknown(KIND, name)) }
}
