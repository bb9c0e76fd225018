//! Hosts, as they stand in URLs and in the header `Host`.

use std::net::{IpAddr, Ipv6Addr};

/// A host, perhaps with a port, as in a URL; in lower case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Name {
    host: String,
    port: Option<u16>,
}

impl Name {
    /// Reads `r.example.org`, `r.example.org:8443`, `10.0.0.1` or `[::1]:8050`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (host, port) = split(text)?;
        let port = port.map(str::parse).transpose().ok()?;
        Some(Self { host: host.to_ascii_lowercase(), port }).filter(|name| !name.host.is_empty())
    }

    /// Whether a client that names this host and port means it. If it has no port, any port matches.
    #[must_use]
    pub fn is(&self, host: &str, port: u16) -> bool {
        self.host.eq_ignore_ascii_case(host) && self.port.is_none_or(|named| named == port)
    }
}

/// The host and the port in a `Host` header, without the dot that may end a name. `None` if the header is malformed.
#[must_use]
pub fn split(text: &str) -> Option<(&str, Option<&str>)> {
    let after = if text.starts_with('[') { text.find(']')? + 1 } else { text.find(':').unwrap_or(text.len()) };
    let (host, rest) = text.split_at(after);
    let port = match rest {
        "" | ":" => None,
        rest => Some(rest.strip_prefix(':')?),
    };
    let is_digits = |port: &str| port.len() <= 5 && port.bytes().all(|byte| byte.is_ascii_digit());
    let is_host = match host.strip_prefix('[') {
        Some(address) => address.strip_suffix(']')?.parse::<Ipv6Addr>().is_ok(),
        None => host.len() < 256 && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-_~%!$&'()*+,;=".contains(&byte)),
    };
    (is_host && port.is_none_or(is_digits)).then_some((host.strip_suffix('.').unwrap_or(host), port))
}

/// The IP address that a host is, unless it is a name.
#[must_use]
pub fn address(host: &str) -> Option<IpAddr> {
    host.trim_matches(['[', ']']).parse().ok().map(|address: IpAddr| address.to_canonical())
}

/// Whether a host always means this machine: no DNS server is asked for it (RFC 6761, section 6.3).
#[must_use]
pub fn is_loopback(host: &str) -> bool {
    const LOCALHOST: &str = "localhost";
    let start = host.len().checked_sub(LOCALHOST.len()).and_then(|at| host.split_at_checked(at));
    let is_name = start.is_some_and(|(before, end)| end.eq_ignore_ascii_case(LOCALHOST) && (before.is_empty() || before.ends_with('.')));
    is_name || address(host).is_some_and(|address| address.is_loopback())
}

/// The part of a URL such as `https://r.example.org:8443/deployr` that names host and port.
#[must_use]
pub fn of_address(address: &str) -> Option<&str> {
    address.split_once("://")?.1.split('/').next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_have_a_port_or_none() {
        for (text, expected) in [
            ("r.example.org", Some(("r.example.org", None))),
            ("R.example.org.:8443", Some(("R.example.org", Some("8443")))),
            ("[::1]:80", Some(("[::1]", Some("80")))),
            ("a:", Some(("a", None))),
            ("", Some(("", None))),
            ("a b", None),
            ("a/b", None),
            ("user@a", None),
            ("a:b", None),
            ("a:1:2", None),
            ("a:123456", None),
            ("[::1", None),
            ("[x]", None),
            ("::1", None),
            ("größe", None),
        ] {
            assert_eq!(split(text), expected, "{text}");
        }
        assert!(Name::parse("r.example.org").unwrap().is("R.EXAMPLE.org", 7));
        assert!(!Name::parse("r.example.org:8443").unwrap().is("r.example.org", 7));
        for wrong in ["", "https://r.example.org", "a:99999", ":80"] {
            assert_eq!(Name::parse(wrong), None, "{wrong}");
        }
        assert_eq!(of_address("https://a:1/b/c"), Some("a:1"));
        assert_eq!(of_address("null"), None);
    }

    #[test]
    fn loopback_is_known_by_its_names_and_addresses() {
        for host in ["localhost", "LOCALHOST", "r.localhost", "127.0.0.1", "127.9.9.9", "[::1]", "[::ffff:127.0.0.1]"] {
            assert!(is_loopback(host), "{host}");
        }
        for host in ["", "evillocalhost", "localhost.example.org", "127.0.0.1.example.org", "128.0.0.1", "[::2]", "2130706433", "größe"] {
            assert!(!is_loopback(host), "{host}");
        }
    }
}
