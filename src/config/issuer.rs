//! Issuers of tokens outside this server, by OpenID Connect.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use super::{
    Secret,
    host::{is_loopback, of_address, split},
};

/// The algorithms by which tokens may be signed: those whose keys issuers can publish.
pub const ALGORITHMS: [&str; 9] = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA"];

/// What stands for the tenant in an issuer that speaks for several, in the words of Microsoft's documents.
pub const TENANT: &str = "{tenantid}";

/// An issuer whose tokens are good here: a section `[[auth.issuer]]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct IssuerSettings {
    /// What it is called here: in lists, in the log, as the source of its accounts, and in the address of its login.
    pub name: String,
    /// The issuer, exactly as it stands in its tokens. It is asked for its document at `/.well-known/openid-configuration` below it.
    pub issuer: String,
    /// Where its document is, if that is elsewhere.
    pub discovery: String,
    /// The tenants (claim `tid`) that may come, if `{tenantid}` stands for them in the issuer.
    pub tenants: Vec<String>,
    /// For whom tokens have to be: one of these is in their claim `aud`.
    pub audience: Vec<String>,
    /// The algorithms by which tokens may be signed.
    pub algorithms: Vec<String>,
    /// The claim that names the account at its first login; if a token does not have it, `sub` does. Later only `sub` counts.
    pub name_claim: String,
    /// The claim with the name to show.
    pub display_name_claim: String,
    /// The claim with groups or roles, a list or a text, such as `groups` or `realm_access.roles`; empty for none.
    pub roles_claim: String,
    /// The roles of each value of that claim.
    pub roles: BTreeMap<String, Vec<String>>,
    /// The roles that every account of the issuer has.
    pub default_roles: Vec<String>,
    /// What this server is called there; without it, nobody logs in by their browser.
    pub client_id: String,
    /// The secret that belongs to it, if it has one.
    pub client_secret: Secret,
    /// A file with that secret instead, of which the first line counts. Read at the start.
    pub client_secret_file: PathBuf,
    /// What is asked for at a login by a browser.
    pub scopes: Vec<String>,
    /// By how many seconds the clocks may differ.
    pub leeway_seconds: u64,
    /// A file with the certificates, in PEM, that alone may have signed that of the issuer; if empty, those of the system.
    pub ca: PathBuf,
    /// Seconds for which the issuer is waited for.
    pub timeout_seconds: u64,
}

impl Default for IssuerSettings {
    fn default() -> Self {
        Self {
            name: String::new(),
            issuer: String::new(),
            discovery: String::new(),
            tenants: Vec::new(),
            audience: Vec::new(),
            algorithms: vec!["RS256".to_owned()],
            name_claim: "preferred_username".to_owned(),
            display_name_claim: "name".to_owned(),
            roles_claim: String::new(),
            roles: BTreeMap::new(),
            default_roles: Vec::new(),
            client_id: String::new(),
            client_secret: Secret::default(),
            client_secret_file: PathBuf::new(),
            scopes: vec!["openid".to_owned(), "profile".to_owned()],
            leeway_seconds: 60,
            ca: PathBuf::new(),
            timeout_seconds: 5,
        }
    }
}

impl IssuerSettings {
    /// Where its document is.
    #[must_use]
    pub fn document(&self) -> String {
        if self.discovery.is_empty() {
            format!("{}/.well-known/openid-configuration", self.issuer.trim_end_matches('/'))
        } else {
            self.discovery.clone()
        }
    }

    /// The secret of this server there; empty if it has none.
    ///
    /// # Errors
    /// A sentence that names the file that cannot be read.
    pub fn secret(&self) -> Result<Secret, String> {
        if self.client_secret_file == Path::new("") {
            return Ok(self.client_secret.clone());
        }
        let file = &self.client_secret_file;
        Secret::first_line(file).map_err(|error| format!("auth.issuer {}: client_secret_file: {}: {error}", self.name, file.display()))
    }

    /// Whether the settings make sense.
    pub(super) fn check(&self) -> Result<(), String> {
        self.check_texts().map_err(|wrong| format!("auth.issuer {}: {wrong}", self.name))
    }

