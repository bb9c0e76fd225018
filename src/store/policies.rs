//! Server policies: settings that administrators change while the server runs. A policy that is not set has the value of
//! the configuration, or a default.

use std::collections::BTreeMap;

use sqlx::{SqliteConnection, query, query_as, query_scalar};

use super::{ChangeError, Store, StoreError, now};
use crate::config::log_level;

/// What can be set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[expect(missing_docs, reason = "`description` says it")]
pub enum Policy {
    ServerName,
    WebContext,
    DefaultBoundary,
    LoginSeconds,
    UploadMib,
    AnonymousSeconds,
    AuthenticatedIpFilter,
    TrustedIpFilter,
    AnonymousIpFilter,
    HistoryDepth,
    HistoryMib,
    LockAfter,
    UnlockSeconds,
    AuthenticatedHttps,
    AnonymousHttps,
    LogLevel,
}

/// What a value looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    Text,
    Number,
    Url,
    Boundary,
    IpFilter,
    Flag,
    LogLevel,
}

impl Policy {
    /// All of them.
    pub const ALL: [Self; 16] = [
        Self::ServerName,
        Self::WebContext,
        Self::DefaultBoundary,
        Self::LoginSeconds,
        Self::UploadMib,
        Self::AnonymousSeconds,
        Self::AuthenticatedIpFilter,
        Self::TrustedIpFilter,
        Self::AnonymousIpFilter,
        Self::HistoryDepth,
        Self::HistoryMib,
        Self::LockAfter,
        Self::UnlockSeconds,
        Self::AuthenticatedHttps,
        Self::AnonymousHttps,
        Self::LogLevel,
    ];

    fn entry(self) -> (&'static str, Shape, &'static str) {
        match self {
            Self::ServerName => ("server-name", Shape::Text, "The name of the server on its pages"),
            Self::WebContext => ("web-context", Shape::Url, "The server's address in the URLs of files, unless the configuration has one"),
            Self::DefaultBoundary => ("default-boundary", Shape::Boundary, "The boundary of accounts that have none"),
            Self::LoginSeconds => ("login-seconds", Shape::Number, "Seconds after which a login that nobody uses ends; 0 is never"),
            Self::UploadMib => ("upload-mib", Shape::Number, "Largest file that can be uploaded, in MiB"),
            Self::AnonymousSeconds => ("anonymous-seconds", Shape::Number, "Seconds that a script may run for a caller without a login"),
            Self::AuthenticatedIpFilter => {
                ("authenticated-ip-filter", Shape::IpFilter, "Where callers with a login may come from; unset is anywhere")
            }
            Self::TrustedIpFilter => {
                ("trusted-ip-filter", Shape::IpFilter, "Where callers of trusted scripts without a login may come from; unset is nowhere")
            }
            Self::AnonymousIpFilter => (
                "anonymous-ip-filter",
                Shape::IpFilter,
                "Where callers without a login may come from, but for files by their addresses; unset is anywhere",
            ),
            Self::HistoryDepth => ("history-depth", Shape::Number, "Code blocks that a session remembers"),
            Self::HistoryMib => ("history-mib", Shape::Number, "Size of the code blocks that a session remembers, in MiB"),
            Self::LockAfter => ("lock-after", Shape::Number, "Failed logins after which an account is locked for a while; 0 is never"),
            Self::UnlockSeconds => (
                "unlock-seconds",
                Shape::Number,
                "Seconds from the last failed login until the account can log in again; 0: an administrator unlocks it",
            ),
            Self::AuthenticatedHttps => {
                ("authenticated-https", Shape::Flag, "Whether logins, and callers with a login, have to use HTTPS: true or false")
            }
            Self::AnonymousHttps => ("anonymous-https", Shape::Flag, "Whether callers without a login have to use HTTPS: true or false"),
            Self::LogLevel => ("log-level", Shape::LogLevel, "What is logged, such as info,offshoot::session=debug; unset is log.level"),
        }
    }

