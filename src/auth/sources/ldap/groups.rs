//! The groups of a user, and the roles that these give.

use ldap3::{Scope, ldap_escape};

use super::{Entry, connection::Connection, dn::DistinguishedName};
use crate::{
    auth::sources::Unavailable,
    config::ldap::{Ldap, NestedGroups},
};

/// The most groups of a user that count.
const MOST: usize = 1000;
/// How far groups in groups are followed.
const DEPTH: usize = 10;

/// The table from groups to roles.
#[derive(Debug)]
pub(super) struct RoleTable {
    rows: Vec<(Group, Vec<String>)>,
    default: Vec<String>,
}

/// A group, as the table names it.
#[derive(Debug)]
enum Group {
    Distinguished(DistinguishedName),
    /// In lower case.
    Common(String),
}

impl RoleTable {
    pub(super) fn new(settings: &Ldap) -> Self {
        let group = |name: &str| {
            if name.contains('=') {
                Group::Distinguished(DistinguishedName::parse(name))
            } else {
                Group::Common(name.trim().to_lowercase())
            }
        };
        let rows = settings.roles.iter().map(|(name, roles)| (group(name), roles.clone())).collect();
        Self { rows, default: settings.default_roles.clone() }
    }

    /// The roles of somebody in these groups.
    pub(super) fn roles(&self, groups: &[String]) -> Vec<String> {
        let groups: Vec<_> = groups.iter().map(|group| DistinguishedName::parse(group)).collect();
        let is_in = |wanted: &Group| match wanted {
            Group::Distinguished(name) => groups.contains(name),
            Group::Common(name) => groups.iter().any(|group| group.common_name() == Some(name)),
        };
        let given = self.rows.iter().filter(|(group, _)| is_in(group)).flat_map(|(_, roles)| roles);
        let mut roles: Vec<_> = self.default.iter().chain(given).cloned().collect();
        roles.sort();
        roles.dedup();
        roles
    }
}

/// The distinguished names of the groups that an entry is in, sorted.
pub(super) async fn find(settings: &Ldap, connection: &mut Connection, entry: &Entry) -> Result<Vec<String>, Unavailable> {
    let mut groups = entry.groups.clone();
    if settings.group_base.is_empty() {
        return Ok(groups);
    }
    let is_nested = settings.nested_groups == NestedGroups::Search;
    let mut filter = filter(settings, &entry.dn, &entry.subject);
    if is_nested {
        filter = any_of(groups.iter().map(|group| self::filter(settings, group, group)).chain([filter]));
    }
    for _ in 0..if is_nested { DEPTH } else { 1 } {
        // "1.1" is no attribute: only the names are wanted (RFC 4511, section 4.5.1.8).
        let found = connection.search(&settings.group_base, Scope::Subtree, &filter, &["1.1"], MOST).await?;
        let new: Vec<_> = found.into_iter().map(|group| group.dn).filter(|group| !groups.contains(group)).collect();
        filter = any_of(new.iter().map(|group| self::filter(settings, group, group)));
        let is_last = new.is_empty();
        groups.extend(new);
        if groups.len() >= MOST {
            tracing::warn!(source = settings.name, user.dn = entry.dn, "somebody is in {MOST} groups or more, and others do not count");
            groups.truncate(MOST);
            break;
        }
        if is_last {
            break;
        }
    }
    groups.sort();
    Ok(groups)
}

/// The filter for the groups that have this member.
fn filter(settings: &Ldap, dn: &str, name: &str) -> String {
    super::filled(settings.members(), &[("{dn}", ldap_escape(dn)), ("{name}", ldap_escape(name))])
}

fn any_of(filters: impl Iterator<Item = String>) -> String {
    format!("(|{})", filters.collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles_are_those_of_groups_by_either_name_and_those_of_everybody() {
        let row = |group: &str, role: &str| (group.to_owned(), vec![role.to_owned()]);
        let settings = Ldap {
            roles: [row("R Users", "USER"), row("CN=Admins, OU=Groups,DC=x", "ADMIN"), row("staff", "STAFF")].into(),
            default_roles: vec!["ALL".to_owned()],
            ..Ldap::default()
        };
        let table = RoleTable::new(&settings);
        let roles = |groups: &[&str]| table.roles(&groups.iter().map(|&group| group.to_owned()).collect::<Vec<_>>());
        assert_eq!(roles(&[]), ["ALL"]);
        assert_eq!(roles(&["cn=r users,ou=elsewhere", "cn=admins,ou=groups,dc=x", "cn=r users,dc=x"]), ["ADMIN", "ALL", "USER"]);
        // A group of that name in another place is not the one that is meant.
        assert_eq!(roles(&["cn=admins,ou=others,dc=x", r"cn=admins\,ou=groups,dc=x", "ou=staff,cn=r users"]), ["ALL"]);
        assert_eq!(roles(&["Staff"]), ["ALL", "STAFF"]);
    }
}
