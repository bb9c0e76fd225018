//! Checks which addresses requests come from, and whether they have to come by HTTPS.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use axum::{
    extract::ConnectInfo,
    http::{Extensions, HeaderMap, HeaderName},
};

use crate::store::{policies::Policy, rules::Rules};

/// Is `https` if the request came by HTTPS. The server sets or removes this header, so that a client cannot forge it.
pub const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// The address of the client that sent a request. The server has put it into the request's extensions.
#[must_use]
pub fn client_address(extensions: &Extensions) -> IpAddr {
    let client = extensions.get::<ConnectInfo<SocketAddr>>();
    client.map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |ConnectInfo(client)| client.ip())
}

/// Whether a request came by HTTPS.
#[must_use]
pub fn is_https(headers: &HeaderMap) -> bool {
    headers.contains_key(FORWARDED_PROTO)
}

/// The scheme of the server's address for this client.
#[must_use]
pub fn scheme(headers: &HeaderMap) -> &'static str {
    if is_https(headers) { "https" } else { "http" }
}

/// Why a request may not come from there or in this way. A sentence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum OriginError {
    /// An IP filter excludes the address.
    #[error("Requests from your address are not allowed.")]
    Address,
    /// A policy requires HTTPS.
    #[error("This server takes such requests by HTTPS only.")]
    Plain,
}

/// Checks that a request may come from `address`, and that it may come by HTTP if it does. Callers with a login have rules of their own.
///
/// # Errors
/// [`OriginError`]
pub fn check_origin(rules: &Rules, address: IpAddr, https: bool, with_login: bool) -> Result<(), OriginError> {
    let (filter, encryption) = if with_login {
        (Policy::AuthenticatedIpFilter, Policy::AuthenticatedHttps)
    } else {
        (Policy::AnonymousIpFilter, Policy::AnonymousHttps)
    };
    if rules.lets_in(filter, address) == Some(false) {
        Err(OriginError::Address)
    } else if !https && rules.policies.flag(encryption) {
        Err(OriginError::Plain)
    } else {
        Ok(())
    }
}
