//! Where accounts come from. Sources are asked in their order, and the first that knows a name decides.

mod health;
mod ldap;
pub mod system;
mod turns;

use std::{collections::BTreeMap, net::IpAddr};

use crate::config::{self, auth::SourceSettings};
pub use health::SourceHealth;
use ldap::Directory;
use system::OperatingSystem;

/// A source of accounts.
#[derive(Debug)]
pub enum AccountSource {
    /// The store of this server.
    Local,
    /// A directory.
    Directory(Box<Directory>),
    /// The accounts of the operating system.
    System(Box<OperatingSystem>),
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
    /// It says that the account may not be used.
    Barred(Bar),
    /// The password is right, but they may not use this server, and why: a sentence.
    Excluded(String),
    /// The password is right.
    Known(Person),
}

/// Why an account may not be used, as its source says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bar {
    /// It is locked.
    Locked,
    /// It is disabled.
    Disabled,
    /// Its password has expired.
    Expired,
}

/// A source was not asked, or has not answered.
#[derive(Debug, thiserror::Error)]
pub enum Unavailable {
    /// It cannot be asked. The text is for the log, and not for the client.
    #[error("{0}")]
    Silent(String),
    /// Too many questions for this client's address wait already.
    #[error("too many logins at once")]
    Full,
}

impl Unavailable {
    fn silent(what: String) -> Self {
        Self::Silent(what)
    }
}

impl AccountSource {
    /// The sources of these settings: the store alone, if they name none.
    ///
    /// # Errors
    /// A sentence that names the setting at fault.
    pub fn all(settings: &config::Auth) -> Result<Vec<Self>, String> {
        if settings.source.is_empty() {
            return Ok(vec![Self::Local]);
        }
        settings.source.iter().map(Self::of).collect()
    }

    /// The source of these settings.
    ///
    /// # Errors
    /// A sentence that names the setting at fault.
    pub fn of(settings: &SourceSettings) -> Result<Self, String> {
        match settings {
            SourceSettings::Local {} => Ok(Self::Local),
            SourceSettings::Ldap(ldap) => Directory::new(ldap).map(Box::new).map(Self::Directory),
            SourceSettings::System(system) => OperatingSystem::new(system).map(Box::new).map(Self::System),
        }
    }

    /// Looks whether the source can be asked, as far as that needs no user's password.
    pub async fn health(&self) -> SourceHealth {
        match self {
            Self::Local => SourceHealth::default(),
            Self::Directory(directory) => directory.health().await,
            Self::System(system) => system.health().await,
        }
    }

    /// Asks a source outside this server whether this is somebody's name and password, for a client at this address.
    ///
    /// # Errors
    /// [`Unavailable`]
    pub(super) async fn check(&self, name: &str, password: &str, address: IpAddr) -> Result<Verdict, Unavailable> {
        match self {
            Self::Local => Ok(Verdict::Unknown),
            Self::Directory(directory) => directory.check(name, password, address).await,
            Self::System(system) => system.check(name, password, address).await,
        }
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
pub(super) fn roles_of(groups: &[String], table: &BTreeMap<String, Vec<String>>, default: &[String]) -> Vec<String> {
    let of_groups = groups.iter().filter_map(|group| table.get(group)).flatten();
    default.iter().chain(of_groups).cloned().collect()
}
