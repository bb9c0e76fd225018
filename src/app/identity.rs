//! Who sends a request that carries its proof with it.

use std::{net::IpAddr, sync::Arc};

use super::App;
use crate::{
    auth::{AuthError, ClientCertificate, Login, Principal, TokenFault, authentication::may_be_used, tokens::personal},
    with_sources,
};

impl App {
    /// The principal with this name and password. In the place of the password there may be a token of that account, for programs that can
    /// send nothing else.
    ///
    /// # Errors
    /// [`AuthError`]
    pub async fn principal_with_password(&self, name: &str, password: &str, address: IpAddr) -> Result<Principal, AuthError> {
        if personal::is_one(password) {
            let principal = self.principal_with_token(password, address).await?;
            return if principal.name() == name { Ok(principal) } else { Err(AuthError::Credentials) };
        }
        let account = self.accounts.authenticate(name, password, address).await?;
        Ok(Principal::with_password(&self.rules.now(), &account, address))
    }

    /// The principal with this token: of this server, or of an issuer that the settings name.
    ///
    /// # Errors
    /// [`AuthError`]
    pub async fn principal_with_token(&self, token: &str, address: IpAddr) -> Result<Principal, AuthError> {
        let holder = match self.tokens.check(token) {
            Err(AuthError::Token(TokenFault::Invalid)) => self.issuers.check(token).await?,
            checked => checked?,
        };
        Ok(Principal::with_token(&self.rules.now(), &holder, address))
    }

    /// The principal with this certificate, if it is for an account.
    ///
    /// # Errors
    /// [`AuthError`] if the account may not be used.
    pub fn principal_with_certificate(&self, certificate: &ClientCertificate, address: IpAddr) -> Result<Option<Principal>, AuthError> {
        let named = &self.config.auth.certificates;
        let Some(account) = certificate.account(named) else { return Ok(None) };
        let rules = self.rules.now();
        let Some(account) = rules.account(account) else { return Ok(None) };
        may_be_used(account)?;
        Ok(Some(Principal::with_certificate(&rules, &account.name, certificate.id, address)))
    }

    /// The login of a principal with a token or a certificate, to which sessions, files and objects can belong. It begins with the first
    /// request.
    #[must_use]
    pub fn login_without_cookie(&self, principal: &Principal) -> Option<Arc<Login>> {
        let rules = self.rules.now();
        let display_name = rules.account(principal.name()).map_or("", |account| account.display_name.as_str());
        Some(self.logins.of_token(principal.token()?, principal.name(), display_name))
    }

    /// Reads the keys for tokens, if they have changed; the first time, makes one if there is none. Does not wait for that.
    pub fn follow_keys(&self) {
        // This is asked each second, and a thread takes more than the look.
        if self.tokens.has_current_keys() {
            return;
        }
        let tokens = self.tokens.clone();
        self.tasks.spawn_blocking(move || {
            if let Err(error) = tokens.refresh_keys() {
                tracing::error!(error = with_sources(&error), "the keys for tokens cannot be had");
            }
        });
    }
}
