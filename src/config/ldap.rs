//! Settings of directories that are asked by LDAP.

use std::{collections::BTreeMap, path::PathBuf};

use serde::{Deserialize, Serialize};

use super::{Secret, host};

/// The filter that finds the groups of an entry, unless the settings have another.
const MEMBERS: &str = "(member={dn})";
/// The same by a matching rule of Active Directory's, which finds groups of groups as well.
const MEMBERS_BY_RULE: &str = "(member:1.2.840.113556.1.4.1941:={dn})";

/// A directory that is asked by LDAP: a section `[[auth.source]]` with `kind = "ldap"`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Ldap {
    /// What it is called here: in lists, in the log, and in names of accounts if there is another source.
    pub name: String,
    /// Its address: `ldaps://HOST`, or `ldap://HOST` with `starttls`; `:PORT` may follow.
    pub url: String,
    /// Encrypt a connection to `ldap://` before anything is sent (StartTLS).
    pub starttls: bool,
    /// A PEM file with the certificates of the authorities that may have signed the directory's; if empty, those that the
    /// machine trusts. Read at the start.
    pub ca: PathBuf,
    /// Send passwords to another machine without encryption: `ldap://` without `starttls`.
    pub unencrypted: bool,
    /// The distinguished name of the account that searches; if empty, nobody's (an anonymous search).
    pub bind_dn: String,
    /// Its password.
    pub bind_password: Secret,
    /// A file with its password instead, of which the first line counts. Read at each connection.
    pub bind_password_file: PathBuf,
    /// What to bind as, in which `{name}` is the name that was given, such as `uid={name},ou=people,dc=example,dc=org`.
    /// Nobody has to search then. It may be something else than a distinguished name, such as `{name}@example.org` for
    /// Active Directory; then the user searches for their own entry, below `search_base`.
    pub user_dn: String,
    /// The distinguished name below which users are searched.
    pub search_base: String,
    /// The filter that finds a user, in which `{name}` is the name that was given. It may ask for more, such as a group that
    /// a user has to be in.
    pub user_filter: String,
    /// The attribute that names the account here, however its owner has written the name.
    pub name_attribute: String,
    /// The attribute with the name to show.
    pub display_name_attribute: String,
    /// The attribute of a user with the distinguished names of the user's groups; empty for none.
    pub group_attribute: String,
    /// The distinguished name below which groups are searched; if empty, they are not.
    pub group_base: String,
    /// The filter that finds the groups of a user, in which `{dn}` is the user's distinguished name and `{name}` the value
    /// of `name_attribute`; if empty, `(member={dn})`.
    pub group_filter: String,
    /// Whether groups of groups count, which needs `group_base`: "no", "rule" by the matching rule of Active Directory
    /// (1.2.840.113556.1.4.1941), "search" by a search for the groups of those that were found, and so on.
    pub nested_groups: NestedGroups,
    /// The roles of groups, by their distinguished or common names, of which the case does not count. Prefer distinguished
    /// names if not only administrators can make groups.
    pub roles: BTreeMap<String, Vec<String>>,
    /// The roles that every account of the directory has. An account without any role is a basic user.
    pub default_roles: Vec<String>,
    /// Seconds that each step may take: to connect, to bind, to search. All together may take twice as long.
    pub timeout_seconds: u64,
}

/// See [`Ldap::nested_groups`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "the setting's text says what they are")]
pub enum NestedGroups {
    #[default]
    No,
    Rule,
    Search,
}

impl Default for Ldap {
    fn default() -> Self {
        Self {
            name: String::new(),
            url: String::new(),
            starttls: false,
            ca: PathBuf::new(),
            unencrypted: false,
            bind_dn: String::new(),
            bind_password: Secret::default(),
            bind_password_file: PathBuf::new(),
            user_dn: String::new(),
            search_base: String::new(),
            user_filter: "(uid={name})".to_owned(),
            name_attribute: "uid".to_owned(),
            display_name_attribute: "cn".to_owned(),
            group_attribute: "memberOf".to_owned(),
            group_base: String::new(),
            group_filter: String::new(),
            nested_groups: NestedGroups::No,
            roles: BTreeMap::new(),
            default_roles: Vec::new(),
            timeout_seconds: 5,
        }
    }
}

impl Ldap {
    /// The filter that finds groups.
    #[must_use]
    pub fn members(&self) -> &str {
        match (self.group_filter.as_str(), self.nested_groups) {
            ("", NestedGroups::Rule) => MEMBERS_BY_RULE,
            ("", _) => MEMBERS,
            (filter, _) => filter,
        }
    }

    /// Whether `user_dn` is a distinguished name, and not another name that the directory knows users by.
    #[must_use]
    pub fn binds_by_dn(&self) -> bool {
        self.user_dn.contains('=')
    }

