//! Tokens that this server gives out: access tokens, which are signed and hold all that is to be known ([RFC 7519]), the refresh tokens by
//! which clients get the next ones, and tokens that people make for their programs ([`personal`]).
//!
//! To check an access token takes no query: which ones were ended before their time is a part of the rules.
//!
//! [RFC 7519]: https://www.rfc-editor.org/rfc/rfc7519

pub mod keys;
pub mod personal;

use std::{
    sync::{Arc, Mutex, PoisonError, RwLock},
    time::{Duration, Instant, SystemTime},
};

use jsonwebtoken::{Algorithm, Header, Validation, errors::ErrorKind};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::{
    AuthError, LiveRules, authentication::may_be_used, error::TokenFault, hashing::Hashing, permissions::narrowed, remembered::Remembered,
};
use crate::{
    config,
    store::{
        Account, Store,
        rules::Rules,
        tokens::{Pair, Used},
    },
    telemetry::audit,
};
use keys::{KeyError, KeyFiles, Keys, TrustedKey};

/// Who gives the tokens, and for whom they are. Servers that share a key take each other's tokens.
const ISSUER: &str = "offshoot";
/// Microseconds in a second.
const SECOND: i64 = 1_000_000;

/// How an access token is signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signature {
    /// RSA with SHA-256.
    Rs256,
    /// RSA with SHA-512.
    Rs512,
}

/// An access token and a refresh token, as a client gets them.
#[derive(Debug, Clone)]
pub struct Given {
    /// The account's name.
    pub account: String,
    /// To be sent with each request.
    pub access_token: String,
    /// For how many seconds it is good.
    pub access_seconds: u64,
    /// Until when it is good, in seconds since 1970.
    pub access_expires: i64,
    /// For the next pair.
    pub refresh_token: String,
}

/// The holder of a token that is good.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    /// The account's name.
    pub account: String,
    /// The only roles of the account that count; `None` for all.
    pub roles: Option<Vec<String>>,
    /// Names what the token belongs to: the chain that it is of, or itself.
    pub id: Uuid,
}

/// What an access token says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Claims {
    iss: String,
    aud: String,
    sub: String,
    iat: i64,
    exp: i64,
    jti: Uuid,
    /// The chain that it belongs to.
    chain: Uuid,
    /// When the account was made: another one may have the same name later.
    born: i64,
}

/// The tokens of this server; cheap to clone.
#[derive(Debug, Clone)]
pub struct Tokens(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    store: Store,
    rules: LiveRules,
    hashing: Hashing,
    settings: config::Auth,
    place: KeyFiles,
    /// The keys, and when they were last changed; `None` before they are needed.
    keys: RwLock<Option<(Arc<Keys>, Option<SystemTime>)>>,
    opening: Mutex<()>,
    verified: Remembered<Claims>,
    used: personal::LastUses,
}

impl Tokens {
    /// The tokens of a server with these settings and this data folder.
    #[must_use]
    pub fn new(store: Store, rules: LiveRules, hashing: Hashing, settings: &config::Auth, data: &std::path::Path) -> Self {
        Self(Arc::new(Inner {
            store,
            rules,
            hashing,
            settings: settings.clone(),
            place: KeyFiles::of(settings, data),
            keys: RwLock::default(),
            opening: Mutex::default(),
            verified: Remembered::default(),
            used: personal::LastUses::default(),
        }))
    }

    /// Whether the keys are those that their files have now. Looks only at when these were changed.
    #[must_use]
    pub fn has_current_keys(&self) -> bool {
        let changed = self.0.place.changed();
        changed.is_some() && self.0.keys.read().unwrap_or_else(PoisonError::into_inner).as_ref().is_some_and(|(_, of)| *of == changed)
    }

    /// Reads the keys, if they have changed since they were last read. Blocks the thread.
    ///
    /// # Errors
    /// [`KeyError`]; the keys that were there stay in force.
    pub fn refresh_keys(&self) -> Result<(), KeyError> {
        if self.has_current_keys() {
            return Ok(());
        }
        // Only one thread makes a key.
        let _alone = self.0.opening.lock().unwrap_or_else(PoisonError::into_inner);
        if self.has_current_keys() {
            return Ok(());
        }
        let keys = self.0.place.open()?;
        audit::keys(&format!("{keys:?}"));
        *self.0.keys.write().unwrap_or_else(PoisonError::into_inner) = Some((Arc::new(keys), self.0.place.changed()));
        Ok(())
    }

