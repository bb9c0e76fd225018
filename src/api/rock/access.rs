//! Who may do what (contract, section 2): the dialect's three roles, and what each call asks for.
//!
//! | here | elsewhere |
//! |---|---|
//! | administrator | `ADMINISTRATOR` |
//! | manager | `PACKAGE_MANAGER`: may look after R, and not run code |
//! | user | `POWER_USER`: may run any code |
//!
//! An account may have several of them. Others have no place in this dialect, where all there is is code.

use std::net::IpAddr;

use axum::http::HeaderMap;

use super::error::Error;
use crate::{api::basic, app::App, auth::permissions::role, session::Session, store::rules::Rules};

/// What a call asks of its caller before it looks at anything else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Nothing.
    Public,
    /// Administrators and managers: R itself, and its packages.
    Server,
    /// Administrators and users: opening a session, and working in one.
    Work,
    /// Anybody with a role: looking at sessions, and closing one.
    Sessions,
    /// Administrators and managers: closing all sessions at once.
    AllSessions,
}

/// The roles of a caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Roles {
    /// Everything.
    pub administrator: bool,
    /// R and its packages, and everybody's sessions from the outside; no session to work in.
    pub manager: bool,
    /// Sessions of one's own.
    pub user: bool,
}

impl Roles {
    /// The roles of an account.
    #[must_use]
    pub fn of(rules: &Rules, account: &str) -> Self {
        let has = |role: &str| rules.account(account).is_some_and(|account| account.roles.iter().any(|held| held == role));
        Self { administrator: has(role::ADMINISTRATOR), manager: has(role::PACKAGE_MANAGER), user: has(role::POWER_USER) }
    }

    /// Whether a call may be made at all.
    #[must_use]
    pub fn allow(self, access: Access) -> bool {
        match access {
            Access::Public => true,
            Access::Server | Access::AllSessions => self.administrator || self.manager,
            Access::Work => self.administrator || self.user,
            Access::Sessions => self.administrator || self.manager || self.user,
        }
    }

    /// Whether sessions of others may be seen and closed.
    #[must_use]
    pub fn oversee(self) -> bool {
        self.administrator || self.manager
    }
}

/// Somebody who has been let in.
#[derive(Debug, Clone)]
pub struct Caller {
    /// The account's name.
    pub name: String,
    /// What it may do.
    pub roles: Roles,
}

impl Caller {
    /// Who sends a request, from that address; `None` for nobody.
    ///
    /// # Errors
    /// 401 for credentials that are wrong, wherever they are sent to.
    pub async fn identify(app: &App, headers: &HeaderMap, address: IpAddr) -> Result<Option<Self>, Error> {
        if !app.config.rock.security {
            let everything = Roles { administrator: true, manager: true, user: true };
            return Ok(Some(Self { name: "?".to_owned(), roles: everything }));
        }
        let Some(credentials) = basic::credentials(headers) else { return Ok(None) };
        let (name, password) = credentials.ok_or_else(|| Error::unauthorized("Bad credentials"))?;
        app.accounts.authenticate(&name, &password, address).await?;
        Ok(Some(Self { roles: Roles::of(&app.rules.now(), &name), name }))
    }

    /// Whether this is the caller's own session, or one that may be seen and closed all the same.
    #[must_use]
    pub fn may_see(&self, owner: &str) -> bool {
        self.name == owner || self.roles.oversee()
    }

    /// Whether the caller may work in a session.
    #[must_use]
    pub fn may_use(&self, session: &Session) -> bool {
        self.name == session.owner || self.roles.administrator
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_matrix_of_roles() {
        let administrator = Roles { administrator: true, ..Roles::default() };
        let manager = Roles { manager: true, ..Roles::default() };
        let user = Roles { user: true, ..Roles::default() };
        for (access, expected) in [
            (Access::Public, [true, true, true, true]),
            (Access::Server, [true, true, false, false]),
            (Access::Work, [true, false, true, false]),
            (Access::Sessions, [true, true, true, false]),
            (Access::AllSessions, [true, true, false, false]),
        ] {
            assert_eq!([administrator, manager, user, Roles::default()].map(|roles| roles.allow(access)), expected, "{access:?}");
        }
    }
}