    fn check_texts(&self) -> Result<(), String> {
        for (setting, url) in [("issuer", self.issuer.as_str()), ("discovery", &self.document())] {
            if !is_safe(url) {
                return Err(format!("{setting}: {url:?} is no https address; http is for a loopback address only"));
            }
        }
        if self.issuer.contains(TENANT) == self.tenants.is_empty() {
            return Err(format!("tenants: they are named if, and only if, {TENANT} stands for them in the issuer"));
        }
        if self.document().contains(TENANT) {
            return Err(format!("discovery: the address of the document is needed if {TENANT} is in the issuer"));
        }
        if self.audience.is_empty() || self.audience.iter().any(String::is_empty) {
            return Err("audience: at least one is needed, as otherwise tokens for other servers would be good here".to_owned());
        }
        if self.algorithms.is_empty() {
            return Err("algorithms: at least one is needed".to_owned());
        }
        for algorithm in &self.algorithms {
            let known = || ALGORITHMS.join(", ");
            if algorithm.eq_ignore_ascii_case("none") {
                return Err("algorithms: none is refused, as anybody could write such tokens".to_owned());
            } else if algorithm.starts_with("HS") {
                return Err(format!(
                    "algorithms: {algorithm} is refused, as whoever can check such tokens can write them; there are {}",
                    known()
                ));
            } else if !ALGORITHMS.contains(&algorithm.as_str()) {
                return Err(format!("algorithms: {algorithm:?} is none of {}", known()));
            }
        }
        if self.name_claim.is_empty() || self.display_name_claim.is_empty() {
            return Err("name_claim and display_name_claim: they name a claim".to_owned());
        }
        let (has_secret, has_file) = (!self.client_secret.expose().is_empty(), self.client_secret_file != Path::new(""));
        if has_secret && has_file {
            return Err("client_secret and client_secret_file: only one of them".to_owned());
        }
        if (has_secret || has_file) && self.client_id.is_empty() {
            return Err("client_secret: it belongs to a client_id, and there is none".to_owned());
        }
        if self.leeway_seconds > 600 {
            return Err(format!("leeway_seconds: {} is more than 600", self.leeway_seconds));
        }
        if !(1..=60).contains(&self.timeout_seconds) {
            return Err(format!("timeout_seconds: {} is not between 1 and 60", self.timeout_seconds));
        }
        Ok(())
    }
}

/// Whether what is read from an address comes from whom it names: by HTTPS, or from this machine.
#[must_use]
pub fn is_safe(url: &str) -> bool {
    let host = of_address(url).and_then(split).map(|(host, _)| host).filter(|host| !host.is_empty());
    let is_plain = !url.contains(|letter: char| letter.is_control() || letter.is_whitespace() || matches!(letter, '#' | '\\'));
    is_plain && host.is_some_and(|host| url.starts_with("https://") || (url.starts_with("http://") && is_loopback(host)))
}

#[cfg(test)]
mod tests {
    use crate::config::Config;

    /// Why the settings of an issuer are refused, if they are; these lines come in the place of those with the same name.
    fn refused(lines: &str) -> Option<String> {
        let mut issuer: toml::Table = toml::from_str("name = 'x'\nissuer = 'https://id.example.org'\naudience = ['r']").unwrap();
        issuer.extend(toml::from_str::<toml::Table>(lines).unwrap());
        let mut config = Config::default();
        config.auth.issuer = vec![issuer.try_into().unwrap()];
        config.check().err()
    }

    #[test]
    fn what_would_let_in_somebody_else_is_refused() {
        for good in [
            "",
            "issuer = 'http://127.0.0.1:7'",
            "issuer = 'http://[::1]/realms/r'",
            "algorithms = ['ES256', 'EdDSA']",
            "issuer = 'https://a/{tenantid}/v2.0'\ntenants = ['t']\ndiscovery = 'https://a/common/v2.0/.well-known/openid-configuration'",
        ] {
            assert_eq!(refused(good), None, "{good}");
        }
        for (lines, expected) in [
            ("issuer = 'http://id.example.org'", "no https address"),
            ("issuer = 'http://127.0.0.1@id.example.org'", "no https address"),
            ("issuer = 'http://localhost.example.org'", "no https address"),
            ("issuer = ''", "no https address"),
            ("discovery = 'http://id.example.org'", "no https address"),
            ("issuer = 'https://a/{tenantid}/v2.0'", "tenants: "),
            ("issuer = 'https://a/{tenantid}/v2.0'\ntenants = ['t']", "discovery: "),
            ("tenants = ['t']", "tenants: "),
            ("audience = []", "audience: at least one"),
            ("audience = ['']", "audience: at least one"),
            ("algorithms = []", "algorithms: at least one"),
            ("algorithms = ['none']", "none is refused"),
            ("algorithms = ['RS256', 'NONE']", "none is refused"),
            ("algorithms = ['RS256', 'HS256']", "HS256 is refused"),
            ("algorithms = ['rs256']", "is none of RS256"),
            ("client_secret = 's'", "belongs to a client_id"),
            ("client_id = 'c'\nclient_secret = 's'\nclient_secret_file = '/f'", "only one of them"),
            ("leeway_seconds = 601", "leeway_seconds"),
            ("timeout_seconds = 0", "timeout_seconds"),
            ("name = 'local'", "another issuer or source"),
            ("name = '..'", "is no name"),
            ("name = 'a/b'", "is no name"),
            ("name_claim = ''", "name a claim"),
        ] {
            let sentence = refused(lines).unwrap_or_else(|| panic!("{lines} is taken"));
            assert!(sentence.starts_with("auth.issuer") && sentence.contains(expected), "{lines}: {sentence}");
        }
    }
}
