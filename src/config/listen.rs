//! Where to listen, with which certificate, and which proxies, hosts and origins to accept.

use std::{
    fmt,
    net::{IpAddr, SocketAddr},
    path::PathBuf,
    str::FromStr,
};

use axum::http::HeaderValue;
use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use super::{Config, Http, Secret, host::Name};

/// An address to listen at: `127.0.0.1:8050` and `http://127.0.0.1:8050` for HTTP, `https://0.0.0.0:8443` for HTTPS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Listen {
    /// The address. Port 0 takes any free port.
    pub address: SocketAddr,
    /// Whether connections are encrypted.
    pub https: bool,
}

impl Listen {
    /// `http` or `https`.
    #[must_use]
    pub fn scheme(self) -> &'static str {
        if self.https { "https" } else { "http" }
    }
}

impl FromStr for Listen {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (https, address) = match text.split_once("://") {
            Some(("https", address)) => (true, address),
            Some(("http", address)) => (false, address),
            Some((scheme, _)) => return Err(format!("{text:?}: {scheme} is neither http nor https")),
            None => (false, text),
        };
        let address = address.trim_end_matches('/').parse();
        address.map(|address| Self { address, https }).map_err(|_| format!("{text:?} is not ADDRESS:PORT, such as 127.0.0.1:8050"))
    }
}

impl TryFrom<String> for Listen {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse().map_err(|what| format!("listen: {what}"))
    }
}

impl fmt::Display for Listen {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(if self.https { "https://" } else { "" })?;
        self.address.fmt(formatter)
    }
}

impl From<Listen> for String {
    fn from(listen: Listen) -> Self {
        listen.to_string()
    }
}

/// The certificate of the addresses in `listen` that begin with `https://`. Read again on SIGHUP.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Tls {
    /// A PEM file with the certificate, followed by the certificates that it is signed by.
    pub certificate: PathBuf,
    /// A PEM file with the certificate's private key.
    pub key: PathBuf,
    /// A PFX (PKCS #12) file with both, instead of the two PEM files.
    pub pfx: PathBuf,
    /// The password of the PFX file.
    pub pfx_password: Secret,
    /// A file whose first line is the password of the PFX file.
    pub pfx_password_file: PathBuf,
    /// Make a certificate that nobody else has signed, and keep it in the data folder.
    pub self_signed: bool,
    /// The names and addresses that a self-signed certificate is for, beside this machine's name and `localhost`.
    pub names: Vec<String>,
    /// A PEM file with the certificates that those of clients have to be signed by. If it is set, clients are asked for a
    /// certificate, and `auth.certificates` says whose account it is for.
    pub client_ca: PathBuf,
    /// Whether clients are asked for a certificate and need none ("ask"), or cannot connect without one ("require").
    pub client_certificates: ClientCertificates,
}

/// See [`Tls::client_certificates`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "the setting's text says what they are")]
pub enum ClientCertificates {
    #[default]
    Ask,
    Require,
}

impl Tls {
    /// The source that the settings name; `None` if they name none.
    ///
    /// # Errors
    /// A sentence, when the settings do not name exactly one source with all that it needs.
    pub fn source(&self) -> Result<Option<CertificateSource<'_>>, String> {
        let is_set = |path: &PathBuf| !path.as_os_str().is_empty();
        let pem = (is_set(&self.certificate), is_set(&self.key));
        match (pem, is_set(&self.pfx), self.self_signed) {
            ((false, false), false, false) => Ok(None),
            ((true, true), false, false) => Ok(Some(CertificateSource::Pem { certificate: &self.certificate, key: &self.key })),
            ((false, false), true, false) => Ok(Some(CertificateSource::Pfx(&self.pfx))),
            ((false, false), false, true) => Ok(Some(CertificateSource::SelfSigned)),
            ((true, false), false, false) => Err("tls.key: tls.certificate needs its private key".to_owned()),
            ((false, true), false, false) => Err("tls.certificate: tls.key needs its certificate".to_owned()),
            _ => Err("tls: set either certificate and key, or pfx, or self_signed".to_owned()),
        }
    }

    /// The password of the PFX file.
    ///
    /// # Errors
    /// A sentence that names the file that cannot be read.
    pub fn password(&self) -> Result<Secret, String> {
        if self.pfx_password_file.as_os_str().is_empty() {
            return Ok(self.pfx_password.clone());
        }
        let failed = |error| format!("tls.pfx_password_file: {}: {error}", self.pfx_password_file.display());
        Secret::first_line(&self.pfx_password_file).map_err(failed)
    }
}

/// Where a certificate comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CertificateSource<'a> {
    /// Two PEM files.
    Pem {
        /// The certificates.
        certificate: &'a PathBuf,
        /// The private key.
        key: &'a PathBuf,
    },
    /// A PFX file.
    Pfx(&'a PathBuf),
    /// The server makes it.
    SelfSigned,
}

