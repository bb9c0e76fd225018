//! Decides which requests are let in, by two things that their heads say: the name by which the server was called, and the page for which a
//! browser sends the request.
//!
//! A page of another site can make a browser send any request to this server, with the cookies and passwords that the browser has for it.
//! Such a page could run code in the user's name. A site can also give its own name the address of this server (DNS rebinding), so that its
//! pages no longer count as another site's. Neither attack can hide: the browser says which site a page belongs to, and which name it has
//! called.
//!
//! Only this file decides this. A refused request reaches no call of any dialect; see `crate::api::refusals`.

use std::{fmt, sync::Arc};

use axum::{
    extract::Request,
    http::{HeaderMap, HeaderName, Method, StatusCode, Version, header},
};

use super::{ClientCertificate, LiveRules, origin::is_https};
use crate::{
    config::{
        self,
        host::{Name, address, is_loopback, of_address, split},
    },
    store::policies::Policy,
};

/// The header in which a browser says whether a page belongs to another site (Fetch Metadata, section 2.4).
const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
/// Paths for monitors, which may call the server by any address.
const MONITORED: [&str; 3] = ["/_check", "/_ready", "/metrics"];

/// The way on which a request has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Arrival {
    /// Through a listener that only this machine can reach.
    pub loopback: bool,
    /// Through a trusted proxy.
    pub forwarded: bool,
}

/// Why a request is refused. A sentence that tells the reader what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refused {
    /// The request is HTTP/1.1 and has no `Host`, or more than one.
    Hosts,
    /// The `Host` is not a valid host.
    Malformed,
    /// The `Host` is not one of this server's names.
    Unknown(String),
    /// The `Host` is not a loopback address, though the request came over loopback and no names are configured.
    NotLoopback(String),
    /// The page belongs to another site.
    OtherSite,
}

impl Refused {
    /// The status in HTTP.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        match self {
            Self::Hosts | Self::Malformed => StatusCode::BAD_REQUEST,
            Self::Unknown(_) | Self::NotLoopback(_) | Self::OtherSite => StatusCode::FORBIDDEN,
        }
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Hosts => formatter.write_str("A request has one header Host, with the name and the port that it is sent to."),
            Self::Malformed => formatter.write_str("The header Host is not a name and a port."),
            Self::Unknown(host) => write!(formatter, "This server is not called {host}: add that name to the setting http.hosts if it is."),
            Self::NotLoopback(host) => write!(
                formatter,
                "This address is called localhost and not {host}: add that name to the setting http.hosts if it is \
                 this server's, or a proxy that forwards it to http.trusted_proxies."
            ),
            Self::OtherSite => formatter.write_str(
                "A page of another site asks for this change: add the page's origin to the setting http.cors_origins if it may.",
            ),
        }
    }
}

/// The settings and policies by which requests are judged.
#[derive(Debug)]
pub struct Gate {
    hosts: Vec<Name>,
    web_context: Option<String>,
    origins: Vec<String>,
    rules: Option<LiveRules>,
}

impl Gate {
    /// A gate for these settings, and for the policies in `rules`.
    ///
    /// # Errors
    /// A sentence that names the setting at fault.
    pub fn new(config: &config::Config, rules: Option<LiveRules>) -> Result<Self, String> {
        let web_context = Some(config.revodeployr.web_context.clone()).filter(|address| !address.is_empty());
        Ok(Self { hosts: config.http.names()?, web_context, origins: config.http.cors_origins.clone(), rules })
    }

    /// Checks that a request may come in.
    ///
    /// # Errors
    /// [`Refused`]
    pub fn check(&self, arrival: Arrival, request: &Request) -> Result<(), Refused> {
        self.check_host(arrival, request)?;
        // By a WebSocket, a page can ask for anything.
        if is_change(request.method()) || request.headers().contains_key(header::UPGRADE) { self.check_page(request) } else { Ok(()) }
    }

