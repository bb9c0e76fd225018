//! Why somebody is not let in.

use std::time::Duration;

use super::sources::Bar;
use axum::http::StatusCode;

use crate::store::StoreError;

/// Why a name and a password, or a token, did not let anybody in.
#[derive(Debug, thiserror::Error)]
pub enum AuthError {
    /// We do not say which of the two is wrong.
    #[error("the user name or the password is wrong")]
    Credentials,
    /// The same, where a digest of a password was sent and there are sources to which it means nothing.
    #[error(
        "the user name or the password is wrong; accounts of {0} log in with the password itself, as its SHA-1 digest means nothing there"
    )]
    Digest(String),
    /// The account is disabled. The password is right, unless its source says this whatever the password is.
    #[error("the account is disabled")]
    Disabled,
    /// An administrator has locked the account, or too many logins have failed; or its source says so. The password may be wrong.
    #[error("the account is locked")]
    Locked,
    /// The password is right, but has to be changed first.
    #[error("the password has expired; an administrator can set a new one")]
    PasswordExpired,
    /// Too many checks are waiting already, so nothing was checked.
    #[error("too many logins at once come from your address; try again in a moment")]
    TooMany,
    /// Too many logins have failed, so nothing was checked.
    #[error("too many logins have failed; try again in {} s", seconds(*.0))]
    Delayed(Duration),
    /// The source of the account does not answer, so nothing was checked.
    #[error("{0} cannot be asked at the moment, so nobody of it can log in; try again later")]
    Unavailable(String),
    /// The password is right, but this server cannot have such an account. A sentence.
    #[error("{0}")]
    Unusable(String),
    /// A token is not good, and why.
    #[error("{0}")]
    Token(TokenFault),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Why a token is not good.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TokenFault {
    /// It is none, or not for this server, or somebody else has signed it.
    #[error("the token is not valid here")]
    Invalid,
    /// It is too old.
    #[error("the token has expired; log in again or refresh it")]
    Expired,
    /// It was replaced or revoked.
    #[error("the token was replaced or revoked; log in again")]
    Ended,
    /// A refresh token is unknown, too old, or was used already.
    #[error("the refresh token is not valid, or has expired; log in again")]
    Refresh,
}

impl From<TokenFault> for AuthError {
    fn from(fault: TokenFault) -> Self {
        Self::Token(fault)
    }
}

impl From<Bar> for AuthError {
    fn from(bar: Bar) -> Self {
        match bar {
            Bar::Locked => Self::Locked,
            Bar::Disabled => Self::Disabled,
            Bar::Expired => Self::PasswordExpired,
        }
    }
}

impl AuthError {
    /// The status in HTTP.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        match self {
            Self::Credentials | Self::Digest(_) | Self::Token(_) => StatusCode::UNAUTHORIZED,
            Self::Disabled | Self::Locked | Self::PasswordExpired | Self::Unusable(_) => StatusCode::FORBIDDEN,
            Self::TooMany | Self::Delayed(_) => StatusCode::TOO_MANY_REQUESTS,
            Self::Unavailable(_) => StatusCode::SERVICE_UNAVAILABLE,
            Self::Store(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// When it makes sense to try again, in seconds, if the client was too fast.
    #[must_use]
    pub fn retry_after(&self) -> Option<u64> {
        match self {
            Self::Delayed(time) => Some(seconds(*time)),
            Self::TooMany => Some(2),
            _ => None,
        }
    }
}

/// Whole seconds, of which the last may be a part.
fn seconds(time: Duration) -> u64 {
    time.as_secs() + u64::from(time.subsec_nanos() > 0)
}
