//! Accounts: created at the first start, changed and removed. [`super::authentication`] checks who wants to use them.

use std::{path::Path, sync::Arc, time::Duration};

use super::{
    Issuers, LiveRules, Tokens, authentication::Recalled, guessing::Guessing, hashing::Hashing, password, permissions::role,
    remembered::Remembered, sources::AccountSource, strength,
};
use crate::{
    config,
    store::{
        Account, ChangeError, Store,
        accounts::{AccountChange, LOCAL},
    },
};

/// Every server has this account, and keeps it.
const ADMIN: &str = "admin";

/// An account to be created.
#[derive(Debug, Clone, Default)]
pub struct NewAccount {
    /// The name for logging in.
    pub name: String,
    /// The name for display.
    pub display_name: String,
    /// The password as the user types it.
    pub password: String,
    /// Whether the account can log in.
    pub enabled: bool,
    /// Its roles.
    pub roles: Vec<String>,
    /// The name of its boundary.
    pub boundary: Option<String>,
}

/// The accounts; cheap to clone.
#[derive(Debug, Clone)]
pub struct Accounts {
    pub(super) store: Store,
    pub(super) rules: LiveRules,
    pub(super) hashing: Hashing,
    pub(super) sources: Arc<[AccountSource]>,
    pub(super) guessing: Arc<Guessing>,
    pub(super) remembered: Arc<Remembered<Recalled>>,
    /// For how long.
    pub(super) remember: Duration,
}

impl Accounts {
    /// The accounts of a store, and of the sources that the settings name.
    ///
    /// # Errors
    /// A sentence that names the setting at fault.
    pub fn new(store: Store, rules: LiveRules, settings: &config::Auth) -> Result<Self, String> {
        Ok(Self {
            store,
            rules,
            hashing: Hashing::default(),
            sources: AccountSource::all(settings)?.into(),
            guessing: Arc::default(),
            remembered: Arc::default(),
            remember: Duration::from_secs(settings.remember_seconds),
        })
    }

    /// The names of the sources of accounts, in the order in which they are asked.
    #[must_use]
    pub fn source_names(&self) -> Vec<&str> {
        self.sources.iter().map(AccountSource::name).collect()
    }

    /// Tokens for these accounts, with keys in this data folder.
    #[must_use]
    pub fn tokens(&self, settings: &config::Auth, data: &Path) -> Tokens {
        Tokens::new(self.store.clone(), self.rules.clone(), self.hashing.clone(), settings, data)
    }

    /// Issuers outside this server, whose bearers have accounts here.
    ///
    /// # Errors
    /// A sentence that names the setting at fault.
    pub fn issuers(&self, settings: &config::Auth) -> Result<Issuers, String> {
        Issuers::new(self, settings)
    }

    /// Creates the accounts that every server has, unless there are accounts already: `admin` with this password, and `testmanager` and
    /// `testuser`, which cannot log in before they are given a password and enabled. With `demonstration`, all three have the same password
    /// and are enabled.
    ///
    /// Returns whether the accounts were created.
    ///
    /// # Errors
    /// [`ChangeError`]
    pub async fn create_first(&self, admin_password: &str, demonstration: bool) -> Result<bool, ChangeError> {
        if !self.store.account_list().await?.is_empty() {
            return Ok(false);
        }
        if !demonstration {
            check_strength(ADMIN, &[role::ADMINISTRATOR.to_owned()], admin_password)?;
        }
        let first: [(&str, &str, &[&str]); 3] = [
            (ADMIN, "System Administrator", &[role::ADMINISTRATOR, role::POWER_USER]),
            ("testmanager", "Test Manager", &[role::SCRIPT_MANAGER, role::POWER_USER]),
            ("testuser", "Test User", &[role::POWER_USER]),
        ];
        let hash = self.hash(admin_password.to_owned()).await;
        for (name, display_name, roles) in first {
            let enabled = demonstration || name == ADMIN;
            let account = Account {
                name: name.to_owned(),
                display_name: display_name.to_owned(),
                password_hash: if enabled { hash.clone() } else { password::OF_NOBODY.to_owned() },
                enabled,
                roles: roles.iter().map(|&role| role.to_owned()).collect(),
                ..Account::default()
            };
            self.store.account_add(&account).await?;
        }
        self.rules.refresh().await?;
        Ok(true)
    }

    /// Adds an account.
    ///
    /// # Errors
    /// [`ChangeError`]; [`ChangeError::Invalid`] also for an administrator whose password is weak.
    pub async fn add(&self, new: NewAccount) -> Result<(), ChangeError> {
        check_strength(&new.name, &new.roles, &new.password)?;
        self.insert(new).await
    }