    /// Its name: `upload-mib`.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.entry().0
    }

    /// What it is for.
    #[must_use]
    pub fn description(self) -> &'static str {
        self.entry().2
    }

    /// The one of that name.
    ///
    /// # Errors
    /// A sentence with all names.
    pub fn named(name: &str) -> Result<Self, String> {
        Self::ALL.into_iter().find(|policy| policy.name() == name).ok_or_else(|| {
            let names: Vec<_> = Self::ALL.into_iter().map(Self::name).collect();
            format!("there is no policy {name:?}; there are {}", names.join(", "))
        })
    }

    fn shape(self) -> Shape {
        self.entry().1
    }
}

/// The policies that are set.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Policies(pub(super) BTreeMap<String, String>);

impl Policies {
    /// A text; `None` when it is not set.
    #[must_use]
    pub fn text(&self, policy: Policy) -> Option<&str> {
        self.0.get(policy.name()).map(String::as_str)
    }

    /// Whether something that is off by default is on.
    #[must_use]
    pub fn flag(&self, policy: Policy) -> bool {
        self.text(policy) == Some("true")
    }

    /// A number, or `otherwise` when it is not set.
    #[must_use]
    pub fn number(&self, policy: Policy, otherwise: u64) -> u64 {
        self.text(policy).and_then(|text| text.parse().ok()).unwrap_or(otherwise)
    }
}

impl Store {
    /// The policies that are set, with their values.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn policy_list(&self) -> Result<BTreeMap<String, String>, StoreError> {
        let set: Vec<(String, String)> = query_as("SELECT name, value FROM policy").fetch_all(&self.pool).await?;
        Ok(set.into_iter().collect())
    }

    /// Sets a policy.
    ///
    /// # Errors
    /// [`ChangeError::Invalid`], [`ChangeError::Unknown`] for a boundary or a filter that is not there
    pub async fn policy_put(&self, policy: Policy, value: &str) -> Result<(), ChangeError> {
        let name = policy.name();
        let mut transaction = self.pool.begin_with("BEGIN IMMEDIATE").await?;
        match policy.shape() {
            Shape::Text => {}
            Shape::Flag if value == "true" || value == "false" => {}
            Shape::Flag => return Err(ChangeError::Invalid(format!("{name}: {value:?} is neither true nor false"))),
            Shape::LogLevel => {
                log_level::check(value).map_err(|error| ChangeError::Invalid(format!("{name}: {error}")))?;
            }
            // Small enough to be multiplied, whatever its unit is.
            Shape::Number => {
                value
                    .parse::<u32>()
                    .map_err(|_| ChangeError::Invalid(format!("{name}: {value:?} is not a whole number from 0 to {}", u32::MAX)))?;
            }
            Shape::Url if value.starts_with("http://") || value.starts_with("https://") => {}
            Shape::Url => return Err(ChangeError::Invalid(format!("{name}: {value:?} is not an http or https address"))),
            Shape::Boundary => super::boundaries::require(&mut transaction, value).await?,
            Shape::IpFilter => super::filters::require(&mut transaction, value).await?,
        }
        query(
            "INSERT INTO policy (name, value, changed) VALUES ($1, $2, $3)
             ON CONFLICT (name) DO UPDATE SET value = $2, changed = $3",
        )
        .bind(name)
        .bind(value)
        .bind(now())
        .execute(&mut *transaction)
        .await?;
        Ok(transaction.commit().await?)
    }

    /// Gives a policy its default again.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn policy_remove(&self, policy: Policy) -> Result<(), StoreError> {
        query("DELETE FROM policy WHERE name = $1").bind(policy.name()).execute(&self.pool).await?;
        Ok(())
    }
}

/// Checks that no policy names this boundary or IP filter: without it, the policy would mean something else.
pub(super) async fn require_unnamed(connection: &mut SqliteConnection, shape: Shape, name: &str) -> Result<(), ChangeError> {
    for policy in Policy::ALL.into_iter().filter(|policy| policy.shape() == shape) {
        let value = query_scalar("SELECT value FROM policy WHERE name = $1");
        let value: Option<String> = value.bind(policy.name()).fetch_optional(&mut *connection).await?;
        if value.as_deref() == Some(name) {
            return Err(ChangeError::Invalid(format!("the policy {} names {name}: change the policy first", policy.name())));
        }
    }
    Ok(())
}
