//! Who may do what (contract, section 2): the dialect's three roles, and what each call requires.
//!
//! | here | elsewhere |
//! |---|---|
//! | administrator | `ADMINISTRATOR` |
//! | manager | `PACKAGE_MANAGER`: may look after R, and not run code |
//! | user | `POWER_USER`: may run any code |
//!
//! An account may have several of them. The server's other roles mean nothing in this dialect, because all its clients do is run code.

use axum::http::{Extensions, HeaderMap};

use super::error::Error;
use crate::{
    api::credentials,
    app::App,
    auth::{Principal, origin::client_address, permissions::role},
};

/// What a call requires of its caller. This is checked first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Privilege {
    /// Nothing.
    Public,
    /// Administrators and managers: for R itself and its packages.
    Server,
    /// Administrators and users: for opening a session.
    Open,
    /// Administrators and users: for working in a session.
    Work,
    /// Anybody with a role: for looking at sessions and closing one.
    Sessions,
    /// Administrators and managers: for closing all sessions at once.
    AllSessions,
}

/// Whether a caller with these roles may make the call.
#[must_use]
pub fn roles_allow(principal: &Principal, access: Privilege) -> bool {
    let [administrator, manager, user] =
        [role::ADMINISTRATOR, role::PACKAGE_MANAGER, role::POWER_USER].map(|role| principal.has_role(role));
    match access {
        Privilege::Public => true,
        Privilege::Server | Privilege::AllSessions => administrator || manager,
        Privilege::Open | Privilege::Work => administrator || user,
        Privilege::Sessions => administrator || manager || user,
    }
}

/// Whether somebody may see the sessions of others, and close them.
#[must_use]
pub fn oversees(principal: &Principal) -> bool {
    principal.has_role(role::ADMINISTRATOR) || principal.has_role(role::PACKAGE_MANAGER)
}

/// Whether somebody owns a session, or may see and close the sessions of others.
#[must_use]
pub fn may_see(principal: &Principal, owner: &str) -> bool {
    principal.name() == owner || oversees(principal)
}

/// Whether somebody may work in a session of this owner.
#[must_use]
pub fn may_use(principal: &Principal, owner: &str) -> bool {
    principal.name() == owner || principal.has_role(role::ADMINISTRATOR)
}

/// The principal that sends a request.
///
/// # Errors
/// 401 for wrong credentials, also on public paths.
pub async fn identify(app: &App, headers: &HeaderMap, extensions: &Extensions) -> Result<Principal, Error> {
    let address = client_address(extensions);
    if !app.settings().rock.security {
        return Ok(Principal::anybody("?", &[role::ADMINISTRATOR, role::PACKAGE_MANAGER, role::POWER_USER], address));
    }
    Ok(credentials::principal(app, headers, extensions).await?.unwrap_or_else(|| Principal::nobody(address)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::IpAddr;

    #[test]
    fn the_matrix_of_roles() {
        let nowhere = IpAddr::from([127, 0, 0, 1]);
        let with = |role| Principal::anybody("somebody", &[role], nowhere);
        let all = [role::ADMINISTRATOR, role::PACKAGE_MANAGER, role::POWER_USER, "ANOTHER"].map(with);
        for (access, expected) in [
            (Privilege::Public, [true, true, true, true]),
            (Privilege::Server, [true, true, false, false]),
            (Privilege::Open, [true, false, true, false]),
            (Privilege::Work, [true, false, true, false]),
            (Privilege::Sessions, [true, true, true, false]),
            (Privilege::AllSessions, [true, true, false, false]),
        ] {
            assert_eq!(all.each_ref().map(|principal| roles_allow(principal, access)), expected, "{access:?}");
        }
    }
}