    /// Gives an account its first pair of tokens.
    ///
    /// # Errors
    /// [`AuthError`]
    pub async fn give(&self, account: &Account, signature: Signature) -> Result<Given, AuthError> {
        let now = jiff::Timestamp::now().as_microsecond();
        let ends = now.saturating_add(days(self.0.settings.login_days));
        let (pair, refresh_token) = self.pair(Uuid::new_v4(), &account.name, now, ends);
        let given = self.sign(account, &pair, refresh_token, now, signature).await?;
        self.0.store.token_add(&pair).await?;
        audit::token("token-given", &account.name, &pair.chain.to_string());
        Ok(given)
    }

    /// Replaces a pair of tokens by the next one. If this refresh token was used before, somebody else has it, and nothing of its chain is
    /// good any more.
    ///
    /// # Errors
    /// [`AuthError`]
    pub async fn refresh(&self, refresh_token: &str, signature: Signature) -> Result<Given, AuthError> {
        let hash = hash(refresh_token);
        let before = self.0.store.token_pair(&hash).await?.ok_or(TokenFault::Refresh)?;
        let account = self.0.store.account(&before.account).await?.ok_or(TokenFault::Refresh)?;
        may_be_used(&account)?;
        let now = jiff::Timestamp::now().as_microsecond();
        let (pair, next) = self.pair(before.chain, &account.name, now, before.chain_ends);
        let given = self.sign(&account, &pair, next, now, signature).await?;
        let used = self.0.store.token_replace(&hash, &pair).await?;
        self.0.rules.refresh().await?;
        match used {
            Used::Replaced => {
                audit::token("token-refreshed", &account.name, &pair.chain.to_string());
                Ok(given)
            }
            Used::Reused(pair) => {
                audit::token("token-reused", &account.name, &pair.chain.to_string());
                Err(TokenFault::Refresh.into())
            }
            Used::Unknown => Err(TokenFault::Refresh.into()),
        }
    }

    /// Ends all tokens of the chain that a refresh token belongs to, at once.
    ///
    /// # Errors
    /// [`AuthError`]
    pub async fn revoke(&self, refresh_token: &str) -> Result<(), AuthError> {
        let now = jiff::Timestamp::now().as_microsecond();
        let found = self.0.store.token_pair(&hash(refresh_token)).await?;
        let pair = found.filter(|pair| pair.ended.is_none() && pair.refresh_expires > now).ok_or(TokenFault::Refresh)?;
        self.0.store.token_end_chain(pair.chain).await?;
        self.0.rules.refresh().await?;
        audit::token("token-revoked", &pair.account, &pair.chain.to_string());
        Ok(())
    }

    /// The holder of a token, if it is good.
    ///
    /// # Errors
    /// [`AuthError`]
    pub fn check(&self, token: &str) -> Result<Holder, AuthError> {
        let rules = self.0.rules.now();
        if personal::is_one(token) {
            return self.check_personal(&rules, token);
        }
        let (credential, begun) = (self.0.verified.credential(&[token]), Instant::now());
        let claims = match self.0.verified.recall(credential, begun) {
            Some(claims) => claims,
            None => {
                let claims = self.verify(token)?;
                let left = claims.exp.saturating_sub(jiff::Timestamp::now().as_second());
                self.0.verified.remember(credential, claims.clone(), begun, Duration::from_secs(left.unsigned_abs()));
                claims
            }
        };
        if claims.exp <= jiff::Timestamp::now().as_second() {
            return Err(TokenFault::Expired.into());
        }
        if rules.has_ended(claims.jti) {
            return Err(TokenFault::Ended.into());
        }
        let account = rules.account(&claims.sub).filter(|account| account.created == claims.born).ok_or(TokenFault::Invalid)?;
        may_be_used(account)?;
        Ok(Holder { account: claims.sub, roles: None, id: claims.chain })
    }

    /// A new pair, and its refresh token.
    fn pair(&self, chain: Uuid, account: &str, now: i64, chain_ends: i64) -> (Pair, String) {
        let refresh_token = personal::secret();
        let minutes = i64::try_from(self.0.settings.access_minutes).unwrap_or(i64::MAX);
        let pair = Pair {
            id: Uuid::new_v4(),
            chain,
            account: account.to_owned(),
            refresh_hash: hash(&refresh_token),
            access_expires: now.saturating_add(minutes * 60 * SECOND).min(chain_ends),
            refresh_expires: now.saturating_add(days(self.0.settings.refresh_days)).min(chain_ends),
            chain_ends,
            ended: None,
        };
        (pair, refresh_token)
    }

