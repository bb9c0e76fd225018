//! The pages of this machine that R has shown to its client, which may then be fetched by way of the broker (contract a.6).

use std::{
    collections::BTreeSet,
    net::IpAddr,
    sync::{Mutex, PoisonError},
};

use axum::http::Uri;

/// The most ports that are remembered for one session.
const MOST: usize = 100;

/// The ports of this machine at which R has shown pages.
#[derive(Debug, Default)]
pub struct ShownPages(Mutex<BTreeSet<u16>>);

impl ShownPages {
    /// Notes that R has shown a page.
    pub fn show(&self, url: &str) {
        let Some(port) = local_port(url) else { return };
        let mut ports = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if ports.len() < MOST {
            ports.insert(port);
        }
    }

    /// Whether R has shown a page at this port.
    #[must_use]
    pub fn has(&self, port: u16) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).contains(&port)
    }
}

/// The port of an address of this machine that a web server of R's can have; `None` for all other addresses.
#[must_use]
pub fn local_port(url: &str) -> Option<u16> {
    let uri: Uri = url.parse().ok()?;
    let is_web = uri.scheme_str().is_some_and(|scheme| ["http", "ws"].iter().any(|web| scheme.eq_ignore_ascii_case(web)));
    let authority = uri.authority()?;
    let host = authority.host().trim_start_matches('[').trim_end_matches(']');
    let is_local = host.eq_ignore_ascii_case("localhost") || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback());
    // Names and passwords are nobody's who fetches a page.
    (is_web && is_local && !authority.as_str().contains('@')).then(|| uri.port_u16().unwrap_or(80))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_web_servers_of_this_machine_are_shown() {
        for (url, port) in [
            ("http://127.0.0.1:4321/x?y", Some(4321)),
            ("http://localhost:80", Some(80)),
            ("HTTP://LOCALHOST/", Some(80)),
            ("ws://[::1]:9/a", Some(9)),
            ("http://127.9.9.9:1/", Some(1)),
            ("https://127.0.0.1:4321/", None),
            ("http://example.org:4321/", None),
            ("http://127.0.0.1.example.org:1/", None),
            ("http://user@127.0.0.1:1/", None),
            ("http://127.0.0.1:1@example.org/", None),
            ("http://0.0.0.0:1/", None),
            ("file:///etc/passwd", None),
            ("/x", None),
            ("", None),
        ] {
            assert_eq!(local_port(url), port, "{url}");
        }
        let pages = ShownPages::default();
        pages.show("http://127.0.0.1:4321/x");
        pages.show("http://example.org:4322/x");
        assert_eq!([4321, 4322].map(|port| pages.has(port)), [true, false]);
    }
}
