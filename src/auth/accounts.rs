//! Accounts: created at the first start, and checked at each login.

use std::{
    net::IpAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use super::{
    LiveRules,
    hashing::{Full, Hashing},
    password,
    permissions::role,
    remembered::Remembered,
};
use crate::{
    store::{Account, ChangeError, Store, StoreError, accounts::AccountChange, policies::Policy},
    telemetry::audit,
};

/// Failed logins after which an account is locked for a while, unless the policy says otherwise.
const LOCK_AFTER: u64 = 10;
/// Seconds for which the account is then locked.
const UNLOCK_SECONDS: u64 = 1800;

/// Every server has this account, and keeps it.
const ADMIN: &str = "admin";

/// Why a name and a password did not let anybody in.
#[derive(Debug, thiserror::Error)]
pub enum AuthError {
    /// We do not say which of the two is wrong.
    #[error("the user name or the password is wrong")]
    Credentials,
    /// The password is right, but the account is disabled.
    #[error("the account is disabled")]
    Disabled,
    /// An administrator has locked the account, or too many logins have failed. The password is not checked.
    #[error("the account is locked")]
    Locked,
    /// The password is right, but has to be changed first.
    #[error("the password has expired; an administrator can set a new one")]
    PasswordExpired,
    /// Too many checks are waiting already, so nothing was checked.
    #[error("too many logins at once come from your address; try again in a moment")]
    TooMany,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

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
    store: Store,
    rules: LiveRules,
    hashing: Hashing,
    remembered: Arc<Remembered>,
    /// The hash of a password that no account has. It is checked when an account does not exist, so that the check takes the same time.
    nobody: Arc<str>,
}

impl Accounts {
    /// The accounts of a store.
    #[must_use]
    pub fn new(store: Store, rules: LiveRules) -> Self {
        let nobody = password::hash(&password::generate().unwrap_or_default()).into();
        Self { store, rules, hashing: Hashing::default(), remembered: Arc::default(), nobody }
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
        let first: [(&str, &str, &[&str]); 3] = [
            (ADMIN, "System Administrator", &[role::ADMINISTRATOR, role::POWER_USER]),
            ("testmanager", "Test Manager", &[role::SCRIPT_MANAGER, role::POWER_USER]),
            ("testuser", "Test User", &[role::POWER_USER]),
        ];
        for (name, display_name, roles) in first {
            let enabled = demonstration || name == ADMIN;
            let account = NewAccount {
                name: name.to_owned(),
                display_name: display_name.to_owned(),
                password: if enabled { admin_password.to_owned() } else { password::generate().unwrap_or_default() },
                enabled,
                roles: roles.iter().map(|&role| role.to_owned()).collect(),
                boundary: None,
            };
            self.add(account).await?;
        }
        Ok(true)
    }

    /// Adds an account.
    ///
    /// # Errors
    /// [`ChangeError`]
    pub async fn add(&self, new: NewAccount) -> Result<(), ChangeError> {
        let account = Account {
            name: new.name,
            display_name: new.display_name,
            password_hash: self.hash(new.password).await,
            enabled: new.enabled,
            locked: false,
            password_expired: false,
            boundary: new.boundary,
            roles: new.roles,
            failures: 0,
            failed_at: 0,
            created: 0,
            changed: 0,
        };
        self.store.account_add(&account).await?;
        Ok(self.rules.refresh().await?)
    }

    /// Sets a password.
    ///
    /// # Errors
    /// [`ChangeError`]
    pub async fn set_password(&self, name: &str, password: String) -> Result<(), ChangeError> {
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

    /// The account with this name and password. `digests` are the digests that the password may have; one of them has to be right, and the
    /// first that is counts. `address` is the client's.
    ///
    /// # Errors
    /// [`AuthError`]
    pub async fn check(&self, name: &str, digests: Vec<String>, address: IpAddr) -> Result<Account, AuthError> {
        self.check_by(name, address, move |hash| digests.iter().any(|digest| password::verify(digest, hash))).await
    }

    /// The account `name`, if its password's hash is right.
    async fn check_by(
        &self,
        name: &str,
        address: IpAddr,
        is_right: impl FnOnce(&str) -> bool + Send + 'static,
    ) -> Result<Account, AuthError> {
        let checked = self.compare(name, address, is_right).await;
        match &checked {
            Ok(_) => audit::login(name, None),
            // Not logged, because a line for each would flood the log as well; the log has the requests.
            Err(AuthError::Store(_) | AuthError::TooMany) => {}
            Err(refused) => audit::login(name, Some(&refused.to_string())),
        }
        checked
    }

    async fn compare(
        &self,
        name: &str,
        address: IpAddr,
        is_right: impl FnOnce(&str) -> bool + Send + 'static,
    ) -> Result<Account, AuthError> {
        let account = self.store.account(name).await?;
        if account.as_ref().is_some_and(|account| self.is_locked(account)) {
            return Err(AuthError::Locked);
        }
        // The lock has expired, so failed logins are counted from zero again.
        if account.as_ref().is_some_and(|account| self.has_been_locked(account)) {
            self.store.account_succeeded(name).await?;
        }
        let hash = account.as_ref().map_or_else(|| self.nobody.to_string(), |account| account.password_hash.clone());
        let right = self.hashing.check(address, move || is_right(&hash)).await.map_err(|Full| AuthError::TooMany)?;
        let right = right.unwrap_or(false);
        let Some(account) = account else { return Err(AuthError::Credentials) };
        // Read again: meanwhile others may have tried, or an administrator may have changed the account.
        let Some(account) = self.store.account(name).await?.filter(|now| now.password_hash == account.password_hash) else {
            return Err(AuthError::Credentials);
        };
        if self.is_locked(&account) {
            return Err(AuthError::Locked);
        }
        if !right {
            self.store.account_failed(name).await?;
            return Err(AuthError::Credentials);
        }
        if !account.enabled {
            return Err(AuthError::Disabled);
        }
        if account.password_expired {
            return Err(AuthError::PasswordExpired);
        }
        if account.failures > 0 {
            self.store.account_succeeded(name).await?;
        }
        // The rules may be older than the account, whose rights have to be known from the first request on.
        if self.rules.now().account(name) != Some(&account) {
            self.rules.refresh().await?;
        }
        Ok(account)
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
        let Some(account) = self.store.account(&new.name).await? else {
            let (name, given) = (new.name.clone(), foreign.clone());
            self.add(new).await?;
            if given.is_some() {
                let change = AccountChange { password_hash: given, ..AccountChange::default() };
                self.store.account_change(&name, &change).await?;
                self.rules.refresh().await?;
            }
            return Ok(());
        };
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

    /// Checks a client that sends its password with each request. A password that was right a moment ago is not checked again, as long as
    /// the account still has it and may be used.
    ///
    /// # Errors
    /// [`AuthError`]
    pub async fn authenticate(&self, name: &str, password: &str, address: IpAddr) -> Result<(), AuthError> {
        let credential = self.remembered.credential(name, password);
        let rules = self.rules.now();
        if let Some(account) = rules.account(name)
            && self.remembered.recall(credential, &account.password_hash, Instant::now())
        {
            return match account {
                Account { enabled: false, .. } => Err(AuthError::Disabled),
                Account { locked: true, .. } => Err(AuthError::Locked),
                Account { password_expired: true, .. } => Err(AuthError::PasswordExpired),
                _ => Ok(()),
            };
        }
        let plain = password.to_owned();
        let account = self.check_by(name, address, move |hash| password::verify_plain(&plain, hash)).await?;
        self.remembered.remember(credential, account.password_hash, Instant::now());
        Ok(())
    }

    async fn hash(&self, password: String) -> String {
        self.hashing.run(move || password::hash(&password)).await.unwrap_or_default()
    }

    /// Whether the account may not log in now, even with the right password.
    #[must_use]
    pub fn is_locked(&self, account: &Account) -> bool {
        account.locked || (self.has_been_locked(account) && !self.lock_is_over(account))
    }

    /// Whether failed logins have locked the account, even if the lock has expired.
    fn has_been_locked(&self, account: &Account) -> bool {
        let after = self.rules.now().policies.number(Policy::LockAfter, LOCK_AFTER);
        after > 0 && u64::try_from(account.failures).unwrap_or(0) >= after
    }

    fn lock_is_over(&self, account: &Account) -> bool {
        let unlock = Duration::from_secs(self.rules.now().policies.number(Policy::UnlockSeconds, UNLOCK_SECONDS));
        let since = jiff::Timestamp::now().as_microsecond().saturating_sub(account.failed_at);
        !unlock.is_zero() && Duration::from_micros(u64::try_from(since).unwrap_or(0)) >= unlock
    }
}

fn permanent() -> ChangeError {
    ChangeError::Invalid(format!(
        "the account {ADMIN} manages the server: it can be neither removed, disabled nor locked, and stays {}",
        role::ADMINISTRATOR
    ))
}
