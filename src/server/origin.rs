//! Who has sent a request. A trusted proxy says so in headers; from anybody else, these headers mean nothing.
//!
//! After [`settle`], a request looks the same however it came: its client's address is in the extension
//! `ConnectInfo`, `Host` is what the client wrote, and `X-Forwarded-Proto` is there, as `https`, if and only if the
//! client used HTTPS.

use std::net::{IpAddr, SocketAddr};

use axum::{
    extract::ConnectInfo,
    http::{HeaderMap, HeaderName, HeaderValue, Request, header},
};
use ipnet::IpNet;

use crate::auth::origin::FORWARDED_PROTO;

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");

/// Notes in a request where it comes from. Returns whether it came by a trusted proxy.
pub(super) fn settle<B>(request: &mut Request<B>, peer: SocketAddr, https: bool, proxies: &[IpNet]) -> bool {
    if let Some(host) = request.uri().authority().and_then(|authority| HeaderValue::from_str(authority.as_str()).ok()) {
        // In HTTP/2 the host is part of the request's address. If the address has a host, `Host` does not count (RFC 9112,
        // section 3.2.2).
        request.headers_mut().insert(header::HOST, host);
    }
    let (mut client, mut https) = (SocketAddr::new(peer.ip().to_canonical(), peer.port()), https);
    let trusted = |address: IpAddr| proxies.iter().any(|network| network.contains(&address));
    let headers = request.headers_mut();
    let forwarded = trusted(client.ip());
    if forwarded {
        if let Some(address) = forwarded_for(headers, trusted) {
            client = SocketAddr::new(address, 0);
        }
        if let Some(proto) = headers.get(FORWARDED_PROTO) {
            https = proto.as_bytes().eq_ignore_ascii_case(b"https");
        }
        if let Some(host) = forwarded_host(headers) {
            headers.insert(header::HOST, host);
        }
        headers.remove(FORWARDED_HOST);
    }
    headers.remove(FORWARDED_PROTO);
    if https {
        headers.insert(FORWARDED_PROTO, HeaderValue::from_static("https"));
    }
    request.extensions_mut().insert(ConnectInfo(client));
    forwarded
}

/// The host that the nearest proxy tells: the last one, as some proxies append theirs to what the client has sent.
fn forwarded_host(headers: &HeaderMap) -> Option<HeaderValue> {
    let list = headers.get_all(FORWARDED_HOST).iter().next_back()?.as_bytes();
    HeaderValue::from_bytes(list.rsplit(|&byte| byte == b',').next()?.trim_ascii()).ok()
}

/// The last address in the list that is not one of our proxies. Anybody could have written those before it.
fn forwarded_for(headers: &HeaderMap, trusted: impl Fn(IpAddr) -> bool) -> Option<IpAddr> {
    let lists: Vec<_> = headers.get_all(FORWARDED_FOR).iter().filter_map(|list| list.to_str().ok()).collect();
    let mut client = None;
    for text in lists.iter().rev().flat_map(|list| list.rsplit(',')) {
        let text = text.trim();
        let address = text.parse::<SocketAddr>().map(|address| address.ip()).or_else(|_| text.trim_matches(['[', ']']).parse());
        let Ok(address) = address else { break };
        let address = address.to_canonical();
        client = Some(address);
        if !trusted(address) {
            break;
        }
    }
    client
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The client's address, the host and the scheme.
    fn settled(peer: &str, https: bool, headers: &[(&str, &str)]) -> (String, String, bool) {
        let in_header = headers.iter().any(|(name, _)| *name == "host");
        let mut request = Request::builder().uri(if in_header { "/" } else { "http://authority.example/" });
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let mut request = request.body(()).unwrap();
        settle(&mut request, SocketAddr::new(peer.parse().unwrap(), 1), https, &["10.0.0.0/8".parse().unwrap()]);
        let ConnectInfo(client) = request.extensions().get::<ConnectInfo<SocketAddr>>().unwrap();
        let host = request.headers()[header::HOST].to_str().unwrap().to_owned();
        (client.ip().to_string(), host, request.headers().contains_key(FORWARDED_PROTO))
    }

    #[test]
    fn only_trusted_proxies_are_believed() {
        let forwarded = [("host", "a"), ("x-forwarded-for", "1.2.3.4"), ("x-forwarded-proto", "https"), ("x-forwarded-host", "b")];
        let as_told = |address: &str, host: &str, https| (address.to_owned(), host.to_owned(), https);
        assert_eq!(settled("10.1.1.1", false, &forwarded), as_told("1.2.3.4", "b", true));
        assert_eq!(settled("::ffff:10.1.1.1", false, &forwarded), as_told("1.2.3.4", "b", true));
        assert_eq!(settled("9.9.9.9", false, &forwarded), as_told("9.9.9.9", "a", false));
        assert_eq!(settled("9.9.9.9", true, &[]), as_told("9.9.9.9", "authority.example", true));
        assert!(!settled("10.1.1.1", true, &[("x-forwarded-proto", "http")]).2);
        assert_eq!(settled("10.1.1.1", true, &[("x-forwarded-host", "sent"), ("x-forwarded-host", "sent, told")]).1, "told");
    }

    #[test]
    fn of_several_addresses_the_last_that_is_no_proxy_counts() {
        for (lists, expected) in [
            (vec!["6.6.6.6, 1.2.3.4, 10.0.0.2"], "1.2.3.4"),
            (vec!["6.6.6.6", "1.2.3.4"], "1.2.3.4"),
            (vec!["10.0.0.3"], "10.0.0.3"),
            (vec!["1.2.3.4:5678"], "1.2.3.4"),
            (vec!["[2001:db8::1]"], "2001:db8::1"),
            (vec!["1.2.3.4, unknown"], "10.0.0.1"),
            (vec![], "10.0.0.1"),
        ] {
            let headers: Vec<_> = lists.iter().map(|&list| ("x-forwarded-for", list)).collect();
            assert_eq!(settled("10.0.0.1", false, &headers).0, expected, "{lists:?}");
        }
    }
}