    fn check_host(&self, arrival: Arrival, request: &Request) -> Result<(), Refused> {
        let headers = request.headers();
        let mut hosts = headers.get_all(header::HOST).iter();
        let (host, another) = (hosts.next(), hosts.next());
        if another.is_some() || (host.is_none() && request.version() > Version::HTTP_10) {
            return Err(Refused::Hosts);
        }
        let monitored = || MONITORED.contains(&request.uri().path());
        let Some(host) = host else {
            // A request without a host does not come from a browser.
            return if self.hosts.is_empty() || monitored() { Ok(()) } else { Err(Refused::Unknown("nothing".to_owned())) };
        };
        let text = host.to_str().map_err(|_| Refused::Malformed)?;
        let (host, port) = split(text).ok_or(Refused::Malformed)?;
        if self.hosts.is_empty() {
            // Credentials make no difference: a page can send any, and calls that are open to all need none.
            let is_judged = arrival.loopback && !arrival.forwarded;
            if !is_judged || is_loopback(host) || self.is_ours(host, port, headers) || (monitored() && address(host).is_some()) {
                return Ok(());
            }
            return Err(Refused::NotLoopback(text.to_owned()));
        }
        if self.is_ours(host, port, headers) || (monitored() && (is_loopback(host) || address(host).is_some())) {
            return Ok(());
        }
        Err(Refused::Unknown(text.to_owned()))
    }

    /// Whether a host is named in the settings, or in the policy that can replace one of them.
    fn is_ours(&self, host: &str, port: Option<&str>, headers: &HeaderMap) -> bool {
        let port = port.and_then(|port| port.parse().ok()).unwrap_or(if is_https(headers) { 443 } else { 80 });
        // Only the host is compared, because the port of that address may be a proxy's.
        let is_web_context = |address: &str| of_address(address).and_then(split).is_some_and(|(named, _)| named.eq_ignore_ascii_case(host));
        self.hosts.iter().any(|name| name.is(host, port)) || self.with_web_context(is_web_context)
    }

    fn with_web_context(&self, is: impl Fn(&str) -> bool) -> bool {
        match &self.web_context {
            Some(address) => is(address),
            None => self.rules.as_ref().is_some_and(|rules| rules.now().policies.text(Policy::WebContext).is_some_and(is)),
        }
    }

    /// Checks that the page that asks for a change, if there is one, may do so. Programs other than browsers name no page.
    fn check_page(&self, request: &Request) -> Result<(), Refused> {
        let headers = request.headers();
        let origin = || headers.get(header::ORIGIN).and_then(|origin| origin.to_str().ok());
        let mut sites = headers.get_all(SEC_FETCH_SITE).iter().peekable();
        let is_own = if sites.peek().is_some() {
            sites.all(|site| site == "same-origin" || site == "none")
        } else if headers.contains_key(header::ORIGIN) {
            origin().is_some_and(|origin| self.is_own_origin(origin, headers))
        } else {
            true
        };
        if is_own || origin().is_some_and(|origin| self.is_named(origin, request)) { Ok(()) } else { Err(Refused::OtherSite) }
    }

    /// Whether a page comes from the address that its request goes to. An unknown proxy may add encryption in front of this server, so the
    /// scheme is taken from the page, and so is the port if `Host` has none.
    fn is_own_origin(&self, origin: &str, headers: &HeaderMap) -> bool {
        let default = if origin.starts_with("https:") { 443 } else { 80 };
        let Some((page, at)) = of_address(origin).and_then(|page| with_port(page, default)) else { return false };
        let is_page = |address: &str| with_port(address, default).is_some_and(|(host, port)| host.eq_ignore_ascii_case(page) && port == at);
        let called = headers.get(header::HOST).and_then(|host| host.to_str().ok());
        called.is_some_and(is_page) || self.with_web_context(|address| of_address(address).is_some_and(is_page))
    }

    /// Whether the settings name an origin. `*` stands for all origins only if the request carries none of the user's credentials.
    fn is_named(&self, origin: &str, request: &Request) -> bool {
        self.origins.iter().any(|named| named.eq_ignore_ascii_case(origin) || (named == "*" && !has_credentials(request)))
    }
}

/// A host and its port, or the default port; `None` if the port is invalid.
fn with_port(text: &str, default: u16) -> Option<(&str, u16)> {
    let (host, port) = split(text)?;
    Some((host, port.map_or(Ok(default), str::parse).ok()?))
}

