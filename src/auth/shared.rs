//! A password that everybody shares, and membership in groups of the operating system.

use std::{net::IpAddr, time::Instant};

use nix::unistd::Group;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::{
    Accounts, AuthError,
    sources::{AccountSource, system::unix_user},
};
use crate::telemetry::audit;

/// What the audit log calls the source of those who know the shared password.
const SHARED: &str = "shared secret";

impl Accounts {
    /// Checks a password that everybody shares. Those who guess are slowed down, as with the password of an account.
    ///
    /// # Errors
    /// [`AuthError`]
    pub fn check_shared(&self, name: &str, offered: &str, secret: &str, address: IpAddr) -> Result<(), AuthError> {
        // Whatever names somebody tries, they guess at the same secret.
        if let Some(wait) = self.guessing.wait(SHARED, address, Instant::now()) {
            return Err(AuthError::Delayed(wait));
        }
        let [offered, expected] = [offered, secret].map(Sha256::digest);
        if bool::from(offered.as_slice().ct_eq(expected.as_slice())) && !secret.is_empty() {
            self.guessing.succeeded(SHARED, address, Instant::now());
            return Ok(());
        }
        self.guessing.failed(SHARED, address, Instant::now());
        audit::login(name, SHARED, Some("the shared secret is another"));
        Err(AuthError::Credentials)
    }

    /// Whether an account is one of the operating system, and in this group of it. A group that does not exist has no members.
    ///
    /// # Errors
    /// [`AuthError`] if the system cannot tell.
    pub async fn is_in_group(&self, account: &str, group: &str) -> Result<bool, AuthError> {
        let rules = self.rules.now();
        let Some(account) = rules.account(account) else { return Ok(false) };
        let is_of = |source: &&AccountSource| matches!(source, AccountSource::System(_)) && source.name() == account.source;
        let (Some(source), Some(subject)) = (self.sources.iter().find(is_of), &account.subject) else { return Ok(false) };
        let unavailable = |error: &dyn std::fmt::Display| {
            tracing::error!(source = source.name(), %error, "a source of accounts cannot be asked");
            AuthError::Unavailable(source.name().to_owned())
        };
        let Some(user) = unix_user(subject).await.map_err(|error| unavailable(&error))? else { return Ok(false) };
        let group = group.to_owned();
        let found = tokio::task::spawn_blocking(move || Group::from_name(&group)).await.map_err(|error| unavailable(&error))?;
        // Some systems say by an error that there is none (getgrnam(3), Errors).
        Ok(found.ok().flatten().is_some_and(|group| user.groups.contains(&group.gid.as_raw())))
    }
}