    /// Adds an account, whatever its password is.
    async fn insert(&self, new: NewAccount) -> Result<(), ChangeError> {
        let account = Account {
            name: new.name,
            display_name: new.display_name,
            password_hash: self.hash(new.password).await,
            enabled: new.enabled,
            boundary: new.boundary,
            roles: new.roles,
            ..Account::default()
        };
        self.store.account_add(&account).await?;
        Ok(self.rules.refresh().await?)
    }

    /// Sets a password.
    ///
    /// # Errors
    /// [`ChangeError`], as for [`Self::add`].
    pub async fn set_password(&self, name: &str, password: String) -> Result<(), ChangeError> {
        if let Some(account) = self.store.account(name).await? {
            check_strength(name, &account.roles, &password)?;
        }
        let change =
            AccountChange { password_hash: Some(self.hash(password).await), password_expired: Some(false), ..AccountChange::default() };
        self.change(name, &change).await
    }

    /// Changes an account.
    ///
    /// # Errors
    /// [`ChangeError`]; [`ChangeError::Invalid`] for a change that would leave nobody to manage the server.
    pub async fn change(&self, name: &str, change: &AccountChange) -> Result<(), ChangeError> {
        let keeps_out = change.enabled == Some(false) || change.locked == Some(true);
        let takes_role = change.roles.as_ref().is_some_and(|roles| !roles.iter().any(|role| role == role::ADMINISTRATOR));
        if name == ADMIN && (keeps_out || takes_role) {
            return Err(permanent());
        }
        let is_of_source = change.roles.is_some() || change.password_hash.is_some() || change.password_expired.is_some();
        if is_of_source && let Some(account) = self.store.account(name).await?.filter(|account| account.source != LOCAL) {
            return Err(from_elsewhere(&account));
        }
        self.store.account_change(name, change).await?;
        Ok(self.rules.refresh().await?)
    }

    /// Removes an account with everything that belongs to it.
    ///
    /// # Errors
    /// [`ChangeError`], as for [`Self::change`].
    pub async fn remove(&self, name: &str) -> Result<(), ChangeError> {
        if name == ADMIN {
            return Err(permanent());
        }
        self.store.account_remove(name).await?;
        Ok(self.rules.refresh().await?)
    }

    /// Creates an enabled account with these roles, or updates the existing one. `admin` keeps the roles that it has. The password is used
    /// unless there is a hash that another program made.
    ///
    /// # Errors
    /// [`ChangeError`]
    pub async fn declare(&self, mut new: NewAccount, foreign: Option<String>) -> Result<(), ChangeError> {
        if new.name == ADMIN && !new.roles.iter().any(|role| role == role::ADMINISTRATOR) {
            new.roles.push(role::ADMINISTRATOR.to_owned());
        }
        if foreign.is_none() && check_strength(&new.name, &new.roles, &new.password).is_err() {
            // The configuration worked before, with another server perhaps, and has to work here.
            tracing::warn!(user.name = new.name, "the settings declare an administrator whose secret is weak; it is taken all the same");
        }
        let Some(account) = self.store.account(&new.name).await? else {
            let (name, given) = (new.name.clone(), foreign.clone());
            self.insert(new).await?;
            if given.is_some() {
                let change = AccountChange { password_hash: given, ..AccountChange::default() };
                self.store.account_change(&name, &change).await?;
                self.rules.refresh().await?;
            }
            return Ok(());
        };
        if account.source != LOCAL {
            return Err(from_elsewhere(&account));
        }
        let (password, known) = (new.password, account.password_hash.clone());
        let password_hash = match foreign {
            Some(given) => Some(given).filter(|given| *given != known),
            // If the password is the same, it is not hashed again at each start.
            None => self
                .hashing
                .run(move || (!password::verify_plain(&password, &known)).then(|| password::hash(&password)))
                .await
                .unwrap_or_default(),
        };
        let change = AccountChange { password_hash, enabled: Some(true), roles: Some(new.roles), ..AccountChange::default() };
        self.store.account_change(&new.name, &change).await?;
        self.rules.refresh().await?;
        Ok(())
    }

    async fn hash(&self, password: String) -> String {
        self.hashing.run(move || password::hash(&password)).await.unwrap_or_default()
    }
}

/// Checks a password, if it is that of an administrator.
fn check_strength(name: &str, roles: &[String], password: &str) -> Result<(), ChangeError> {
    if !roles.iter().any(|role| role == role::ADMINISTRATOR) {
        return Ok(());
    }
    let refused = |weakness| ChangeError::Invalid(format!("the password of {name}, who is an administrator, is too weak: {weakness}"));
    strength::check(name, password).map_err(refused)
}

fn permanent() -> ChangeError {
    ChangeError::Invalid(format!(
        "the account {ADMIN} manages the server: it can be neither removed, disabled nor locked, and stays {}",
        role::ADMINISTRATOR
    ))
}

fn from_elsewhere(account: &Account) -> ChangeError {
    ChangeError::Invalid(format!(
        "the account {} comes from {}: its password and its roles are changed there",
        account.name, account.source
    ))
}
