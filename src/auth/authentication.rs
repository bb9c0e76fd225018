//! Checks a name and a password, in whatever form a client sends them.

use std::{
    net::IpAddr,
    time::{Duration, Instant},
};

use super::{
    Accounts, AuthError,
    hashing::Full,
    password,
    sources::{
        AccountSource, Person, Unavailable, Verdict,
        system::{UnixUser, unix_user},
    },
};
use crate::{
    store::{
        Account, ChangeError,
        accounts::{AccountChange, LOCAL},
        policies::Policy,
    },
    telemetry::audit,
};

/// Seconds for which an account is locked after failed logins, if a policy has it locked at all.
const UNLOCK_SECONDS: u64 = 1800;
/// The most letters of a name to show that are kept.
const DISPLAY_NAME: usize = 50;

/// What somebody offers to prove who they are.
#[derive(Debug, Clone)]
pub struct Offered {
    /// The password itself, if that is known.
    password: Option<String>,
    /// What may be the SHA-1 digest of the password.
    digests: Vec<String>,
}

impl Offered {
    /// A password.
    #[must_use]
    pub fn password(password: &str) -> Self {
        Self { password: Some(password.to_owned()), digests: Vec::new() }
    }

    /// A text that is a digest if it looks like one and, if `plain` allows that, may be a password.
    #[must_use]
    pub fn digest_or_password(text: &str, plain: bool) -> Self {
        let digest = password::is_digest(text).then(|| text.to_ascii_lowercase());
        let password = (plain && digest.is_none()).then(|| text.to_owned());
        let of_password = plain.then(|| password::digest(text));
        Self { password, digests: digest.into_iter().chain(of_password).collect() }
    }

    fn is_of(&self, hash: &str) -> bool {
        match &self.password {
            Some(password) => password::verify_plain(password, hash),
            None => self.digests.iter().any(|digest| password::verify(digest, hash)),
        }
    }
}

/// What was found out about a name and a password that were right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Recalled {
    account: String,
    /// The hash of the account's password at that time; empty for accounts from elsewhere.
    password_hash: String,
}

/// Who has this name and password.
pub(super) enum Found<'s> {
    /// An account of this server.
    Here(Account),
    /// Somebody whom another source knows.
    Elsewhere(&'s AccountSource, Person),
}

/// What a source has said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Heard {
    /// What it is called.
    pub source: String,
    /// For an administrator: it may say more than the client is told.
    pub said: String,
}

impl Accounts {
    /// The account with this name and password. `address` is the client's.
    ///
    /// # Errors
    /// [`AuthError`]
    pub async fn check(&self, name: &str, offered: Offered, address: IpAddr) -> Result<Account, AuthError> {
        if let Some(wait) = self.guessing.wait(name, address, Instant::now()) {
            return Err(AuthError::Delayed(wait));
        }
        let checked = self.ask_sources(name, &offered, address).await;
        match &checked {
            Ok(account) => {
                self.guessing.succeeded(name, address, Instant::now());
                audit::login(&account.name, &account.source, None);
            }
            // Not logged, because a line for each would flood the log as well; the log has the requests.
            Err(AuthError::Store(_) | AuthError::TooMany | AuthError::Delayed(_)) => {}
            Err(refused) => {
                if matches!(refused, AuthError::Credentials | AuthError::Digest(_)) {
                    self.guessing.failed(name, address, Instant::now());
                }
                audit::login(name, "", Some(&refused.to_string()));
            }
        }
        checked
    }

    /// Checks a client that sends its password with each request, and returns the account's name. A password that was right a moment ago is
    /// not checked again, as long as the account still has it and may be used.
    ///
    /// # Errors
    /// [`AuthError`]
    pub async fn authenticate(&self, name: &str, password: &str, address: IpAddr) -> Result<String, AuthError> {
        let credential = self.remembered.credential(&[name, password]);
        if let Some(recalled) = self.remembered.recall(credential, Instant::now())
            && let Some(account) = self.rules.now().account(&recalled.account)
            && account.password_hash == recalled.password_hash
        {
            return may_be_used(account).map(|()| recalled.account);
        }
        let account = self.check(name, Offered::password(password), address).await?;
        let recalled = Recalled { account: account.name.clone(), password_hash: account.password_hash };
        self.remembered.remember(credential, recalled, Instant::now(), self.remember);
        Ok(account.name)
    }

    /// Asks the sources, and returns the account, which is made at the first login of somebody from elsewhere.
    async fn ask_sources(&self, name: &str, offered: &Offered, address: IpAddr) -> Result<Account, AuthError> {
        match self.find(name, offered, address, &mut Vec::new()).await? {
            Found::Here(account) => Ok(account),
            Found::Elsewhere(source, person) => self.account_of(source.name(), self.name_of(source, &person), person).await,
        }
    }

