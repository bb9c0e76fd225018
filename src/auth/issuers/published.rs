//! What an issuer publishes: where it can be asked what (OpenID Connect Discovery 1.0), and its keys (RFC 7517).

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use futures_util::{
    FutureExt,
    future::{BoxFuture, Shared},
};
use jsonwebtoken::{
    Algorithm, DecodingKey,
    jwk::{AlgorithmParameters, EllipticCurve, Jwk, PublicKeyUse},
};
use serde::Deserialize;

use super::fetch::{Fetcher, Unreachable};
use crate::config::issuer::{IssuerSettings, is_safe};

/// Keys that are older are asked for again.
const FRESH: Duration = Duration::from_hours(1);
/// For how long keys are good while the issuer does not answer.
const KEPT: Duration = Duration::from_hours(24);
/// The least time between two questions, so that tokens with keys that do not exist cannot make us ask all the time.
const PAUSE: Duration = Duration::from_secs(5);
/// The most keys of an issuer that are looked at.
const MOST_KEYS: usize = 100;
/// The least length of an RSA key in base64: 2048 bits.
const RSA_LENGTH: usize = 2048 / 8 * 4 / 3;

/// An issuer's document.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Document {
    pub(super) issuer: String,
    jwks_uri: String,
    pub(super) authorization_endpoint: Option<String>,
    pub(super) token_endpoint: Option<String>,
    pub(super) token_endpoint_auth_methods_supported: Option<Vec<String>>,
    pub(super) id_token_signing_alg_values_supported: Option<Vec<String>>,
}

#[derive(Deserialize)]
struct KeyList {
    /// Some may be of a kind that we do not know.
    keys: Vec<serde_json::Value>,
}

/// A key that an issuer publishes.
pub(super) struct PublishedKey {
    jwk: Jwk,
    /// The only issuer that it signs for, where several share their keys; this is Microsoft's.
    pub(super) issuer: Option<String>,
    pub(super) key: DecodingKey,
}

impl PublishedKey {
    fn of(value: serde_json::Value) -> Option<Self> {
        let issuer = value.get("issuer").and_then(|issuer| issuer.as_str()).map(str::to_owned);
        let jwk: Jwk = serde_json::from_value(value).ok()?;
        let is_good = match &jwk.algorithm {
            AlgorithmParameters::RSA(rsa) => rsa.n.trim_end_matches('=').len() >= RSA_LENGTH,
            AlgorithmParameters::EllipticCurve(_) | AlgorithmParameters::OctetKeyPair(_) => true,
            // What is published is no secret, and signs nothing.
            _ => false,
        };
        let signs = matches!(jwk.common.public_key_use, None | Some(PublicKeyUse::Signature));
        let key = DecodingKey::from_jwk(&jwk).ok()?;
        (is_good && signs).then_some(Self { jwk, issuer, key })
    }

    /// Whether it has this name. A token need not name its key if the issuer has one only.
    fn is(&self, id: Option<&str>) -> bool {
        id.is_none() || self.jwk.common.key_id.as_deref() == id
    }

    /// Whether it can sign by an algorithm.
    pub(super) fn fits(&self, algorithm: Algorithm) -> bool {
        let of_kind = match &self.jwk.algorithm {
            AlgorithmParameters::RSA(_) => matches!(
                algorithm,
                Algorithm::RS256 | Algorithm::RS384 | Algorithm::RS512 | Algorithm::PS256 | Algorithm::PS384 | Algorithm::PS512
            ),
            AlgorithmParameters::EllipticCurve(key) => {
                matches!((&key.curve, algorithm), (EllipticCurve::P256, Algorithm::ES256) | (EllipticCurve::P384, Algorithm::ES384))
            }
            AlgorithmParameters::OctetKeyPair(key) => key.curve == EllipticCurve::Ed25519 && algorithm == Algorithm::EdDSA,
            _ => false,
        };
        of_kind && self.jwk.common.key_algorithm.is_none_or(|own| own.to_string() == format!("{algorithm:?}"))
    }
}

/// What an issuer has published.
pub(super) struct Published {
    pub(super) document: Document,
    pub(super) keys: Vec<PublishedKey>,
    read: Instant,
}

impl std::fmt::Debug for Published {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Published").field("document", &self.document).finish_non_exhaustive()
    }
}

