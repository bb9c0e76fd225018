//! Logins by a browser: the code flow (OpenID Connect Core 1.0, section 3.1) with PKCE (RFC 7636).
//!
//! A login is begun here, goes on at the issuer, and comes back. What comes back is taken once, and only from the browser that has begun:
//! otherwise a page could log somebody in as somebody else.

use std::{
    collections::{HashMap, hash_map::Entry},
    net::IpAddr,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use oauth2::{
    AuthType, AuthUrl, AuthorizationCode, ClientId, ClientSecret, CsrfToken, ExtraTokenFields, PkceCodeChallenge, PkceCodeVerifier,
    RedirectUrl, RequestTokenError, Scope, StandardRevocableToken, StandardTokenResponse, TokenUrl,
    basic::{BasicErrorResponse, BasicRevocationErrorResponse, BasicTokenIntrospectionResponse, BasicTokenType},
};
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq;

use super::{Issuer, Issuers, claims, published::Published};
use crate::{
    auth::{AuthError, TokenFault, hashing::network},
    store::Account,
    telemetry::audit,
};

/// How long somebody may take to log in at the issuer.
pub const LIFETIME: Duration = Duration::from_mins(10);
/// The most logins that are under way.
const MOST: usize = 10_000;
/// The most that come from one client's network. The next takes the place of the oldest of them.
const MOST_OF_NETWORK: usize = 500;
/// The most characters of what an issuer says, in a message.
const SAID: usize = 200;

/// Why a login by a browser came to nothing.
#[derive(Debug, thiserror::Error)]
pub enum BrowserLoginFault {
    /// The issuer sent back what was not begun, or not by this browser, or too long ago, or is used up.
    #[error("this login was not begun in this browser, has taken too long, or was finished already")]
    Unknown,
    /// The issuer says no.
    #[error("the issuer {0} did not log you in: {1}")]
    Refused(String, String),
    /// As with other credentials.
    #[error(transparent)]
    Auth(#[from] AuthError),
}

/// A login that has been begun.
#[derive(Debug)]
pub struct BegunLogin {
    /// Where the browser goes on.
    pub location: String,
    /// What it shows when it comes back, by a cookie.
    pub browser: String,
}

/// What an issuer sends a browser back with.
#[derive(Debug, Default)]
#[expect(missing_docs, reason = "the fields are parameters of RFC 6749, section 4.1.2")]
pub struct LoginReturn {
    pub state: String,
    pub code: Option<String>,
    /// Who answers (RFC 9207).
    pub iss: Option<String>,
    pub error: Option<String>,
    pub error_description: Option<String>,
}

#[derive(Debug)]
struct PendingLogin {
    issuer: String,
    browser: String,
    nonce: String,
    verifier: String,
    redirect: String,
    return_to: String,
    client: IpAddr,
    begun: Instant,
}

/// The logins that are under way, by their state.
#[derive(Debug, Default)]
pub(super) struct PendingLogins(Mutex<HashMap<String, PendingLogin>>);

impl PendingLogins {
    fn add(&self, state: String, login: PendingLogin) -> Result<(), AuthError> {
        let mut table = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        table.retain(|_, other| other.begun.elapsed() < LIFETIME);
        let of_network = table.iter().filter(|(_, other)| other.client == login.client);
        if of_network.clone().count() >= MOST_OF_NETWORK
            && let Some(oldest) = of_network.min_by_key(|(_, other)| other.begun).map(|(state, _)| state.clone())
        {
            table.remove(&oldest);
        }
        if table.len() >= MOST {
            return Err(AuthError::TooMany);
        }
        table.insert(state, login);
        Ok(())
    }

    /// Takes a login from the browser that has begun it.
    fn take(&self, state: &str, issuer: &str, browser: &str) -> Option<PendingLogin> {
        let mut table = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Entry::Occupied(found) = table.entry(state.to_owned()) else { return None };
        let login = found.get();
        let is_it = login.issuer == issuer && bool::from(login.browser.as_bytes().ct_eq(browser.as_bytes()));
        (is_it && login.begun.elapsed() < LIFETIME).then(|| found.remove())
    }
}

/// What OpenID Connect adds to the answer of RFC 6749.
#[derive(Debug, Serialize, Deserialize)]
struct IdToken {
    id_token: Option<String>,
}

impl ExtraTokenFields for IdToken {}

type CodeClient = oauth2::Client<
    BasicErrorResponse,
    StandardTokenResponse<IdToken, BasicTokenType>,
    BasicTokenIntrospectionResponse,
    StandardRevocableToken,
    BasicRevocationErrorResponse,
>;

impl Issuers {
    /// The names of the issuers where people can log in by their browser.
    #[must_use]
    pub fn with_login(&self) -> Vec<&str> {
        self.0.issuers.iter().filter(|issuer| issuer.has_login()).map(|issuer| issuer.settings.name.as_str()).collect()
    }

    /// Begins a login at an issuer, which sends the browser back to `redirect`; from there it goes to `return_to`. `None` if there is no
    /// such issuer.
    ///
    /// # Errors
    /// [`AuthError`]
    pub async fn begin(&self, name: &str, redirect: &str, return_to: &str, address: IpAddr) -> Result<Option<BegunLogin>, AuthError> {
        let Some(issuer) = self.issuer(name).filter(|issuer| issuer.has_login()) else { return Ok(None) };
        let published = issuer.publications.with_key(None).await.map_err(|_| issuer.unavailable())?;
        let endpoint = published.document.authorization_endpoint.clone().and_then(|url| AuthUrl::new(url).ok());
        let (Some(endpoint), Ok(target)) = (endpoint, RedirectUrl::new(redirect.to_owned())) else {
            tracing::error!(issuer = name, redirect, "an issuer has no address for logins, or this server's address is none");
            return Err(issuer.unavailable());
        };
        let client = issuer.client().set_auth_uri(endpoint).set_redirect_uri(target);
        let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
        let (nonce, browser) = (CsrfToken::new_random_len(32), CsrfToken::new_random_len(32));
        // "openid" is what makes it more than OAuth.
        let scopes = issuer.settings.scopes.iter().map(String::as_str).filter(|scope| *scope != "openid");
        let (location, state) = client
            .authorize_url(|| CsrfToken::new_random_len(32))
            .add_scopes(std::iter::once("openid").chain(scopes).map(|scope| Scope::new(scope.to_owned())))
            .add_extra_param("nonce", nonce.secret())
            .set_pkce_challenge(challenge)
            .url();
        let login = PendingLogin {
            issuer: name.to_owned(),
            browser: browser.secret().clone(),
            nonce: nonce.secret().clone(),
            verifier: verifier.secret().clone(),
            redirect: redirect.to_owned(),
            return_to: return_to.to_owned(),
            client: network(address),
            begun: Instant::now(),
        };
        self.0.pending.add(state.into_secret(), login)?;
        Ok(Some(BegunLogin { location: location.to_string(), browser: browser.into_secret() }))
    }

    /// Finishes a login. Returns the account, and where the browser wanted to go.
    ///
    /// # Errors
    /// [`BrowserLoginFault`]
    pub async fn finish(&self, name: &str, browser: &str, answer: LoginReturn) -> Result<(Account, String), BrowserLoginFault> {
        let finished = self.try_finish(name, browser, answer).await;
        match &finished {
            Ok((account, _)) => audit::login(&account.name, name, None),
            Err(fault) => audit::login("", name, Some(&fault.to_string())),
        }
        finished
    }

    async fn try_finish(&self, name: &str, browser: &str, answer: LoginReturn) -> Result<(Account, String), BrowserLoginFault> {
        let issuer = self.issuer(name).ok_or(BrowserLoginFault::Unknown)?;
        let login = self.0.pending.take(&answer.state, name, browser).ok_or(BrowserLoginFault::Unknown)?;
        let refused = |what: &str| {
            let shown = what.chars().filter(|letter| !letter.is_control()).take(SAID).collect();
            BrowserLoginFault::Refused(name.to_owned(), shown)
        };
        if let Some(error) = answer.error {
            return Err(refused(answer.error_description.as_ref().unwrap_or(&error)));
        }
        let code = answer.code.ok_or(BrowserLoginFault::Unknown)?;
        let published = issuer.publications.with_key(None).await.map_err(|_| issuer.unavailable())?;
        // Another issuer may try to have its code, or ours, used at the wrong place.
        if answer.iss.is_some_and(|iss| iss != published.document.issuer && issuer.settings.tenants.is_empty()) {
            return Err(BrowserLoginFault::Unknown);
        }
        let token = issuer.exchange(&published, code, &login).await.map_err(|failed| match failed {
            ExchangeFault::Refused(what) => refused(&what),
            ExchangeFault::Unreachable(what) => {
                tracing::error!(issuer = name, error = what, "an issuer does not take a code");
                issuer.unavailable().into()
            }
        })?;
        let client_id = &issuer.settings.client_id;
        let claims = issuer.verify(&token, std::slice::from_ref(client_id)).await?;
        let is_for_us = claims::text(&claims, "azp").map_or_else(|| claims::list(&claims, "aud").count() == 1, |azp| azp == client_id);
        if !is_for_us || claims::text(&claims, "nonce") != Some(login.nonce.as_str()) {
            return Err(AuthError::from(TokenFault::Invalid).into());
        }
        Ok((self.account(issuer, &claims).await?, login.return_to))
    }
}

enum ExchangeFault {
    /// The issuer's words.
    Refused(String),
    Unreachable(String),
}

impl Issuer {
    fn has_login(&self) -> bool {
        !self.settings.client_id.is_empty()
    }

    fn client(&self) -> CodeClient {
        let client = CodeClient::new(ClientId::new(self.settings.client_id.clone()));
        match self.secret.expose() {
            "" => client,
            secret => client.set_client_secret(ClientSecret::new(secret.to_owned())),
        }
    }

    /// Exchanges a code for an ID token.
    async fn exchange(&self, published: &Published, code: String, login: &PendingLogin) -> Result<String, ExchangeFault> {
        let wrong = |what: &str| ExchangeFault::Unreachable(what.to_owned());
        let endpoint = published.document.token_endpoint.clone().and_then(|url| TokenUrl::new(url).ok());
        let endpoint = endpoint.ok_or_else(|| wrong("it has no address for that"))?;
        let redirect = RedirectUrl::new(login.redirect.clone()).map_err(|error| wrong(&error.to_string()))?;
        let methods = published.document.token_endpoint_auth_methods_supported.as_deref().unwrap_or_default();
        let supports = |method: &str| methods.iter().any(|supported| supported == method);
        let in_body = supports("client_secret_post") && !supports("client_secret_basic");
        let client = self.client().set_token_uri(endpoint).set_redirect_uri(redirect);
        let client = client.set_auth_type(if in_body { AuthType::RequestBody } else { AuthType::BasicAuth });
        let request = client.exchange_code(AuthorizationCode::new(code)).set_pkce_verifier(PkceCodeVerifier::new(login.verifier.clone()));
        let send = |request| {
            let fetcher = self.fetcher.clone();
            async move { fetcher.send(request).await }
        };
        let answer = request.request_async(&send).await.map_err(|error| match error {
            RequestTokenError::ServerResponse(answer) => {
                ExchangeFault::Refused(answer.error_description().cloned().unwrap_or_else(|| answer.error().to_string()))
            }
            error => ExchangeFault::Unreachable(crate::with_sources(&error)),
        })?;
        answer.extra_fields().id_token.clone().ok_or_else(|| wrong("there is no ID token in its answer"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn login(last: u8, browser: &str) -> PendingLogin {
        PendingLogin {
            issuer: "x".to_owned(),
            browser: browser.to_owned(),
            nonce: String::new(),
            verifier: String::new(),
            redirect: String::new(),
            return_to: String::new(),
            client: IpAddr::from([10, 0, 0, last]),
            begun: Instant::now(),
        }
    }

    #[test]
    fn a_login_is_taken_once_by_the_browser_that_has_begun_it() {
        let pending = PendingLogins::default();
        pending.add("s".to_owned(), login(1, "b")).unwrap();
        for (state, issuer, browser) in [("t", "x", "b"), ("s", "y", "b"), ("s", "x", "c"), ("s", "x", "")] {
            assert!(pending.take(state, issuer, browser).is_none());
        }
        assert!(pending.take("s", "x", "b").is_some());
        assert!(pending.take("s", "x", "b").is_none());
        let mut old = login(1, "b");
        old.begun = old.begun.checked_sub(LIFETIME).unwrap();
        pending.add("s".to_owned(), old).unwrap();
        assert!(pending.take("s", "x", "b").is_none());
    }

    #[test]
    fn one_network_cannot_take_the_place_of_others() {
        let pending = PendingLogins::default();
        pending.add("other".to_owned(), login(2, "b")).unwrap();
        for number in 0..=MOST_OF_NETWORK {
            pending.add(number.to_string(), login(1, "b")).unwrap();
        }
        assert!(pending.take("0", "x", "b").is_none());
        assert!(pending.take("1", "x", "b").is_some() && pending.take("other", "x", "b").is_some());
    }
}
