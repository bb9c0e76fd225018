//! The differences between two states of the rules, for the audit log.

use std::collections::{BTreeSet, HashMap};

use super::{Account, rules::Rules};

/// One difference between two states of the rules.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// "added", "changed" or "removed".
    pub event: &'static str,
    /// "account", "role"...
    pub kind: &'static str,
    /// The name of the account, role and so on.
    pub name: String,
    /// What has changed about it, with the new values unless they are secret.
    pub what: String,
}

impl Rules {
    /// What has changed from these rules to the `later` ones, without secrets.
    #[must_use]
    pub fn changes(&self, later: &Self) -> Vec<Change> {
        let mut changes = Vec::new();
        compare(&mut changes, "account", &self.accounts, &later.accounts, account);
        compare(&mut changes, "role", &self.roles, &later.roles, |_, role| Some(format!("{role:?}")));
        compare(&mut changes, "boundary", &self.boundaries, &later.boundaries, |_, boundary| Some(format!("{boundary:?}")));
        compare(&mut changes, "IP filter", &self.filters, &later.filters, |_, filter| Some(format!("{filter:?}")));
        let tokens = |rules: &Self| -> HashMap<_, _> {
            rules.personal_tokens.values().map(|token| (format!("{}/{}", token.account, token.name), token.id)).collect()
        };
        compare(&mut changes, "token", &tokens(self), &tokens(later), |_, _| Some(String::new()));
        let policies = |rules: &Self| -> HashMap<_, _> { rules.policies.0.clone().into_iter().collect() };
        compare(&mut changes, "policy", &policies(self), &policies(later), |_, value| Some(value.clone()));
        changes
    }
}

/// Adds the differences in one table. `what` describes an addition, for which there is nothing before, or a change; it
/// returns `None` for a change that nobody has made, such as a count of failed logins.
fn compare<T: PartialEq>(
    changes: &mut Vec<Change>,
    kind: &'static str,
    before: &HashMap<String, T>,
    now: &HashMap<String, T>,
    what: impl Fn(Option<&T>, &T) -> Option<String>,
) {
    let names: BTreeSet<_> = before.keys().chain(now.keys()).collect();
    for name in names {
        let (event, what) = match (before.get(name), now.get(name)) {
            (None, Some(new)) => ("added", what(None, new)),
            (Some(_), None) => ("removed", Some(String::new())),
            (Some(old), Some(new)) if old != new => ("changed", what(Some(old), new)),
            _ => continue,
        };
        if let Some(what) = what {
            changes.push(Change { event, kind, name: name.clone(), what });
        }
    }
}

/// Describes what has changed about an account. Failed logins have entries of their own.
fn account(before: Option<&Account>, now: &Account) -> Option<String> {
    let mut changed = Vec::new();
    let mut tell = |differs: bool, what: String| {
        if differs {
            changed.push(what);
        }
    };
    let differs = |get: fn(&Account, &Account) -> bool| before.is_none_or(|before| get(before, now));
    tell(differs(|old, new| old.enabled != new.enabled), format!("enabled={}", now.enabled));
    tell(differs(|old, new| old.locked != new.locked), format!("locked={}", now.locked));
    tell(differs(|old, new| old.roles != new.roles), format!("roles={}", now.roles.join(",")));
    tell(differs(|old, new| old.boundary != new.boundary), format!("boundary={}", now.boundary.as_deref().unwrap_or_default()));
    tell(before.is_some_and(|old| old.password_hash != now.password_hash), "password".to_owned());
    tell(before.is_some_and(|old| old.password_expired != now.password_expired), format!("password_expired={}", now.password_expired));
    tell(before.is_some_and(|old| old.display_name != now.display_name), "display_name".to_owned());
    (!changed.is_empty()).then(|| changed.join(" "))
}