impl Published {
    /// Asks an issuer.
    pub(super) async fn read(fetcher: &Fetcher, settings: &IssuerSettings) -> Result<Self, Unreachable> {
        let url = settings.document();
        let document: Document = fetcher.get(&url).await?;
        if document.issuer != settings.issuer {
            return Err(Unreachable::new(format!("{url}: it is of another issuer, {:?}", document.issuer)));
        }
        let endpoints = [document.authorization_endpoint.as_ref(), document.token_endpoint.as_ref()].into_iter().flatten();
        if let Some(unsafe_one) = endpoints.chain([&document.jwks_uri]).find(|endpoint| !is_safe(endpoint)) {
            return Err(Unreachable::new(format!("{url}: {unsafe_one:?} is no https address")));
        }
        let KeyList { keys } = fetcher.get(&document.jwks_uri).await?;
        let keys: Vec<_> = keys.into_iter().take(MOST_KEYS).filter_map(PublishedKey::of).collect();
        if keys.is_empty() {
            return Err(Unreachable::new(format!("{}: there is no key for signatures", document.jwks_uri)));
        }
        Ok(Self { document, keys, read: Instant::now() })
    }

    /// The key with this name that can sign by this algorithm.
    pub(super) fn key(&self, id: Option<&str>, algorithm: Algorithm) -> Option<&PublishedKey> {
        let mut fitting = self.keys.iter().filter(|key| key.is(id) && key.fits(algorithm));
        let first = fitting.next()?;
        // Which one is meant must be clear.
        fitting.next().is_none().then_some(first)
    }

    fn has(&self, id: Option<&str>) -> bool {
        self.keys.iter().any(|key| key.is(id))
    }
}

type Reading = Shared<BoxFuture<'static, Result<Arc<Published>, Unreachable>>>;

/// What an issuer has published when it was last asked. It is asked by one task at a time, which all wait for that need the answer.
#[derive(Debug, Clone)]
pub(super) struct Publications(Arc<Source>);

#[derive(Debug)]
struct Source {
    fetcher: Fetcher,
    settings: IssuerSettings,
    held: Mutex<Held>,
}

#[derive(Debug, Default)]
struct Held {
    published: Option<Arc<Published>>,
    /// When the issuer was last asked.
    asked: Option<Instant>,
    /// Why it has not answered then.
    failed: Option<Unreachable>,
    reading: Option<Reading>,
}

impl Held {
    fn not_older(&self, age: Duration) -> Option<&Arc<Published>> {
        self.published.as_ref().filter(|published| published.read.elapsed() < age)
    }
}

impl Publications {
    pub(super) fn new(fetcher: Fetcher, settings: &IssuerSettings) -> Self {
        Self(Arc::new(Source { fetcher, settings: settings.clone(), held: Mutex::default() }))
    }

    /// What the issuer publishes, if possible with the key of this name. It may be without that key if the issuer has none.
    pub(super) async fn with_key(&self, id: Option<&str>) -> Result<Arc<Published>, Unreachable> {
        let reading = {
            let mut held = self.0.lock();
            if let Some(published) = held.not_older(FRESH).filter(|published| published.has(id)) {
                return Ok(Arc::clone(published));
            }
            // One that has ended without being taken away has panicked.
            match held.reading.clone().filter(|reading| reading.peek().is_none()) {
                Some(reading) => reading,
                None if held.asked.is_some_and(|asked| asked.elapsed() < PAUSE) => return held.kept(id),
                None => held.reading.insert(self.begin()).clone(),
            }
        };
        match reading.await {
            Ok(published) => Ok(published),
            Err(_) => self.0.lock().kept(id),
        }
    }

    /// Begins to read. It goes on even if nobody waits for it any more.
    fn begin(&self) -> Reading {
        let source = Arc::clone(&self.0);
        let task = tokio::spawn(async move {
            let read = Published::read(&source.fetcher, &source.settings).await.map(Arc::new);
            if let Err(error) = &read {
                tracing::error!(issuer = source.settings.name, %error, "an issuer of tokens cannot be asked");
            }
            let mut held = source.lock();
            held.asked = Some(Instant::now());
            held.failed = read.as_ref().err().cloned();
            held.published = read.as_ref().ok().or(held.published.as_ref()).cloned();
            held.reading = None;
            read
        });
        async move { task.await.unwrap_or_else(|error| Err(Unreachable::new(error.to_string()))) }.boxed().shared()
    }
}

impl Source {
    fn lock(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Held {
    /// What there is, when the issuer has just been asked.
    fn kept(&self, id: Option<&str>) -> Result<Arc<Published>, Unreachable> {
        match (self.not_older(KEPT), &self.failed) {
            (Some(published), None) => Ok(Arc::clone(published)),
            // Whether the issuer has a key that we do not know, it has not said.
            (Some(published), Some(_)) if published.has(id) => Ok(Arc::clone(published)),
            (_, failed) => Err(failed.clone().unwrap_or_else(|| Unreachable::new("it was not asked yet"))),
        }
    }
}
