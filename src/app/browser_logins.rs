//! Logins that are begun here and go on at an issuer outside, in a browser.

use std::net::IpAddr;

use super::App;
use crate::auth::{
    AuthError,
    issuers::browser::{BegunLogin, BrowserLoginFault, LoginReturn},
};

impl App {
    /// The names of the issuers where people can log in by their browser.
    #[must_use]
    pub fn login_issuers(&self) -> Vec<&str> {
        self.issuers.with_login()
    }

    /// Begins a login at an issuer, which sends the browser back to the address `redirect`. `None` if there is no such issuer.
    ///
    /// # Errors
    /// [`AuthError`]
    pub async fn login_lead(
        &self,
        issuer: &str,
        redirect: &str,
        return_to: &str,
        address: IpAddr,
    ) -> Result<Option<BegunLogin>, AuthError> {
        self.issuers.begin(issuer, redirect, return_to, address).await
    }

    /// Finishes it: returns the account's name, the cookie of a login that has begun, and where the browser wanted to go.
    ///
    /// # Errors
    /// [`BrowserLoginFault`]
    pub async fn login_arrive(
        &self,
        issuer: &str,
        browser: &str,
        answer: LoginReturn,
        address: IpAddr,
    ) -> Result<(String, String, String), BrowserLoginFault> {
        let (account, return_to) = self.issuers.finish(issuer, browser, answer).await?;
        let begun = self.login_begin(&account.name, &account.display_name, false, address).await;
        let (cookie, _) = begun.map_err(|error| AuthError::Unavailable(format!("the system's source of random numbers ({error})")))?;
        Ok((account.name, cookie, return_to))
    }
}
