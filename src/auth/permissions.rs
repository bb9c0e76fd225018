//! What each role allows, in one table for all dialects.

use super::Principal;
use crate::store::{Access, policies::Policy, rules::Rules};

/// The system's roles.
pub mod role {
    /// May manage the server.
    pub const ADMINISTRATOR: &str = "ADMINISTRATOR";
    /// May manage scripts and objects.
    pub const SCRIPT_MANAGER: &str = "SCRIPT_MANAGER";
    /// May make every call and run any code.
    pub const POWER_USER: &str = "POWER_USER";
    /// May make every call except those that run any code.
    pub const BASIC_USER: &str = "BASIC_USER";
    /// May install packages.
    pub const PACKAGE_MANAGER: &str = "PACKAGE_MANAGER";
    /// May call and change every service, and publish.
    pub const SERVICE_OWNER: &str = "SERVICE_OWNER";
    /// May call every service, and publish and change their own.
    pub const SERVICE_CONTRIBUTOR: &str = "SERVICE_CONTRIBUTOR";
    /// May call every service.
    pub const SERVICE_READER: &str = "SERVICE_READER";
    /// All of them.
    pub const ALL: [&str; 8] =
        [ADMINISTRATOR, SCRIPT_MANAGER, POWER_USER, BASIC_USER, PACKAGE_MANAGER, SERVICE_OWNER, SERVICE_CONTRIBUTOR, SERVICE_READER];
}

/// What a principal may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Permission {
    /// Use sessions, scripts, objects, files and projects.
    Use,
    /// Bring code of their own into R: as text, or in an R object.
    Code,
    /// Install packages for everybody.
    Packages,
    /// Manage scripts and the server's objects.
    Scripts,
    /// Manage accounts and the server.
    Administer,
}

/// Whether a principal has a permission. An account whose roles allow nothing counts as a basic user.
#[must_use]
pub fn allows(rules: &Rules, principal: &Principal, permission: Permission) -> bool {
    let has = |role: &str| principal.has_role(role);
    match permission {
        Permission::Code => has(role::POWER_USER),
        Permission::Packages => has(role::PACKAGE_MANAGER) || has(role::POWER_USER) || has(role::ADMINISTRATOR),
        Permission::Scripts => has(role::SCRIPT_MANAGER) || has(role::ADMINISTRATOR),
        Permission::Administer => has(role::ADMINISTRATOR),
        Permission::Use => {
            let is_account = principal.account().is_some_and(|name| rules.account(name).is_some_and(|account| account.enabled));
            let lists_calls = |held: &String| rules.role(held).is_some_and(|role| !role.calls.is_empty());
            has(role::POWER_USER) || has(role::BASIC_USER) || is_account && !principal.roles().iter().any(lists_calls)
        }
    }
}

/// What somebody may do with services. Each right has those before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ServiceRight {
    /// Call them.
    Call,
    /// Publish, and change their own.
    Publish,
    /// Change everybody's.
    Own,
}

/// What a principal may do with services; `None` is nothing. Publishing brings code into R, so without the permission for that nobody
/// publishes. If `by_roles`, the roles for services narrow this: who has none of them has the right below the lowest that anybody was given.
#[must_use]
pub fn service_right(rules: &Rules, principal: &Principal, by_roles: bool) -> Option<ServiceRight> {
    principal.account()?;
    let allowed = if allows(rules, principal, Permission::Code) { ServiceRight::Own } else { ServiceRight::Call };
    if !by_roles {
        return Some(allowed.min(ServiceRight::Publish));
    }
    let has = |role: &str| principal.has_role(role);
    let by_role = if has(role::SERVICE_OWNER) || has(role::ADMINISTRATOR) {
        ServiceRight::Own
    } else if has(role::SERVICE_CONTRIBUTOR) {
        ServiceRight::Publish
    } else if has(role::SERVICE_READER) {
        ServiceRight::Call
    } else if rules.is_given(role::SERVICE_READER) {
        return None;
    } else if rules.is_given(role::SERVICE_CONTRIBUTOR) {
        ServiceRight::Call
    } else {
        ServiceRight::Publish
    };
    Some(allowed.min(by_role))
}

/// Those of `roles` that somebody with the roles `held` may have: their own, and that of a basic user if they are a power user.
#[must_use]
pub fn narrowed(held: &[String], roles: &[String]) -> Vec<String> {
    let has = |role: &str| held.iter().any(|held| held == role);
    roles.iter().filter(|role| has(role) || (*role == role::BASIC_USER && has(role::POWER_USER))).cloned().collect()
}

/// Whether a principal may make the call at `path`: because they have the permission that it needs, or because one of their roles lists the
/// call.
#[must_use]
pub fn may_call(rules: &Rules, principal: &Principal, path: &str, needs: Permission) -> bool {
    let listed = |held: &String| rules.role(held).is_some_and(|role| role.calls.iter().any(|call| call == path));
    allows(rules, principal, needs) || principal.roles().iter().any(listed)
}

/// Whether a principal may use a script or an object.
#[must_use]
pub fn may_use(rules: &Rules, access: &Access, principal: &Principal) -> bool {
    if principal.account().is_none() {
        return match access {
            Access::Anonymous => true,
            Access::Trusted => rules.lets_in(Policy::TrustedIpFilter, principal.address()) == Some(true),
            Access::Private | Access::Roles(_) | Access::Authenticated => false,
        };
    }
    let manager = || allows(rules, principal, Permission::Scripts);
    match access {
        Access::Private => manager(),
        Access::Roles(roles) => manager() || principal.roles().iter().any(|held| roles.contains(held)),
        Access::Authenticated | Access::Trusted | Access::Anonymous => true,
    }
}