fn is_change(method: &Method) -> bool {
    !matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS | Method::TRACE)
}

fn has_credentials(request: &Request) -> bool {
    let headers = request.headers();
    let has_certificate = request.extensions().get::<Arc<ClientCertificate>>().is_some();
    has_certificate || headers.contains_key(header::COOKIE) || headers.contains_key(header::AUTHORIZATION)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOOPBACK: Arrival = Arrival { loopback: true, forwarded: false };
    const PUBLIC: Arrival = Arrival { loopback: false, forwarded: false };
    const FORWARDED: Arrival = Arrival { loopback: true, forwarded: true };

    fn gate(settings: &str) -> Gate {
        Gate::new(&toml::from_str(settings).unwrap(), None).unwrap()
    }

    fn check(gate: &Gate, arrival: Arrival, line: &str, headers: &[(&str, &str)]) -> Option<u16> {
        let (method, path) = line.split_once(' ').unwrap();
        let mut request = Request::builder().method(method).uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        gate.check(arrival, &request.body(axum::body::Body::empty()).unwrap()).err().map(|refused| refused.status().as_u16())
    }

    #[test]
    fn a_request_has_one_host() {
        let gate = gate("");
        assert_eq!(check(&gate, PUBLIC, "GET /", &[]), Some(400));
        assert_eq!(check(&gate, PUBLIC, "GET /", &[("host", "a"), ("host", "a")]), Some(400));
        assert_eq!(check(&gate, PUBLIC, "GET /", &[("host", "a/b")]), Some(400));
        assert_eq!(check(&gate, PUBLIC, "GET /", &[("host", "")]), None);
        let old = Request::builder().version(Version::HTTP_10).body(axum::body::Body::empty()).unwrap();
        assert_eq!(gate.check(LOOPBACK, &old), Ok(()));
        assert_eq!(self::gate("http.hosts = ['a']").check(LOOPBACK, &old), Err(Refused::Unknown("nothing".to_owned())));
    }

    #[test]
    fn names_that_are_not_ours_are_refused_where_ours_are_configured() {
        let gate = gate("http.hosts = ['r.example.org', 'b:8443']\nrevodeployr.web_context = 'https://web.example.org/x'");
        for arrival in [LOOPBACK, PUBLIC, FORWARDED] {
            for (host, expected) in [
                ("r.example.org", None),
                ("R.Example.org.:1", None),
                ("b:8443", None),
                ("b", Some(403)),
                ("web.example.org:1", None),
                ("evil.example.org", Some(403)),
                ("localhost", Some(403)),
                ("127.0.0.1:8050", Some(403)),
                ("", Some(403)),
            ] {
                for more in [("x", "y"), ("cookie", "a=b"), ("authorization", "Basic x")] {
                    assert_eq!(check(&gate, arrival, "GET /r/sessions", &[("host", host), more]), expected, "{host}");
                }
            }
            for path in ["GET /_check", "GET /_ready", "GET /metrics"] {
                for (host, expected) in [("localhost:1", None), ("10.0.0.7", None), ("[::1]:80", None), ("evil.example.org", Some(403))] {
                    assert_eq!(check(&gate, arrival, path, &[("host", host)]), expected, "{path} {host}");
                }
            }
        }
    }

    #[test]
    fn a_name_that_leads_to_loopback_is_not_ours_unless_it_says_so() {
        let gate = gate("");
        for (host, expected) in [
            ("localhost:8050", None),
            ("r.localhost", None),
            ("127.0.0.1:8050", None),
            ("[::1]", None),
            ("evil.example.org", Some(403)),
            ("10.0.0.7", Some(403)),
        ] {
            assert_eq!(check(&gate, LOOPBACK, "GET /r/sessions", &[("host", host)]), expected, "{host}");
            assert_eq!(check(&gate, LOOPBACK, "GET /r/sessions", &[("host", host), ("authorization", "Basic x")]), expected, "{host}");
            assert_eq!(check(&gate, PUBLIC, "GET /r/sessions", &[("host", host)]), None);
            assert_eq!(check(&gate, FORWARDED, "GET /r/sessions", &[("host", host)]), None);
        }
        assert_eq!(check(&gate, LOOPBACK, "GET /_ready", &[("host", "10.0.0.7:8050")]), None);
    }

    #[test]
    fn changes_for_pages_of_other_sites_are_refused() {
        let app = "https://app.example.org";
        for (settings, headers, expected) in [
            // Programs, and the server's own pages.
            ("", vec![], None),
            ("", vec![("sec-fetch-site", "same-origin"), ("origin", "http://r:8050")], None),
            ("", vec![("sec-fetch-site", "none")], None),
            ("", vec![("origin", "http://r:8050")], None),
            ("", vec![("origin", "http://R:8050")], None),
            // All other pages, with an origin or without.
            ("", vec![("sec-fetch-site", "cross-site"), ("origin", app)], Some(403)),
            ("", vec![("sec-fetch-site", "same-site"), ("origin", app)], Some(403)),
            ("", vec![("sec-fetch-site", "cross-site")], Some(403)),
            ("", vec![("sec-fetch-site", "of tomorrow")], Some(403)),
            ("", vec![("sec-fetch-site", "same-origin"), ("sec-fetch-site", "cross-site")], Some(403)),
            ("", vec![("sec-fetch-site", "cross-site"), ("origin", "http://r:8050")], Some(403)),
            ("", vec![("origin", app)], Some(403)),
            ("", vec![("origin", "http://r")], Some(403)),
            ("", vec![("origin", "http://r:8051")], Some(403)),
            ("", vec![("origin", "http://r:99999")], Some(403)),
            ("", vec![("origin", "null")], Some(403)),
            ("", vec![("origin", "")], Some(403)),
            // Origins that the settings name.
            ("http.cors_origins = ['https://app.example.org']", vec![("sec-fetch-site", "cross-site"), ("origin", app)], None),
            ("http.cors_origins = ['https://app.example.org']", vec![("origin", app), ("cookie", "a=b")], None),
            ("http.cors_origins = ['https://app.example.org']", vec![("origin", "http://app.example.org")], Some(403)),
            ("http.cors_origins = ['https://app.example.org']", vec![("sec-fetch-site", "cross-site")], Some(403)),
            ("revodeployr.web_context = 'https://app.example.org/deployr'", vec![("origin", app)], None),
            // Any origin, if the request has no credentials of the user.
            ("http.cors_origins = ['*']", vec![("sec-fetch-site", "cross-site"), ("origin", app)], None),
            ("http.cors_origins = ['*']", vec![("origin", app), ("cookie", "a=b")], Some(403)),
            ("http.cors_origins = ['*']", vec![("origin", app), ("authorization", "Basic x")], Some(403)),
        ] {
            let gate = gate(settings);
            let headers = [vec![("host", "r:8050")], headers].concat();
            for method in ["POST", "PUT", "DELETE", "PATCH", "PROPFIND"] {
                assert_eq!(check(&gate, PUBLIC, &format!("{method} /r/_eval"), &headers), expected, "{settings} {headers:?}");
            }
            for method in ["GET", "HEAD", "OPTIONS"] {
                assert_eq!(check(&gate, PUBLIC, &format!("{method} /r/_eval"), &headers), None);
            }
            // A WebSocket can change anything, though it begins with GET.
            let headers = [headers, vec![("upgrade", "websocket")]].concat();
            assert_eq!(check(&gate, PUBLIC, "GET /r/_eval", &headers), expected, "{settings} {headers:?}");
        }
    }

    #[test]
    fn a_port_that_is_not_written_is_that_of_the_scheme() {
        let gate = gate("");
        for (host, origin, expected) in [
            ("r", "http://r", None),
            ("r:80", "http://r", None),
            ("r", "https://r", None),
            ("r:443", "https://r", None),
            ("r:443", "http://r", Some(403)),
            ("r", "https://r:8443", Some(403)),
            ("[::1]:8050", "http://[::1]:8050", None),
        ] {
            assert_eq!(check(&gate, PUBLIC, "POST /", &[("host", host), ("origin", origin)]), expected, "{host} {origin}");
        }
    }
}