    /// Asks the sources in their order, and notes what each has said. If one of them does not answer, and no other knows the name, nothing
    /// is said of the password.
    pub(super) async fn find(
        &self,
        name: &str,
        offered: &Offered,
        address: IpAddr,
        heard: &mut Vec<Heard>,
    ) -> Result<Found<'_>, AuthError> {
        let (mut unasked, mut wants_password) = (None, None);
        for source in self.sources.iter() {
            let mut note = |said: &dyn std::fmt::Display| heard.push(Heard { source: source.name().to_owned(), said: said.to_string() });
            if let AccountSource::Local = source {
                let Some(account) = self.store.account(name).await?.filter(|account| account.source == LOCAL) else {
                    note(&"it does not know the name");
                    continue;
                };
                let refused = |error| match (error, &wants_password) {
                    (AuthError::Credentials, Some(source)) => AuthError::Digest(String::clone(source)),
                    (error, _) => error,
                };
                return self.compare(account, offered, address).await.map(Found::Here).map_err(refused).inspect_err(|error| note(error));
            }
            let Some(password) = &offered.password else {
                note(&"it wants the password itself");
                wants_password = Some(source.name().to_owned());
                continue;
            };
            // A directory takes a bind without a password for one by nobody, and lets it in (RFC 4513, section 5.1.2).
            if password.is_empty() {
                note(&"it is not asked without a password");
                continue;
            }
            match source.check(name, password, address).await {
                Ok(Verdict::Known(person)) => return Ok(Found::Elsewhere(source, person)),
                Ok(Verdict::Refused) => {
                    note(&"the password is wrong");
                    return Err(AuthError::Credentials);
                }
                Ok(Verdict::Barred(bar)) => {
                    let error = AuthError::from(bar);
                    note(&error);
                    return Err(error);
                }
                Ok(Verdict::Excluded(why)) => {
                    note(&why);
                    return Err(AuthError::Unusable(why));
                }
                Ok(Verdict::Unknown) => note(&"it does not know the name, or the password is wrong"),
                Err(error @ Unavailable::Full) => {
                    note(&error);
                    unasked = Some(AuthError::TooMany);
                }
                Err(error @ Unavailable::Silent(_)) => {
                    tracing::error!(source = source.name(), %error, "a source of accounts cannot be asked");
                    note(&error);
                    unasked = Some(AuthError::Unavailable(source.name().to_owned()));
                }
            }
        }
        if let Some(error) = unasked {
            return Err(error);
        }
        let offered = offered.clone();
        self.hashing.check(address, move || offered.is_of(password::OF_NOBODY)).await.map_err(|Full| AuthError::TooMany)?;
        // An account is looked at again after the check of its password, and a name that does not exist must take as long.
        self.store.account(name).await?;
        Err(wants_password.map_or(AuthError::Credentials, AuthError::Digest))
    }

    /// What the account of somebody from another source is called. If there are two sources, two people may have the same name.
    pub(super) fn name_of(&self, source: &AccountSource, person: &Person) -> String {
        if self.sources.len() > 1 { format!("{}@{}", person.subject, source.name()) } else { person.subject.clone() }
    }

    /// The account of somebody whom a source outside this server knows. It is made at their first login, under this name.
    pub(super) async fn account_of(&self, source: &str, name: String, person: Person) -> Result<Account, AuthError> {
        let unusable = |error| match error {
            ChangeError::Store(error) => AuthError::Store(error),
            error => AuthError::Unusable(format!("{source} knows you, but you cannot have an account here: {error}")),
        };
        let display_name = shown(person.display_name.as_deref().unwrap_or_default(), &person.subject);
        let mut roles = person.roles.clone();
        roles.sort();
        roles.dedup();
        let mut known = self.store.account_of(source, &person.subject).await?;
        if known.is_none() {
            let account = Account {
                name,
                display_name: display_name.clone(),
                source: source.to_owned(),
                subject: Some(person.subject.clone()),
                enabled: true,
                roles: roles.clone(),
                ..Account::default()
            };
            let added = self.store.account_add(&account).await;
            known = self.store.account_of(source, &person.subject).await?;
            // Two first logins at the same moment want to make the same account, and one of them has.
            if let (Err(error), None) = (added, &known) {
                return Err(unusable(error));
            }
            self.rules.refresh().await?;
        }
        let Some(account) = known else { return Err(AuthError::Credentials) };
        may_be_used(&account)?;
        if account.roles == roles && account.display_name == display_name {
            return Ok(account);
        }
        let change = AccountChange { roles: Some(roles), display_name: Some(display_name), ..AccountChange::default() };
        self.store.account_change(&account.name, &change).await.map_err(unusable)?;
        self.rules.refresh().await?;
        Ok(self.store.account(&account.name).await?.unwrap_or(account))
    }

    /// The account of the operating system that the sessions of an account run as; `None` if they run as the server says.
    ///
    /// # Errors
    /// [`AuthError`], also if there is no such account any more.
    pub async fn unix_user(&self, name: &str) -> Result<Option<UnixUser>, AuthError> {
        let rules = self.rules.now();
        let Some(account) = rules.account(name) else { return Ok(None) };
        let is_of = |source: &&AccountSource| matches!(source, AccountSource::System(system) if system.is_run_as());
        let (Some(source), Some(subject)) =
            (self.sources.iter().filter(is_of).find(|source| source.name() == account.source), &account.subject)
        else {
            return Ok(None);
        };
        match unix_user(subject).await {
            Ok(Some(user)) => Ok(Some(user)),
            Ok(None) => Err(AuthError::Unusable(format!("{subject} has no account of the operating system any more"))),
            Err(unavailable) => {
                tracing::error!(source = source.name(), error = %unavailable, "a source of accounts cannot be asked");
                Err(AuthError::Unavailable(source.name().to_owned()))
            }
        }
    }

    /// Checks the password of an account of this server.
    async fn compare(&self, account: Account, offered: &Offered, address: IpAddr) -> Result<Account, AuthError> {
        if self.is_locked(&account) {
            return Err(AuthError::Locked);
        }
        // The lock has expired, so failed logins are counted from zero again.
        if self.has_been_locked(&account) {
            self.store.account_succeeded(&account.name).await?;
        }
        let (hash, offered) = (account.password_hash.clone(), offered.clone());
        let right = self.hashing.check(address, move || offered.is_of(&hash)).await.map_err(|Full| AuthError::TooMany)?;
        let right = right.unwrap_or(false);
        // Read again: meanwhile others may have tried, or an administrator may have changed the account.
        let now = self.store.account(&account.name).await?;
        let Some(account) = now.filter(|now| now.password_hash == account.password_hash) else {
            return Err(AuthError::Credentials);
        };
        if self.is_locked(&account) {
            return Err(AuthError::Locked);
        }
        if !right {
            // Only where they count: to write takes time, by which somebody could tell that there is such an account.
            if self.lock_after() > 0 {
                self.store.account_failed(&account.name).await?;
            }
            return Err(AuthError::Credentials);
        }
        may_be_used(&account)?;
        if account.failures > 0 {
            self.store.account_succeeded(&account.name).await?;
        }
        // The rules may be older than the account, whose rights have to be known from the first request on.
        if self.rules.now().account(&account.name) != Some(&account) {
            self.rules.refresh().await?;
        }
        Ok(account)
    }

    /// Whether the account may not log in now, even with the right password.
    #[must_use]
    pub fn is_locked(&self, account: &Account) -> bool {
        account.locked || (self.has_been_locked(account) && !self.lock_is_over(account))
    }

    /// How many failed logins lock an account; 0 if they lock none.
    fn lock_after(&self) -> u64 {
        self.rules.now().policies.number(Policy::LockAfter, 0)
    }

    /// Whether failed logins have locked the account, even if the lock has expired.
    fn has_been_locked(&self, account: &Account) -> bool {
        let after = self.lock_after();
        after > 0 && u64::try_from(account.failures).unwrap_or(0) >= after
    }

    fn lock_is_over(&self, account: &Account) -> bool {
        let unlock = Duration::from_secs(self.rules.now().policies.number(Policy::UnlockSeconds, UNLOCK_SECONDS));
        let since = jiff::Timestamp::now().as_microsecond().saturating_sub(account.failed_at);
        !unlock.is_zero() && Duration::from_micros(u64::try_from(since).unwrap_or(0)) >= unlock
    }
}

/// The name to show of somebody, in the form that accounts have it; `otherwise`, if nothing is left.
fn shown(name: &str, otherwise: &str) -> String {
    let seen: String = name.chars().filter(|letter| !letter.is_control()).take(DISPLAY_NAME).collect();
    if seen.trim().is_empty() { otherwise.chars().take(DISPLAY_NAME).collect() } else { seen }
}

/// Checks that an account may be used, whoever wants to.
///
/// # Errors
/// [`AuthError`]
pub fn may_be_used(account: &Account) -> Result<(), AuthError> {
    match account {
        Account { enabled: false, .. } => Err(AuthError::Disabled),
        Account { locked: true, .. } => Err(AuthError::Locked),
        Account { password_expired: true, .. } => Err(AuthError::PasswordExpired),
        _ => Ok(()),
    }
}
