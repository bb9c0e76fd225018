//! Where accounts come from. Sources are asked in their order, and the first that knows a name decides.

mod ldap;
pub mod pam;
pub mod system;

use std::collections::BTreeMap;

use crate::config;
use ldap::Directory;
use system::OperatingSystem;

/// A source of accounts.
#[derive(Debug)]
pub enum AccountSource {
    /// The store of this server.
    Local,
    /// A directory.
    Directory(Directory),
    /// The accounts of the operating system.
    System(OperatingSystem),
}

/// Somebody whom a source outside this server knows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Person {
    /// What the source calls them, always in the same way.
    pub subject: String,
    /// The name to show, if there is another one.
    pub display_name: Option<String>,
    /// The groups that were found.
    pub groups: Vec<String>,
    /// The roles that these give.
    pub roles: Vec<String>,
}

/// What a source outside this server says of a name and a password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It does not know the name.
    Unknown,
    /// It does not let them in, because of the password or of what it does not say.
    Refused,
    /// The password is right, but they may not use this server, and why: a sentence.
    Excluded(String),
    /// The password is right.
    Known(Person),
}

/// A source cannot be asked. The text is for the log, and not for the client.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Unavailable(pub String);

impl AccountSource {
    /// The sources of these settings: the store alone, if they name none.
    ///
    /// # Errors
    /// A sentence that names the setting at fault.
    pub fn all(settings: &config::Auth) -> Result<Vec<Self>, String> {
        if settings.source.is_empty() {
            return Ok(vec![Self::Local]);
        }
        let source = |source: &config::auth::SourceSettings| match source {
            config::auth::SourceSettings::Local {} => Ok(Self::Local),
            config::auth::SourceSettings::Ldap(ldap) => Directory::new(ldap).map(Self::Directory),
            config::auth::SourceSettings::System(system) => OperatingSystem::new(system).map(Self::System),
        };
        settings.source.iter().map(source).collect()
    }

    /// What the source is called.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Local => crate::store::accounts::LOCAL,
            Self::Directory(directory) => directory.name(),
            Self::System(system) => system.name(),
        }
    }
}

/// The roles that somebody in these groups has, by a table of the settings.
fn roles_of(groups: &[String], table: &BTreeMap<String, Vec<String>>, default: &[String]) -> Vec<String> {
    let of_groups = groups.iter().filter_map(|group| table.get(group)).flatten();
    of_groups.chain(default).cloned().collect()
}
