//! Where requests may come from, and whether they have to come by HTTPS.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use axum::{
    extract::ConnectInfo,
    http::{Extensions, HeaderMap, HeaderName},
};

use crate::store::{policies::Policy, rules::Rules};

/// Says `https` of a request that came by HTTPS. The server sets and removes it: what a client sends is not it.
pub const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// The address of the client that sent a request with these extensions, which the server has put there.
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

/// What the client's address of this server begins with.
#[must_use]
pub fn scheme(headers: &HeaderMap) -> &'static str {
    if is_https(headers) { "https" } else { "http" }
}

/// Why a request may not come as it does. A sentence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum OriginError {
    /// An IP filter keeps it out.
    #[error("Requests from your address are not allowed.")]
    Address,
    /// A policy asks for HTTPS.
    #[error("This server takes such requests by HTTPS only.")]
    Plain,
}

/// Whether a request may come from `address`, and by HTTP if it does. What counts for callers with a login is not what
/// counts for others.
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
