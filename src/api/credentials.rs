//! The credentials that requests carry: a name and a password (RFC 7617), a token (RFC 6750), or the certificate of the connection.

use std::{net::IpAddr, sync::Arc};

use axum::http::{Extensions, HeaderMap, header};

use crate::{
    app::App,
    auth::{AuthError, ClientCertificate, Principal, TokenFault, origin::client_address},
    wire::base64,
};

/// What the header `Authorization` holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Credentials {
    /// A name and a password.
    Password(String, String),
    /// A token.
    Token(String),
    /// Another kind, or broken ones.
    Unknown,
}

/// The credentials of a request, if it has any.
#[must_use]
pub fn credentials(headers: &HeaderMap) -> Option<Credentials> {
    headers.get(header::AUTHORIZATION).map(|value| parse(value.as_bytes()).unwrap_or(Credentials::Unknown))
}

/// The principal of the credentials of a request, if it has any, or otherwise of the certificate that its client has shown.
///
/// # Errors
/// [`AuthError`] for wrong ones.
pub async fn principal(app: &App, headers: &HeaderMap, extensions: &Extensions) -> Result<Option<Principal>, AuthError> {
    let address = client_address(extensions);
    match credentials(headers) {
        None => certificate_principal(app, extensions, address),
        Some(Credentials::Password(name, password)) => app.principal_with_password(&name, &password, address).await.map(Some),
        Some(Credentials::Token(token)) => app.principal_with_token(&token, address).await.map(Some),
        Some(Credentials::Unknown) => Err(AuthError::Credentials),
    }
}

/// The principal of the token of a request, if it has one. A name and a password count as nothing.
///
/// # Errors
/// [`AuthError`] for one that is not good.
pub async fn token_principal(app: &App, headers: &HeaderMap, address: IpAddr) -> Result<Option<Principal>, AuthError> {
    match credentials(headers) {
        None | Some(Credentials::Password(..)) => Ok(None),
        Some(Credentials::Token(token)) => app.principal_with_token(&token, address).await.map(Some),
        Some(Credentials::Unknown) => Err(TokenFault::Invalid.into()),
    }
}

/// The principal of the certificate that the client of a request has shown, if that is an account's.
///
/// # Errors
/// [`AuthError`] if the account may not be used.
pub fn certificate_principal(app: &App, extensions: &Extensions, address: IpAddr) -> Result<Option<Principal>, AuthError> {
    let certificate = extensions.get::<Arc<ClientCertificate>>();
    certificate.map_or(Ok(None), |certificate| app.principal_with_certificate(certificate, address))
}

fn parse(value: &[u8]) -> Option<Credentials> {
    let (scheme, rest) = value.split_at_checked(value.iter().position(|&byte| byte == b' ')? + 1)?;
    if scheme.eq_ignore_ascii_case(b"bearer ") {
        let token = std::str::from_utf8(rest).ok()?.trim();
        return (!token.is_empty()).then(|| Credentials::Token(token.to_owned()));
    }
    if !scheme.eq_ignore_ascii_case(b"basic ") {
        return None;
    }
    let decoded = base64::decode(rest.to_vec()).ok()?;
    // Older clients send Latin-1 instead of UTF-8.
    let text = super::body::text(decoded);
    let (name, password) = text.split_once(':')?;
    Some(Credentials::Password(name.to_owned(), password.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_read() {
        let parts = |name: &str, password: &str| Some(Credentials::Password(name.to_owned(), password.to_owned()));
        assert_eq!(parse(b"bearer  a.b-c_d "), Some(Credentials::Token("a.b-c_d".to_owned())));
        assert_eq!(parse(b"Basic dXNlcjpwYXNzd29yZA=="), parts("user", "password"));
        assert_eq!(parse(b"basic  dXNlcjphOmI="), parts("user", "a:b"));
        assert_eq!(parse(b"Basic dTr8"), parts("u", "ü"));
        assert_eq!(parse(b"Basic dTrDvA=="), parts("u", "ü"));
        for wrong in [&b"Basic"[..], b"Basic ", b"Basic dXNlcg==", b"Bearer ", b"Digest x", b"Basic !!", b"\xff\xff\xff\xff\xff\xff\xff"] {
            assert_eq!(parse(wrong), None);
        }
    }
}
