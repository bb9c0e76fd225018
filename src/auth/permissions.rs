//! What roles allow: one table for all dialects.

use std::net::IpAddr;

use crate::store::{Access, policies::Policy, rules::Rules};

/// The system's roles.
pub mod role {
    /// May manage the server.
    pub const ADMINISTRATOR: &str = "ADMINISTRATOR";
    /// May manage scripts and objects.
    pub const SCRIPT_MANAGER: &str = "SCRIPT_MANAGER";
    /// May make every call and run any code.
    pub const POWER_USER: &str = "POWER_USER";
    /// May make every call but those that run any code.
    pub const BASIC_USER: &str = "BASIC_USER";
    /// May install packages.
    pub const PACKAGE_MANAGER: &str = "PACKAGE_MANAGER";
}

/// What somebody may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Permission {
    /// Use sessions, scripts, objects, files and projects.
    Use,
    /// Bring code of one's own into R: as text, or in an R object.
    Code,
    /// Install packages for everybody.
    Packages,
    /// Manage scripts and the server's objects.
    Scripts,
    /// Manage accounts and the server.
    Administer,
}

/// Whether an account has a permission. One without a role that allows anything is a basic user.
#[must_use]
pub fn allows(rules: &Rules, account: &str, permission: Permission) -> bool {
    let Some(account) = rules.account(account).filter(|account| account.enabled) else { return false };
    let has = |role: &str| account.roles.iter().any(|held| held == role);
    match permission {
        Permission::Code => has(role::POWER_USER),
        Permission::Packages => has(role::PACKAGE_MANAGER) || has(role::POWER_USER) || has(role::ADMINISTRATOR),
        Permission::Scripts => has(role::SCRIPT_MANAGER) || has(role::ADMINISTRATOR),
        Permission::Administer => has(role::ADMINISTRATOR),
        Permission::Use => {
            let lists_calls = |held: &String| rules.role(held).is_some_and(|role| !role.calls.is_empty());
            has(role::POWER_USER) || has(role::BASIC_USER) || !account.roles.iter().any(lists_calls)
        }
    }
}

/// Whether an account may make the call at `path`, which needs a permission: by that permission, or because
/// one of its roles lists the call.
#[must_use]
pub fn may_call(rules: &Rules, account: &str, path: &str, needs: Permission) -> bool {
    let listed = |held: &String| rules.role(held).is_some_and(|role| role.calls.iter().any(|call| call == path));
    allows(rules, account, needs) || rules.account(account).is_some_and(|account| account.enabled && account.roles.iter().any(listed))
}

/// Somebody who wants to use a script or an object.
#[derive(Debug, Clone, Copy)]
pub enum Caller<'a> {
    /// An account.
    Account(&'a str),
    /// Somebody without a login, from this address.
    Anonymous(IpAddr),
}

/// Whether something is for somebody.
#[must_use]
pub fn may_use(rules: &Rules, access: &Access, caller: Caller<'_>) -> bool {
    match caller {
        Caller::Anonymous(address) => match access {
            Access::Anonymous => true,
            Access::Trusted => rules.lets_in(Policy::TrustedIpFilter, address) == Some(true),
            Access::Private | Access::Roles(_) | Access::Authenticated => false,
        },
        Caller::Account(name) => {
            let manager = || allows(rules, name, Permission::Scripts);
            match access {
                Access::Private => manager(),
                Access::Roles(roles) => {
                    manager() || rules.account(name).is_some_and(|account| account.roles.iter().any(|held| roles.contains(held)))
                }
                Access::Authenticated | Access::Trusted | Access::Anonymous => true,
            }
        }
    }
}
