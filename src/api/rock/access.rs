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
use crate::{
    api::basic,
    app::App,
    auth::{Principal, permissions::role},
};

/// What a call asks of its caller before it looks at anything else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Nothing.
    Public,
    /// Administrators and managers: R itself, and its packages.
    Server,
    /// Administrators and users: opening a session.
    Open,
    /// The same: working in one.
    Work,
    /// Anybody with a role: looking at sessions, and closing one.
    Sessions,
    /// Administrators and managers: closing all sessions at once.
    AllSessions,
}

/// Whether a call may be made at all.
#[must_use]
pub fn roles_allow(principal: &Principal, access: Access) -> bool {
    let [administrator, manager, user] =
        [role::ADMINISTRATOR, role::PACKAGE_MANAGER, role::POWER_USER].map(|role| principal.has_role(role));
    match access {
        Access::Public => true,
        Access::Server | Access::AllSessions => administrator || manager,
        Access::Open | Access::Work => administrator || user,
        Access::Sessions => administrator || manager || user,
    }
}

/// Whether somebody may see the sessions of others, and close them.
#[must_use]
pub fn oversees(principal: &Principal) -> bool {
    principal.has_role(role::ADMINISTRATOR) || principal.has_role(role::PACKAGE_MANAGER)
}

/// Whether this is the owner of a session, or somebody who may see and close it all the same.
#[must_use]
pub fn may_see(principal: &Principal, owner: &str) -> bool {
    principal.name() == owner || oversees(principal)
}

/// Whether somebody may work in a session of that owner.
#[must_use]
pub fn may_use(principal: &Principal, owner: &str) -> bool {
    principal.name() == owner || principal.has_role(role::ADMINISTRATOR)
}

/// Who sends a request, from that address.
///
/// # Errors
/// 401 for credentials that are wrong, wherever they are sent to.
pub async fn identify(app: &App, headers: &HeaderMap, address: IpAddr) -> Result<Principal, Error> {
    if !app.settings().rock.security {
        return Ok(Principal::anybody("?", &[role::ADMINISTRATOR, role::PACKAGE_MANAGER, role::POWER_USER], address));
    }
    let Some(credentials) = basic::credentials(headers) else { return Ok(Principal::nobody(address)) };
    let (name, password) = credentials.ok_or_else(|| Error::unauthorized("Bad credentials"))?;
    app.accounts().authenticate(&name, &password, address).await?;
    Ok(Principal::with_password(&app.rules().now(), &name, address))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_matrix_of_roles() {
        let nowhere = IpAddr::from([127, 0, 0, 1]);
        let with = |role| Principal::anybody("somebody", &[role], nowhere);
        let all = [role::ADMINISTRATOR, role::PACKAGE_MANAGER, role::POWER_USER, "ANOTHER"].map(with);
        for (access, expected) in [
            (Access::Public, [true, true, true, true]),
            (Access::Server, [true, true, false, false]),
            (Access::Open, [true, false, true, false]),
            (Access::Work, [true, false, true, false]),
            (Access::Sessions, [true, true, true, false]),
            (Access::AllSessions, [true, true, false, false]),
        ] {
            assert_eq!(all.each_ref().map(|principal| roles_allow(principal, access)), expected, "{access:?}");
        }
    }
}
