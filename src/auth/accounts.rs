//! Accounts: made at the first start, and checked at each login.

use std::sync::Arc;

use tokio::sync::Semaphore;

use super::password;
use crate::store::{Account, AccountError, Store, StoreError};

/// Checks at the same time: each takes memory and a processor.
const CHECKS: usize = 2;

/// A name and a password did not let anybody in.
#[derive(Debug, thiserror::Error)]
pub enum AuthError {
    /// Which of the two is wrong is not told.
    #[error("the user name or the password is wrong")]
    Credentials,
    /// The password is right, and the account is disabled.
    #[error("the account is disabled")]
    Disabled,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The accounts; cheap to clone.
#[derive(Debug, Clone)]
pub struct Accounts {
    store: Store,
    checks: Arc<Semaphore>,
    /// The hash of a password that nobody has: a check takes the same time whether the account exists or not.
    nobody: Arc<str>,
}

impl Accounts {
    /// The accounts of a store.
    #[must_use]
    pub fn new(store: Store) -> Self {
        let nobody = password::hash(&password::generate().unwrap_or_default()).into();
        Self { store, checks: Arc::new(Semaphore::new(CHECKS)), nobody }
    }

    /// Makes the accounts that every server has, unless there are accounts already: `admin` with this
    /// password, and `testmanager` and `testuser`, which cannot log in before they are given a password and
    /// enabled. With `demonstration`, all three have the same password and are enabled.
    ///
    /// Returns whether they were made.
    ///
    /// # Errors
    /// [`AccountError`]
    pub async fn create_first(&self, admin_password: &str, demonstration: bool) -> Result<bool, AccountError> {
        if !self.store.account_list().await?.is_empty() {
            return Ok(false);
        }
        for (name, display_name) in [("admin", "System Administrator"), ("testmanager", "Test Manager"), ("testuser", "Test User")] {
            let known = demonstration || name == "admin";
            let password = if known { admin_password.to_owned() } else { password::generate().unwrap_or_default() };
            self.add(name, display_name, password, known).await?;
        }
        Ok(true)
    }

    /// Adds an account.
    ///
    /// # Errors
    /// [`AccountError`]
    pub async fn add(&self, name: &str, display_name: &str, password: String, enabled: bool) -> Result<(), AccountError> {
        let password_hash = hash(password).await;
        let account = Account { name: name.to_owned(), display_name: display_name.to_owned(), password_hash, enabled };
        self.store.account_add(&account).await
    }

    /// Sets a password.
    ///
    /// # Errors
    /// [`AccountError`]
    pub async fn set_password(&self, name: &str, password: String) -> Result<(), AccountError> {
        self.store.account_set_password(name, &hash(password).await).await
    }

    /// The account that `name` and a password belong to. `digests` are what the password may be the digest of:
    /// the first that is right counts.
    ///
    /// # Errors
    /// [`AuthError`]
    pub async fn check(&self, name: &str, digests: Vec<String>) -> Result<Account, AuthError> {
        let account = self.store.account(name).await?;
        let hash = account.as_ref().map_or_else(|| self.nobody.to_string(), |account| account.password_hash.clone());
        let permit = Arc::clone(&self.checks).acquire_owned().await;
        let right = tokio::task::spawn_blocking(move || {
            let _permit = permit;
            digests.iter().any(|digest| password::verify(digest, &hash))
        });
        match account {
            Some(account) if right.await.unwrap_or(false) => {
                if account.enabled {
                    Ok(account)
                } else {
                    Err(AuthError::Disabled)
                }
            }
            _ => Err(AuthError::Credentials),
        }
    }
}

async fn hash(password: String) -> String {
    tokio::task::spawn_blocking(move || password::hash(&password)).await.unwrap_or_default()
}
