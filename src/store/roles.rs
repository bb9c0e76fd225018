//! Roles: those of the system, and those that administrators make.

use sqlx::{FromRow, Row, SqliteConnection, query, query_as, query_scalar, sqlite::SqliteRow};

use super::{ChangeError, Named, Store, StoreError, now, words};

/// A role: it gives rights to the accounts that have it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Role {
    /// Its name; unique.
    pub name: String,
    /// What it is for.
    pub description: String,
    /// Whether it is one of the system's own, which cannot be changed.
    pub system: bool,
    /// Paths of the calls that it grants: `/r/script/list`.
    pub calls: Vec<String>,
}

impl FromRow<'_, SqliteRow> for Role {
    fn from_row(row: &SqliteRow) -> sqlx::Result<Self> {
        Ok(Self {
            name: row.try_get("name")?,
            description: row.try_get("description")?,
            system: row.try_get("system")?,
            calls: words(row.try_get("calls")?),
        })
    }
}

const KIND: &str = "role";

impl Store {
    /// All roles, by name.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn role_list(&self) -> Result<Vec<Role>, StoreError> {
        Ok(query_as("SELECT * FROM role ORDER BY name").fetch_all(&self.pool).await?)
    }

    /// Makes a role, or changes one.
    ///
    /// # Errors
    /// [`ChangeError::Invalid`] for a system role or a malformed name, [`ChangeError::Store`]
    pub async fn role_put(&self, name: &str, description: Option<&str>, calls: Option<&[String]>) -> Result<(), ChangeError> {
        Named::Role.check(name)?;
        let put = query(
            "INSERT INTO role (name, description, system, calls, changed) VALUES ($1, coalesce($2, ''), 0, coalesce($3, ''), $4)
             ON CONFLICT (name) DO UPDATE SET description = coalesce($2, description), calls = coalesce($3, calls), changed = $4
             WHERE system = 0",
        )
        .bind(name)
        .bind(description)
        .bind(calls.map(|calls| calls.join(" ")))
        .bind(now())
        .execute(&self.pool)
        .await?;
        if put.rows_affected() == 0 { Err(is_system(name)) } else { Ok(()) }
    }

    /// Gives a role another name; whoever had it keeps it.
    ///
    /// # Errors
    /// [`ChangeError`]
    pub async fn role_rename(&self, name: &str, to: &str) -> Result<(), ChangeError> {
        Named::Role.check(to)?;
        let mut transaction = self.pool.begin_with("BEGIN IMMEDIATE").await?;
        require_own(&mut transaction, name).await?;
        if exists(&mut transaction, to).await? {
            return Err(ChangeError::exists(KIND, to));
        }
        let renamed = query("UPDATE role SET name = $2, changed = $3 WHERE name = $1");
        renamed.bind(name).bind(to).bind(now()).execute(&mut *transaction).await?;
        Ok(transaction.commit().await?)
    }

    /// Removes a role, also from accounts, scripts and objects that have it.
    ///
    /// # Errors
    /// [`ChangeError`]
    pub async fn role_remove(&self, name: &str) -> Result<(), ChangeError> {
        let mut transaction = self.pool.begin_with("BEGIN IMMEDIATE").await?;
        require_own(&mut transaction, name).await?;
        query("DELETE FROM role WHERE name = $1").bind(name).execute(&mut *transaction).await?;
        Ok(transaction.commit().await?)
    }
}

/// Checks that there is such a role.
pub(super) async fn require(connection: &mut SqliteConnection, name: &str) -> Result<(), ChangeError> {
    if exists(connection, name).await? { Ok(()) } else { Err(ChangeError::unknown(KIND, name)) }
}

async fn exists(connection: &mut SqliteConnection, name: &str) -> Result<bool, StoreError> {
    Ok(query_scalar("SELECT EXISTS (SELECT 1 FROM role WHERE name = $1)").bind(name).fetch_one(connection).await?)
}

async fn require_own(connection: &mut SqliteConnection, name: &str) -> Result<(), ChangeError> {
    let system: Option<bool> = query_scalar("SELECT system FROM role WHERE name = $1").bind(name).fetch_optional(connection).await?;
    match system {
        None => Err(ChangeError::unknown(KIND, name)),
        Some(true) => Err(is_system(name)),
        Some(false) => Ok(()),
    }
}

fn is_system(name: &str) -> ChangeError {
    ChangeError::Invalid(format!("{name} is a system role, which cannot be changed"))
}
