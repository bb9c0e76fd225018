//! Who may use the server: sources of accounts, and tokens.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::{issuer::IssuerSettings, ldap::Ldap};

/// Who may use the server. docs/authentication.md has examples.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Auth {
    /// Where accounts come from, each with its `kind`: "local" (the store; also without any entry), "ldap" or
    /// "system". They are asked
    /// in this order, and the first that knows a name decides.
    pub source: Vec<SourceSettings>,
    /// Issuers of tokens (OpenID Connect) whose bearers may use the server, and log in by a browser.
    pub issuer: Vec<IssuerSettings>,
    /// Seconds for which a name and a password that a source has accepted are not asked again; 0 is never. For accounts of
    /// this server, a change of the password counts at once.
    pub remember_seconds: u64,
    /// Minutes for which an access token is good.
    pub access_minutes: u64,
    /// Days for which a refresh token is good.
    pub refresh_days: u64,
    /// Days for which a login can be prolonged by refresh tokens.
    pub login_days: u64,
    /// The accounts of clients that show a certificate (see `tls.client_ca`), by what the certificate is for: its subject,
    /// such as "CN=ada, O=Example", or its common name alone ("CN=ada"), or an alternative name ("email:ada@example.org",
    /// "dns:host.example.org", "uri:spiffe://example.org/job").
    pub certificates: BTreeMap<String, String>,
    /// Files with RSA keys in PEM, for access tokens: the first signs, and what any of them has signed is good. Servers that
    /// share them accept each other's tokens. If empty, a key is made in the data folder. Read again on SIGHUP.
    pub keys: Vec<PathBuf>,
}

impl Default for Auth {
    fn default() -> Self {
        Self {
            source: Vec::new(),
            issuer: Vec::new(),
            remember_seconds: 300,
            access_minutes: 60,
            refresh_days: 14,
            login_days: 90,
            certificates: BTreeMap::new(),
            keys: Vec::new(),
        }
    }
}

/// A source of accounts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum SourceSettings {
    /// The store of this server.
    Local {},
    /// A directory.
    Ldap(Box<Ldap>),
    /// The accounts of the operating system.
    System(System),
}

/// The accounts of the operating system, by PAM: a section `[[auth.source]]` with `kind = "system"`. The server has to run as root.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct System {
    /// What it is called here: in lists, in the log, and in names of accounts if there is another source.
    pub name: String,
    /// The service of PAM: the name of a file in `/etc/pam.d`.
    pub service: String,
    /// The group whose members may use the server; if empty, everybody may whom PAM lets in. Root never may.
    pub allowed_group: String,
    /// The roles that every account of the operating system has here.
    pub default_roles: Vec<String>,
    /// The roles of groups, by their names.
    pub roles: BTreeMap<String, Vec<String>>,
    /// Run the sessions of such an account as that user, with their groups and their home folder.
    pub run_as_user: bool,
}

impl Default for System {
    fn default() -> Self {
        Self {
            name: "system".to_owned(),
            service: "offshoot".to_owned(),
            allowed_group: String::new(),
            default_roles: Vec::new(),
            roles: BTreeMap::new(),
            run_as_user: false,
        }
    }
}

impl SourceSettings {
    /// What the source is called.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Local {} => "local",
            Self::Ldap(ldap) => &ldap.name,
            Self::System(system) => &system.name,
        }
    }
}

impl Auth {
    /// Files with secrets.
    pub(super) fn secret_files(&self) -> impl Iterator<Item = &PathBuf> {
        let of_sources = self.source.iter().filter_map(|source| match source {
            SourceSettings::Local {} | SourceSettings::System(_) => None,
            SourceSettings::Ldap(ldap) => Some(&ldap.bind_password_file),
        });
        let of_issuers = self.issuer.iter().map(|issuer| &issuer.client_secret_file);
        self.keys.iter().chain(of_sources).chain(of_issuers)
    }

    /// Whether the settings make sense.
    pub(super) fn check(&self) -> Result<(), String> {
        for (at, source) in self.source.iter().enumerate() {
            let name = source.name();
            if self.source[..at].iter().any(|earlier| earlier.name() == name) {
                return Err(format!("auth.source: two sources are called {name:?}"));
            }
            if !is_name(name) {
                return Err(format!("auth.source: {name:?} is no name: it has 1 to 32 letters, digits, dots, dashes and underscores"));
            }
            if let SourceSettings::Ldap(ldap) = source {
                ldap.check()?;
            }
        }
        for (at, issuer) in self.issuer.iter().enumerate() {
            let name = issuer.name.as_str();
            // The name is a part of a path, where dots may mean something else.
            if !is_name(name) || name.starts_with('.') {
                return Err(format!(
                    "auth.issuer: {name:?} is no name: it has 1 to 32 letters, digits, dots, dashes and underscores, and no dot at its beginning"
                ));
            }
            // Accounts are of a source with this name, so that two would share theirs.
            let is_source = name == "local" || self.source.iter().any(|source| source.name() == name);
            if is_source || self.issuer[..at].iter().any(|earlier| earlier.name == name) {
                return Err(format!("auth.issuer: another issuer or source is called {name:?}"));
            }
            if self.issuer[..at].iter().any(|earlier| earlier.issuer == issuer.issuer) {
                return Err(format!("auth.issuer: {:?} is there twice", issuer.issuer));
            }
            issuer.check()?;
        }
        for (setting, value) in
            [("access_minutes", self.access_minutes), ("refresh_days", self.refresh_days), ("login_days", self.login_days)]
        {
            if !(1..=36_500).contains(&value) {
                return Err(format!("auth.{setting}: {value} is not between 1 and 36500"));
            }
        }
        Ok(())
    }
}

fn is_name(name: &str) -> bool {
    (1..=32).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-_".contains(&byte))
}
