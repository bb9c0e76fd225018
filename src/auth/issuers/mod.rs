//! Issuers outside this server whose tokens are good here ([OpenID Connect]): by a bearer's token, and by a login with a browser
//! ([`browser`]).
//!
//! A token is checked here, by the keys that its issuer has published (`published`). What it says of its bearer (`claims`) makes an account
//! at the first request; from then on the account is found by the claim `sub`, which an issuer gives to nobody else.
//!
//! [OpenID Connect]: https://openid.net/specs/openid-connect-core-1_0.html

pub mod browser;
mod claims;
mod fetch;
mod published;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use jsonwebtoken::{Algorithm, Validation, errors::ErrorKind};
use uuid::Uuid;

use super::{Accounts, AuthError, authentication::may_be_used, error::TokenFault, remembered::Remembered, tokens::Holder};
use crate::{
    config::{
        self, Secret,
        issuer::{IssuerSettings, TENANT},
    },
    store::Account,
};
use claims::Claims;
use fetch::{Fetcher, Unreachable};
use published::{Publications, Published};

/// For how long a token that was right is remembered at most. Its key may be taken back meanwhile.
const REMEMBERED: Duration = Duration::from_hours(1);
/// The types of tokens that say who somebody is. Others of the same issuer mean something else (RFC 8725, section 3.11).
const TYPES: [&str; 3] = ["JWT", "at+jwt", "application/at+jwt"];

/// The issuers of the settings; cheap to clone.
#[derive(Debug, Clone)]
pub struct Issuers(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    accounts: Accounts,
    issuers: Vec<Issuer>,
    verified: Remembered<Verified>,
    /// When the newest token of each person was made: an older one does not give roles back.
    newest: Mutex<HashMap<Uuid, i64>>,
    pending: browser::PendingLogins,
}

/// What was found out about a token.
#[derive(Debug, Clone)]
struct Verified {
    account: String,
    /// When the account was made.
    born: i64,
    login: Uuid,
}

/// One issuer.
#[derive(Debug)]
struct Issuer {
    settings: IssuerSettings,
    algorithms: Vec<Algorithm>,
    secret: Secret,
    fetcher: Fetcher,
    publications: Publications,
}

impl Issuers {
    /// The issuers that the settings name, for accounts here.
    ///
    /// # Errors
    /// A sentence that names the setting at fault.
    pub fn new(accounts: &Accounts, settings: &config::Auth) -> Result<Self, String> {
        let issuers = settings.issuer.iter().map(Issuer::new).collect::<Result<_, _>>()?;
        Ok(Self(Arc::new(Inner {
            accounts: accounts.clone(),
            issuers,
            verified: Remembered::default(),
            newest: Mutex::default(),
            pending: browser::PendingLogins::default(),
        })))
    }

    /// The holder of a token of one of the issuers.
    ///
    /// # Errors
    /// [`AuthError`]; [`AuthError::Unavailable`] if the issuer's keys cannot be had.
    pub async fn check(&self, token: &str) -> Result<Holder, AuthError> {
        if self.0.issuers.is_empty() {
            return Err(TokenFault::Invalid.into());
        }
        let (credential, begun) = (self.0.verified.credential(&[token]), Instant::now());
        if let Some(verified) = self.0.verified.recall(credential, begun)
            && let Some(account) = self.0.accounts.rules.now().account(&verified.account)
            && account.created == verified.born
        {
            may_be_used(account)?;
            return Ok(verified.holder());
        }
        // Nothing of this is believed yet.
        let said: Claims = jsonwebtoken::dangerous::insecure_decode_claims(token).map_err(|_| TokenFault::Invalid)?;
        let issuer = self.0.issuers.iter().find(|issuer| issuer.is_of(&said)).ok_or(TokenFault::Invalid)?;
        let claims = issuer.verify(token, &issuer.settings.audience).await?;
        let account = self.account(issuer, &claims).await?;
        let verified = Verified { account: account.name, born: account.created, login: claims::login(&issuer.settings.name, &claims) };
        let left = claims::seconds(&claims, "exp").unwrap_or(0).saturating_sub(jiff::Timestamp::now().as_second());
        let time = Duration::from_secs(u64::try_from(left).unwrap_or(0)).min(REMEMBERED);
        self.0.verified.remember(credential, verified.clone(), begun, time);
        Ok(verified.holder())
    }

    /// The account of somebody whom a token names, which is made at their first request.
    async fn account(&self, issuer: &Issuer, claims: &Claims) -> Result<Account, AuthError> {
        let (accounts, name) = (&self.0.accounts, &issuer.settings.name);
        let (person, account_name) = claims::person(&issuer.settings, claims).ok_or(TokenFault::Invalid)?;
        let known = if self.is_newest(name, claims) { None } else { accounts.store.account_of(name, &person.subject).await? };
        let account = match known {
            Some(account) => {
                may_be_used(&account)?;
                account
            }
            None => accounts.account_of(name, account_name, person).await?,
        };
        // The rules may be older than the account, whose rights have to be known from the first request on.
        if accounts.rules.now().account(&account.name) != Some(&account) {
            accounts.rules.refresh().await?;
        }
        Ok(account)
    }

