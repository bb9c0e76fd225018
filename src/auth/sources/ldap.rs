//! Accounts of a directory, by LDAP (RFC 4511).

use std::time::Duration;

use ldap3::{LdapConnAsync, LdapConnSettings, dn_escape};

use super::{Person, Unavailable, Verdict};
use crate::config::auth::Ldap;

/// The result code of a bind with a wrong name or password (RFC 4511, appendix A).
const INVALID_CREDENTIALS: u32 = 49;
/// How long each step may take.
const TIME: Duration = Duration::from_secs(5);

/// A directory.
#[derive(Debug)]
pub struct Directory {
    settings: Ldap,
}

impl Directory {
    /// The directory of these settings.
    ///
    /// # Errors
    /// A sentence that names the setting at fault.
    pub fn new(settings: &Ldap) -> Result<Self, String> {
        Ok(Self { settings: settings.clone() })
    }

    /// What it is called.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.settings.name
    }

    /// Asks whether this is somebody's name and password.
    ///
    /// # Errors
    /// [`Unavailable`]
    pub async fn check(&self, name: &str, password: &str) -> Result<Verdict, Unavailable> {
        let failed = |error: ldap3::LdapError| Unavailable(format!("{}: {error}", self.settings.url));
        let settings = LdapConnSettings::new().set_conn_timeout(TIME);
        let (connection, mut ldap) = LdapConnAsync::with_settings(settings, &self.settings.url).await.map_err(failed)?;
        ldap3::drive!(connection);
        let user = self.settings.user_dn.replace("{name}", &dn_escape(name));
        let bound = ldap.with_timeout(TIME).simple_bind(&user, password).await.map_err(failed)?;
        match bound.rc {
            0 => Ok(Verdict::Known(Person { subject: name.to_owned(), roles: self.settings.default_roles.clone(), ..Person::default() })),
            INVALID_CREDENTIALS => Ok(Verdict::Refused),
            _ => Err(Unavailable(format!("{}: {bound}", self.settings.url))),
        }
    }
}