impl Config {
    /// Whether there is a certificate if HTTPS needs one, and none otherwise.
    ///
    /// # Errors
    /// A sentence that names the setting at fault.
    pub fn check_tls(&self) -> Result<(), String> {
        let https = |listen: &[Listen]| listen.iter().find(|listen| listen.https).copied();
        let needs =
            |listen: Listen| format!("tls: {listen} needs a certificate: set tls.certificate and tls.key, tls.pfx or tls.self_signed");
        let (all, of_workspaces) = (https(&self.listen), https(&self.rtvs.listen));
        let workspaces_share = self.rtvs.tls.source().map_err(|error| format!("rtvs.{error}"))?.is_none();
        match (all.or(of_workspaces.filter(|_| workspaces_share)), self.tls.source()?) {
            (Some(listen), None) => return Err(needs(listen)),
            (None, Some(_)) => return Err("tls: there is a certificate, and no https:// address in listen".to_owned()),
            _ => {}
        }
        if of_workspaces.is_none() && !workspaces_share {
            return Err("rtvs.tls: there is a certificate, and no https:// address in rtvs.listen".to_owned());
        }
        Ok(())
    }

    /// The listeners of remote workspaces, and the certificate of those for HTTPS.
    ///
    /// # Errors
    /// A sentence that names the setting at fault.
    pub fn workspace_listeners(&self) -> Result<(&[Listen], &Tls), String> {
        Ok((&self.rtvs.listen, self.rtvs.certificate(&self.tls)?))
    }
}

impl Http {
    /// The networks of [`Http::trusted_proxies`].
    ///
    /// # Errors
    /// A sentence that names the one that is none.
    pub fn proxies(&self) -> Result<Vec<IpNet>, String> {
        let network = |text: &String| {
            let address = text.parse::<IpAddr>().map(IpNet::from).ok();
            address
                .or_else(|| text.parse().ok())
                .ok_or_else(|| format!("http.trusted_proxies: {text:?} is neither an address nor a network"))
        };
        self.trusted_proxies.iter().map(network).collect()
    }

    /// The names of [`Http::hosts`].
    ///
    /// # Errors
    /// A sentence that names the one that is none.
    pub fn names(&self) -> Result<Vec<Name>, String> {
        let name = |text: &String| {
            Name::parse(text).ok_or_else(|| format!("http.hosts: {text:?} is not a host, such as r.example.org or r.example.org:8443"))
        };
        self.hosts.iter().map(name).collect()
    }

    /// [`Http::cors_origins`] as header values.
    ///
    /// # Errors
    /// A sentence that names the one that is none.
    pub fn origins(&self) -> Result<Vec<HeaderValue>, String> {
        let origin = |text: &String| {
            let host = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
            let is_origin = text == "*" || host.is_some_and(|host| !host.is_empty() && !host.contains('/'));
            let value = is_origin.then(|| HeaderValue::from_str(text).ok()).flatten();
            value.ok_or_else(|| format!("http.cors_origins: {text:?} is not an origin, such as https://app.example.org"))
        };
        self.cors_origins.iter().map(origin).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_have_a_scheme_or_none() {
        for (text, https, written) in [
            ("127.0.0.1:80", false, "127.0.0.1:80"),
            ("http://[::1]:80/", false, "[::1]:80"),
            ("https://0.0.0.0:8443", true, "https://0.0.0.0:8443"),
        ] {
            let listen: Listen = text.parse().unwrap();
            assert_eq!((listen.https, listen.to_string().as_str()), (https, written));
        }
        for wrong in ["nowhere", "ftp://127.0.0.1:21", "127.0.0.1", "https://localhost:1"] {
            assert!(wrong.parse::<Listen>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn one_source_of_certificates_is_complete_and_alone() {
        let set = |certificate: &str, key: &str, pfx: &str, self_signed| Tls {
            certificate: certificate.into(),
            key: key.into(),
            pfx: pfx.into(),
            self_signed,
            ..Tls::default()
        };
        assert_eq!(set("", "", "", false).source(), Ok(None));
        assert_eq!(set("", "", "", true).source(), Ok(Some(CertificateSource::SelfSigned)));
        assert!(matches!(set("a", "b", "", false).source(), Ok(Some(CertificateSource::Pem { .. }))));
        assert!(matches!(set("", "", "c", false).source(), Ok(Some(CertificateSource::Pfx(_)))));
        for wrong in [set("a", "", "", false), set("", "b", "", false), set("a", "b", "c", false), set("", "", "c", true)] {
            assert!(wrong.source().is_err());
        }
    }

    #[test]
    fn proxies_are_addresses_and_networks() {
        let http = |text: &str| Http { trusted_proxies: vec![text.to_owned()], ..Http::default() }.proxies();
        assert!(http("10.0.0.0/8").unwrap()[0].contains(&"10.1.2.3".parse::<std::net::IpAddr>().unwrap()));
        assert!(http("::1").is_ok());
        assert_eq!(http("proxy").unwrap_err(), "http.trusted_proxies: \"proxy\" is neither an address nor a network");
    }
}