    /// Whether no later token of the same person was seen.
    fn is_newest(&self, issuer: &str, claims: &Claims) -> bool {
        let person: Claims = claims.iter().filter(|(name, _)| *name == "sub").map(|(name, value)| (name.clone(), value.clone())).collect();
        let made = claims::seconds(claims, "iat").unwrap_or(0);
        let mut newest = self.0.newest.lock().unwrap_or_else(PoisonError::into_inner);
        let newest = newest.entry(claims::login(issuer, &person)).or_insert(made);
        *newest = made.max(*newest);
        *newest == made
    }

    fn issuer(&self, name: &str) -> Option<&Issuer> {
        self.0.issuers.iter().find(|issuer| issuer.settings.name == name)
    }
}

impl Verified {
    fn holder(self) -> Holder {
        Holder { account: self.account, roles: None, id: self.login }
    }
}

impl Issuer {
    fn new(settings: &IssuerSettings) -> Result<Self, String> {
        let unknown = |_| format!("auth.issuer {}: algorithms: there is an unknown one", settings.name);
        let fetcher = Fetcher::new(settings)?;
        Ok(Self {
            algorithms: settings.algorithms.iter().map(|name| name.parse()).collect::<Result<_, _>>().map_err(unknown)?,
            secret: settings.secret()?,
            publications: Publications::new(fetcher.clone(), settings),
            settings: settings.clone(),
            fetcher,
        })
    }

    /// Whether a token says that it is of this issuer.
    fn is_of(&self, claims: &Claims) -> bool {
        claims::text(claims, "iss").is_some_and(|iss| self.named(claims).as_deref() == Some(iss))
    }

    /// The issuer as it stands in a token with these claims.
    fn named(&self, claims: &Claims) -> Option<String> {
        if self.settings.tenants.is_empty() {
            return Some(self.settings.issuer.clone());
        }
        let tenant = claims::text(claims, "tid")?;
        self.settings.tenants.iter().any(|known| known == tenant).then(|| self.settings.issuer.replace(TENANT, tenant))
    }

    /// Checks who has signed a token, when, and for whom.
    async fn verify(&self, token: &str, audience: &[String]) -> Result<Claims, AuthError> {
        let header = jsonwebtoken::decode_header(token).map_err(|_| TokenFault::Invalid)?;
        let is_known = header.typ.as_ref().is_none_or(|typ| TYPES.iter().any(|known| known.eq_ignore_ascii_case(typ)));
        // Before anybody is asked for a key.
        if !is_known || !self.algorithms.contains(&header.alg) {
            return Err(TokenFault::Invalid.into());
        }
        let said: Claims = jsonwebtoken::dangerous::insecure_decode_claims(token).map_err(|_| TokenFault::Invalid)?;
        let issuer = self.named(&said).ok_or(TokenFault::Invalid)?;
        let published = self.publications.with_key(header.kid.as_deref()).await.map_err(|_| self.unavailable())?;
        let key = published.key(header.kid.as_deref(), header.alg).ok_or(TokenFault::Invalid)?;
        if key.issuer.as_ref().is_some_and(|signs_for| *signs_for != self.settings.issuer && *signs_for != issuer) {
            return Err(TokenFault::Invalid.into());
        }
        let mut validation = Validation::new(header.alg);
        validation.set_issuer(&[issuer]);
        validation.set_audience(audience);
        validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
        validation.validate_nbf = true;
        validation.leeway = self.settings.leeway_seconds;
        let decoded = jsonwebtoken::decode::<Claims>(token, &key.key, &validation);
        decoded.map(|decoded| decoded.claims).map_err(|error| match error.kind() {
            ErrorKind::ExpiredSignature => TokenFault::Expired.into(),
            _ => TokenFault::Invalid.into(),
        })
    }

    fn unavailable(&self) -> AuthError {
        AuthError::Unavailable(self.settings.name.clone())
    }
}

/// What an issuer says of itself now, for somebody who looks whether it can be used.
#[derive(Debug)]
pub struct IssuerReport {
    /// Where it was asked.
    pub document: String,
    /// The algorithms of the settings for which it has a key.
    pub with_key: Vec<String>,
    /// Those that it does not list for its tokens.
    pub unlisted: Vec<String>,
    /// Whether people can log in there by their browser.
    pub has_login: bool,
}

/// Asks an issuer.
///
/// # Errors
/// A sentence: that a setting is wrong, or why the issuer cannot be asked.
pub async fn report(settings: &IssuerSettings) -> Result<IssuerReport, String> {
    let issuer = Issuer::new(settings)?;
    let Published { document, keys, .. } =
        Published::read(&issuer.fetcher, settings).await.map_err(|error: Unreachable| error.to_string())?;
    let named = |algorithms: Vec<&Algorithm>| algorithms.iter().map(|algorithm| format!("{algorithm:?}")).collect::<Vec<_>>();
    let listed = document.id_token_signing_alg_values_supported.unwrap_or_default();
    Ok(IssuerReport {
        document: settings.document(),
        with_key: named(issuer.algorithms.iter().filter(|algorithm| keys.iter().any(|key| key.fits(**algorithm))).collect()),
        unlisted: settings.algorithms.iter().filter(|algorithm| !listed.is_empty() && !listed.contains(algorithm)).cloned().collect(),
        has_login: document.authorization_endpoint.is_some() && document.token_endpoint.is_some(),
    })
}