    /// Whether the settings make sense.
    pub(super) fn check(&self) -> Result<(), String> {
        let faults = self.connection_fault().or_else(|| self.bind_fault()).or_else(|| self.search_fault());
        faults.map_or(Ok(()), |(setting, fault)| Err(format!("auth.source {:?}: {setting}: {fault}", self.name)))
    }

    fn connection_fault(&self) -> Option<(&'static str, String)> {
        let address = self.url.strip_prefix("ldaps://").or_else(|| self.url.strip_prefix("ldap://"));
        let parts = address.and_then(|address| host::split(address.strip_suffix('/').unwrap_or(address)));
        let Some((host, _)) = parts.filter(|(host, _)| !host.is_empty()) else {
            return Some(("url", format!("{:?} is neither ldaps://HOST nor ldap://HOST", self.url)));
        };
        let encrypts_itself = self.url.starts_with("ldaps:");
        let is_encrypted = encrypts_itself || self.starttls;
        if encrypts_itself && self.starttls {
            return Some(("starttls", "it is for ldap://, and ldaps:// encrypts anyway".to_owned()));
        }
        if is_encrypted && self.unencrypted {
            return Some(("unencrypted", "this connection is encrypted: take the setting away".to_owned()));
        }
        if !is_encrypted && !self.ca.as_os_str().is_empty() {
            return Some(("ca", "this connection is not encrypted: set starttls, or take an address with ldaps://".to_owned()));
        }
        if !is_encrypted && !self.unencrypted && !host::is_loopback(host) {
            let fault = format!(
                "passwords would be sent to {host} without encryption: set starttls, take an address with ldaps://, or set unencrypted \
                 if you really want that"
            );
            return Some(("url", fault));
        }
        let is_time = (1..=120).contains(&self.timeout_seconds);
        (!is_time).then(|| ("timeout_seconds", format!("{} is not between 1 and 120", self.timeout_seconds)))
    }

    fn bind_fault(&self) -> Option<(&'static str, String)> {
        let (password, file) = (!self.bind_password.expose().is_empty(), !self.bind_password_file.as_os_str().is_empty());
        if password && file {
            return Some(("bind_password", "there is bind_password_file as well: set one of them".to_owned()));
        }
        if self.bind_dn.is_empty() && (password || file) {
            return Some(("bind_dn", "there is a password, and no name to bind as".to_owned()));
        }
        if !self.bind_dn.is_empty() && !password && !file {
            return Some(("bind_password", "bind_dn needs a password: set it, or bind_password_file".to_owned()));
        }
        if self.user_dn.is_empty() {
            return self.search_base.is_empty().then(|| ("search_base", "set it, to search for users, or user_dn to bind as".to_owned()));
        }
        if !self.user_dn.contains("{name}") {
            return Some(("user_dn", format!("{:?} has no {{name}} in it, so that everybody would be the same", self.user_dn)));
        }
        if !self.bind_dn.is_empty() {
            return Some(("bind_dn", "users bind by user_dn, and nobody else searches: set one of them".to_owned()));
        }
        if self.binds_by_dn() && !self.search_base.is_empty() {
            return Some(("search_base", "user_dn says where users are: set one of them".to_owned()));
        }
        let needs_base = !self.binds_by_dn() && self.search_base.is_empty();
        needs_base.then(|| ("search_base", format!("{:?} is no distinguished name: users search for their entry below it", self.user_dn)))
    }

