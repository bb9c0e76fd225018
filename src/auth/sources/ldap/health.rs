//! Whether a directory can be asked, and what is wrong if not.

use std::panic::AssertUnwindSafe;

use futures_util::FutureExt;
use ldap3::Scope;
use tokio::time::timeout;

use super::Directory;
use crate::auth::sources::{Unavailable, health::SourceHealth};

impl Directory {
    /// Connects, binds and looks for the places that the settings name, as far as that needs no user's password.
    pub async fn health(&self) -> SourceHealth {
        let mut health = SourceHealth::default();
        let looked = timeout(self.time(), AssertUnwindSafe(self.look(&mut health)).catch_unwind()).await;
        let fault = match looked {
            Ok(Ok(Ok(()))) => None,
            Ok(Ok(Err((error, mend)))) => Some((error.to_string(), mend)),
            Ok(Err(_)) => Some((format!("{}: what it answers is not LDAP", self.settings.url), "correct url")),
            Err(_) => Some((format!("{}: it does not answer in time", self.settings.url), "look at the directory and at the network")),
        };
        health.faults.extend(fault);
        health
    }

    async fn look(&self, health: &mut SourceHealth) -> Result<(), (Unavailable, &'static str)> {
        let settings = &self.settings;
        let connection = self.connector.open().await;
        let mend = "correct url, starttls or ca, have the directory's certificate name the host of url, or start the directory";
        let mut connection = connection.map_err(|error| (error, mend))?;
        health.certificate = connection.certificate().await;
        health.good.push(format!("{} can be reached", settings.url));
        // Otherwise only users can see anything.
        if !settings.user_dn.is_empty() {
            return Ok(());
        }
        let mend = "correct bind_dn or its password, or unlock it in the directory";
        self.bind_as_account(&mut connection).await.map_err(|error| (error, mend))?;
        if !settings.bind_dn.is_empty() {
            health.good.push("the bind account can bind".to_owned());
        }
        for (setting, base) in [("search_base", &settings.search_base), ("group_base", &settings.group_base)] {
            if base.is_empty() {
                continue;
            }
            let mend = "correct search_base or group_base, or let the bind account read what is below it";
            let found = connection.search(base, Scope::Base, "(objectClass=*)", &["1.1"], 1).await.map_err(|error| (error, mend))?;
            if found.is_empty() {
                return Err((self.silent(format!("{setting}: {base} cannot be read")), mend));
            }
            health.good.push(format!("{setting} is there"));
        }
        Ok(())
    }
}
