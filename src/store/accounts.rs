//! Accounts.

use sqlx::{FromRow, query, query_as};

use super::{Store, StoreError, now};

/// An account.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct Account {
    /// The name to log in with; unique.
    pub name: String,
    /// The name to show.
    pub display_name: String,
    /// argon2 in PHC notation; see [`crate::auth::password`].
    pub password_hash: String,
    /// Whether it can log in.
    pub enabled: bool,
}

/// An account could not be changed.
#[derive(Debug, thiserror::Error)]
pub enum AccountError {
    /// There is none of that name.
    #[error("there is no account {0:?}")]
    Unknown(String),
    /// There is one of that name already.
    #[error("there is an account {0:?} already")]
    Exists(String),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<sqlx::Error> for AccountError {
    fn from(error: sqlx::Error) -> Self {
        Self::Store(error.into())
    }
}

impl Store {
    /// The account of that name.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn account(&self, name: &str) -> Result<Option<Account>, StoreError> {
        let found = query_as("SELECT name, display_name, password_hash, enabled FROM account WHERE name = $1");
        Ok(found.bind(name).fetch_optional(&self.pool).await?)
    }

    /// All accounts, by name.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn account_list(&self) -> Result<Vec<Account>, StoreError> {
        let all = query_as("SELECT name, display_name, password_hash, enabled FROM account ORDER BY name");
        Ok(all.fetch_all(&self.pool).await?)
    }

    /// Adds an account.
    ///
    /// # Errors
    /// [`AccountError::Exists`], [`AccountError::Store`]
    pub async fn account_add(&self, account: &Account) -> Result<(), AccountError> {
        let added = query(
            "INSERT INTO account (name, display_name, password_hash, enabled, created, changed)
             VALUES ($1, $2, $3, $4, $5, $5) ON CONFLICT (name) DO NOTHING",
        )
        .bind(&account.name)
        .bind(&account.display_name)
        .bind(&account.password_hash)
        .bind(account.enabled)
        .bind(now())
        .execute(&self.pool)
        .await?;
        if added.rows_affected() == 0 { Err(AccountError::Exists(account.name.clone())) } else { Ok(()) }
    }

    /// Sets the password of an account, as a hash.
    ///
    /// # Errors
    /// [`AccountError::Unknown`], [`AccountError::Store`]
    pub async fn account_set_password(&self, name: &str, hash: &str) -> Result<(), AccountError> {
        let changed = query("UPDATE account SET password_hash = $2, changed = $3 WHERE name = $1");
        let changed = changed.bind(name).bind(hash).bind(now()).execute(&self.pool).await?;
        if changed.rows_affected() == 0 { Err(AccountError::Unknown(name.to_owned())) } else { Ok(()) }
    }

    /// Lets an account log in, or not.
    ///
    /// # Errors
    /// [`AccountError::Unknown`], [`AccountError::Store`]
    pub async fn account_enable(&self, name: &str, enabled: bool) -> Result<(), AccountError> {
        let changed = query("UPDATE account SET enabled = $2, changed = $3 WHERE name = $1");
        let changed = changed.bind(name).bind(enabled).bind(now()).execute(&self.pool).await?;
        if changed.rows_affected() == 0 { Err(AccountError::Unknown(name.to_owned())) } else { Ok(()) }
    }
}
