//! Who calls: by Basic authentication with an account's password, or with the secret that the settings have (contract a.2).

use std::net::IpAddr;

use axum::{
    extract::Request,
    http::{Extensions, HeaderMap},
};

use super::error::Error;
use crate::{
    api::credentials::{Credentials, credentials},
    app::App,
    auth::{
        AuthError, Principal,
        origin::{check_origin, client_address, is_https},
        permissions::role,
    },
    config::Secret,
};

/// What users write before a name to say that it is one of the operating system.
const PREFIXES: [&str; 3] = ["<<unix>>\\", "#unix\\", "#local\\"];
/// The owner of the sessions of those who know the secret. No account can be called like this.
const ANYBODY: &str = "?";

/// Somebody who has proved who they are.
#[derive(Debug, Clone)]
pub struct Visitor {
    /// Who that is for the core.
    pub principal: Principal,
    /// The name as it was sent, with its prefix. Each has a list of sessions of its own.
    pub name: String,
}

impl Visitor {
    /// The owner of this caller's sessions, in the list of the broker.
    #[must_use]
    pub fn owner(&self) -> Owner {
        Owner { name: self.name.clone(), account: self.principal.name().to_owned() }
    }
}

/// Whose sessions: an account, and the name that it was called by.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Owner {
    /// The name as it was sent.
    pub name: String,
    /// The account.
    pub account: String,
}

/// Whether a request says who sends it.
#[must_use]
pub fn has_credentials(headers: &HeaderMap) -> bool {
    credentials(headers).is_some()
}

/// Who sends a request.
///
/// # Errors
/// 401 for missing and wrong credentials, and others if they could not be checked.
pub async fn identify(app: &App, headers: &HeaderMap, extensions: &Extensions) -> Result<Visitor, Error> {
    let address = client_address(extensions);
    let Some(Credentials::Password(name, password)) = credentials(headers) else { return Err(Error::Unauthenticated) };
    let principal = match secret(app).await? {
        Some(secret) => {
            app.accounts().check_shared(&name, &password, secret.expose(), address)?;
            Principal::anybody(ANYBODY, &[role::POWER_USER], address)
        }
        None => with_account(app, &name, &password, address).await?,
    };
    Ok(Visitor { principal, name })
}

/// The password that lets everybody in, if there is one.
async fn secret(app: &App) -> Result<Option<Secret>, Error> {
    // It may be in a file.
    let settings = app.settings().rtvs.clone();
    let read = tokio::task::spawn_blocking(move || settings.shared_secret()).await.unwrap_or_else(|error| Err(error.to_string()));
    read.map_err(|error| {
        tracing::error!(error, "nobody can log in");
        Error::from(AuthError::Unavailable("the secret".to_owned()))
    })
}

async fn with_account(app: &App, name: &str, password: &str, address: IpAddr) -> Result<Principal, Error> {
    let principal = app.principal_with_password(without_prefix(name), password, address).await?;
    let group = &app.settings().rtvs.allowed_group;
    if !group.is_empty() && !app.accounts().is_in_group(principal.name(), group).await? {
        tracing::info!(user.name = principal.name(), group, "refused: not in the group that may connect");
        return Err(Error::Unauthenticated);
    }
    Ok(principal)
}

/// Checks that requests may come from where this one comes from.
///
/// # Errors
/// 400 with a sentence.
pub fn check_place(app: &App, request: &Request, with_login: bool) -> Result<(), Error> {
    let address = client_address(request.extensions());
    check_origin(&app.rules().now(), address, is_https(request.headers()), with_login).map_err(|error| Error::invalid(error.to_string()))
}

fn without_prefix(name: &str) -> &str {
    let is_prefix = |prefix: &&&str| name.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix));
    PREFIXES.iter().find(is_prefix).map_or(name, |prefix| &name[prefix.len()..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefixes_are_no_part_of_a_name() {
        for (name, expected) in [
            ("ada", "ada"),
            ("<<unix>>\\ada", "ada"),
            ("<<UNIX>>\\ada", "ada"),
            ("#local\\ada", "ada"),
            ("#Unix\\#unix\\ada", "#unix\\ada"),
            ("#unix", "#unix"),
            ("DOMAIN\\ada", "DOMAIN\\ada"),
            ("é", "é"),
            ("#uni\u{e9}\\x", "#uni\u{e9}\\x"),
        ] {
            assert_eq!(without_prefix(name), expected);
        }
    }
}