    fn search_fault(&self) -> Option<(&'static str, String)> {
        let filters = [("user_filter", self.user_filter.as_str(), &["{name}"][..]), ("group_filter", self.members(), &["{dn}", "{name}"])];
        for (setting, filter, holes) in filters {
            if !holes.iter().any(|hole| filter.contains(hole)) {
                return Some((setting, format!("{filter:?} has no {} in it", holes.join(" or "))));
            }
            if !(filter.starts_with('(') && filter.ends_with(')')) {
                return Some((setting, format!("{filter:?} is not in parentheses")));
            }
        }
        let is_attribute = |name: &str| name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-.;".contains(&byte));
        let attributes = [
            ("name_attribute", &self.name_attribute, false),
            ("display_name_attribute", &self.display_name_attribute, true),
            ("group_attribute", &self.group_attribute, true),
        ];
        for (setting, name, may_be_empty) in attributes {
            if !is_attribute(name) || (name.is_empty() && !may_be_empty) {
                return Some((setting, format!("{name:?} is no attribute's name")));
            }
        }
        if self.group_base.is_empty() && !self.group_filter.is_empty() {
            return Some(("group_filter", "groups are searched below group_base, which is not set".to_owned()));
        }
        if self.group_base.is_empty() && self.nested_groups != NestedGroups::No {
            return Some(("nested_groups", "groups are searched below group_base, which is not set".to_owned()));
        }
        if self.nested_groups == NestedGroups::Rule && !self.group_filter.is_empty() {
            return Some((
                "nested_groups",
                "\"rule\" has a filter of its own: write the rule into group_filter, or set one of them".to_owned(),
            ));
        }
        if self.nested_groups == NestedGroups::Search && !self.members().contains("{dn}") {
            return Some(("nested_groups", "\"search\" needs {dn} in group_filter, as groups are members by that".to_owned()));
        }
        if !self.roles.is_empty() && self.group_attribute.is_empty() && self.group_base.is_empty() {
            return Some(("roles", "no group is ever found, as there is neither group_attribute nor group_base".to_owned()));
        }
        let empty = self.roles.iter().find(|(group, roles)| group.trim().is_empty() || roles.is_empty());
        empty.map(|(group, _)| ("roles", format!("the group {group:?} has no name, or no roles")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(text: &str) -> String {
        let settings: Ldap = toml::from_str(text).unwrap();
        settings.check().map_or_else(|fault| fault.strip_prefix("auth.source \"\": ").unwrap().to_owned(), |()| String::new())
    }

    #[test]
    fn settings_that_make_sense_are_taken() {
        for good in [
            "url = 'ldaps://dc.example.org'\nuser_dn = 'uid={name},dc=example'",
            "url = 'ldap://dc.example.org:3389'\nstarttls = true\nsearch_base = 'dc=example'\nbind_dn = 'cn=r'\nbind_password_file = '/x'",
            "url = 'ldap://[::1]/'\nsearch_base = 'dc=example'",
            "url = 'ldap://10.0.0.1'\nunencrypted = true\nuser_dn = '{name}@example.org'\nsearch_base = 'dc=example'",
        ] {
            assert_eq!(fault(good), "", "{good}");
        }
    }

    #[test]
    fn settings_that_make_no_sense_are_named() {
        let search = "search_base = 'dc=x'\nurl = 'ldaps://x'\n";
        for (text, expected) in [
            ("", "url: \"\" is neither"),
            ("url = 'http://x'", "url: \"http://x\" is neither"),
            ("url = 'ldap://'", "url: \"ldap://\" is neither"),
            ("url = 'ldap://user@x'", "url: \"ldap://user@x\" is neither"),
            ("url = 'ldap://x'", "url: passwords would be sent to x without encryption"),
            ("url = 'ldaps://x'\nstarttls = true", "starttls: it is for ldap://"),
            ("url = 'ldaps://x'\nunencrypted = true", "unencrypted: this connection is encrypted"),
            ("url = 'ldap://localhost'\nca = '/x'", "ca: this connection is not encrypted"),
            ("url = 'ldaps://x'\ntimeout_seconds = 0", "timeout_seconds: 0 is not between"),
            ("url = 'ldaps://x'", "search_base: set it"),
            ("url = 'ldaps://x'\nuser_dn = 'uid=x'", "user_dn: \"uid=x\" has no {name}"),
            ("url = 'ldaps://x'\nuser_dn = '{name}@x'", "search_base: \"{name}@x\" is no distinguished name"),
            (&format!("{search}user_dn = 'uid={{name}}'"), "search_base: user_dn says where users are"),
            (&format!("{search}user_dn = '{{name}}@x'\nbind_dn = 'cn=x'\nbind_password = 'x'"), "bind_dn: users bind by user_dn"),
            (&format!("{search}bind_dn = 'cn=x'"), "bind_password: bind_dn needs a password"),
            (&format!("{search}bind_password = 'x'"), "bind_dn: there is a password"),
            (
                &format!("{search}bind_dn = 'cn=x'\nbind_password = 'x'\nbind_password_file = '/x'"),
                "bind_password: there is bind_password_file",
            ),
            (&format!("{search}user_filter = '(uid=x)'"), "user_filter: \"(uid=x)\" has no {name} in it"),
            (&format!("{search}user_filter = 'uid={{name}}'"), "user_filter: \"uid={name}\" is not in parentheses"),
            (&format!("{search}name_attribute = ''"), "name_attribute: \"\" is no attribute's name"),
            (&format!("{search}group_attribute = 'a b'"), "group_attribute: \"a b\" is no attribute's name"),
            (&format!("{search}group_filter = '(member={{dn}})'"), "group_filter: groups are searched below group_base"),
            (&format!("{search}nested_groups = 'rule'"), "nested_groups: groups are searched below group_base"),
            (
                &format!("{search}group_base = 'x'\ngroup_filter = '(a={{dn}})'\nnested_groups = 'rule'"),
                "nested_groups: \"rule\" has a filter",
            ),
            (
                &format!("{search}group_base = 'x'\ngroup_filter = '(a={{name}})'\nnested_groups = 'search'"),
                "nested_groups: \"search\" needs",
            ),
            (&format!("{search}group_attribute = ''\n[roles]\na = ['X']"), "roles: no group is ever found"),
            (&format!("{search}[roles]\na = []"), "roles: the group \"a\" has no name, or no roles"),
        ] {
            let found = fault(text);
            assert!(found.starts_with(expected), "{text}: {found}");
        }
    }
}