    /// Signs the access token of a pair.
    async fn sign(
        &self,
        account: &Account,
        pair: &Pair,
        refresh_token: String,
        now: i64,
        signature: Signature,
    ) -> Result<Given, AuthError> {
        let claims = Claims {
            iss: ISSUER.to_owned(),
            aud: ISSUER.to_owned(),
            sub: account.name.clone(),
            iat: now / SECOND,
            exp: pair.access_expires / SECOND,
            jti: pair.id,
            chain: pair.chain,
            born: account.created,
        };
        let (tokens, given) = (self.clone(), claims.clone());
        // This takes a millisecond, and a second if there is no key yet.
        let signed = self.0.hashing.run(move || {
            tokens.refresh_keys()?;
            let keys = tokens.keys().ok_or(KeyError::NoKey(std::path::PathBuf::new()))?;
            let algorithm = if signature == Signature::Rs256 { Algorithm::RS256 } else { Algorithm::RS512 };
            let header = Header { kid: keys.known.first().map(|known| known.id.clone()), ..Header::new(algorithm) };
            Ok::<_, KeyError>(jsonwebtoken::encode(&header, &given, &keys.signing))
        });
        let access_token = match signed.await {
            Some(Ok(Ok(token))) => token,
            failed => {
                let reason = match failed {
                    Some(Err(error)) => crate::with_sources(&error),
                    Some(Ok(Err(error))) => error.to_string(),
                    _ => "it was not done".to_owned(),
                };
                tracing::error!(reason, "a token could not be signed");
                return Err(AuthError::Unavailable("the key for tokens".to_owned()));
            }
        };
        let access_seconds = u64::try_from(claims.exp - claims.iat).unwrap_or(0);
        Ok(Given { account: account.name.clone(), access_token, access_seconds, access_expires: claims.exp, refresh_token })
    }

    fn keys(&self) -> Option<Arc<Keys>> {
        self.0.keys.read().unwrap_or_else(PoisonError::into_inner).as_ref().map(|(keys, _)| Arc::clone(keys))
    }

    /// Checks who has signed a token, when, and for whom.
    fn verify(&self, token: &str) -> Result<Claims, TokenFault> {
        let header = jsonwebtoken::decode_header(token).map_err(|_| TokenFault::Invalid)?;
        let keys = self.keys().ok_or(TokenFault::Invalid)?;
        let is_it =
            |known: &&TrustedKey| header.kid.as_ref() == Some(&known.id) && known.until.is_none_or(|until| SystemTime::now() < until);
        let known = keys.known.iter().find(is_it).ok_or(TokenFault::Invalid)?;
        let mut validation = Validation::new(Algorithm::RS256);
        validation.algorithms.push(Algorithm::RS512);
        validation.set_issuer(&[ISSUER]);
        validation.set_audience(&[ISSUER]);
        validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
        validation.leeway = 0;
        let decoded = jsonwebtoken::decode::<Claims>(token, &known.key, &validation);
        decoded.map(|decoded| decoded.claims).map_err(|error| match error.kind() {
            ErrorKind::ExpiredSignature => TokenFault::Expired,
            _ => TokenFault::Invalid,
        })
    }

    fn check_personal(&self, rules: &Rules, token: &str) -> Result<Holder, AuthError> {
        let found = rules.personal_token(&hash(token)).ok_or(TokenFault::Invalid)?;
        let now = jiff::Timestamp::now().as_microsecond();
        if found.expires.is_some_and(|expires| expires <= now) {
            return Err(TokenFault::Expired.into());
        }
        let account = rules.account(&found.account).ok_or(TokenFault::Invalid)?;
        may_be_used(account)?;
        // Without any role, it could do what accounts without a role can.
        if found.roles.as_ref().is_some_and(|roles| narrowed(&account.roles, roles).is_empty()) {
            return Err(TokenFault::Ended.into());
        }
        if self.0.used.is_to_be_noted(found, now) {
            let (store, id) = (self.0.store.clone(), found.id);
            tokio::spawn(async move {
                if let Err(error) = store.personal_token_used(id).await {
                    tracing::error!(error = &error as &dyn std::error::Error, "the use of a token could not be noted");
                }
            });
        }
        Ok(Holder { account: found.account.clone(), roles: found.roles.clone(), id: found.id })
    }
}

/// The hash by which a token is known in the store. Tokens are random and long, so it need not be slow.
fn hash(token: &str) -> Vec<u8> {
    Sha256::digest(token.as_bytes()).to_vec()
}

/// Days in microseconds.
fn days(days: u64) -> i64 {
    i64::try_from(days).unwrap_or(i64::MAX).saturating_mul(86_400 * SECOND)
}
