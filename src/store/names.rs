//! What things may be called. Lists of names are kept separated by blanks, written with commas on the command
//! line, and end up in addresses: so most names hold neither.

use uuid::Uuid;

use super::ChangeError;

/// What has a name of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Named {
    Account,
    Role,
    Boundary,
    IpFilter,
    Script,
}

impl Named {
    /// Whether something may be called `name`.
    pub(super) fn check(self, name: &str) -> Result<(), ChangeError> {
        let (kind, others, rule) = match self {
            Self::Account => {
                ("an account", "._-@", "1 to 64 letters, digits, dots, dashes, underscores or @, beginning with a letter or digit")
            }
            Self::Role => ("a role", "._-", WORD),
            Self::Boundary => ("a boundary", "._-", WORD),
            Self::IpFilter => ("an IP filter", "_", "1 to 64 letters, digits or underscores, beginning with a letter or digit"),
            Self::Script => return script(name),
        };
        let inner = |letter: char| letter.is_ascii_alphanumeric() || others.contains(letter);
        let right =
            (1..=64).contains(&name.len()) && name.starts_with(|first: char| first.is_ascii_alphanumeric()) && name.chars().all(inner);
        if right { Ok(()) } else { Err(refusal(name, kind, rule)) }
    }
}

const WORD: &str = "1 to 64 letters, digits, dots, dashes or underscores, beginning with a letter or digit";

/// A script's name is one that people read: it may hold blanks and letters of any alphabet.
fn script(name: &str) -> Result<(), ChangeError> {
    const RULE: &str = "1 to 100 letters, digits, blanks, dots, dashes or underscores, with no blank at either end";
    let inner = |letter: char| letter.is_alphanumeric() || " ._-".contains(letter);
    if !(1..=100).contains(&name.chars().count()) || name.trim() != name || !name.chars().all(inner) {
        return Err(refusal(name, "a script", RULE));
    }
    // Callers name a script by its name or by its identity.
    if name.get(name.len().saturating_sub(36)..).is_some_and(|end| Uuid::try_parse(end).is_ok()) {
        return Err(refusal(name, "a script", "it looks like an identity"));
    }
    Ok(())
}

fn refusal(name: &str, kind: &str, rule: &str) -> ChangeError {
    ChangeError::Invalid(format!("{name:?} cannot be {kind}'s name: {rule}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_hold_what_they_may() {
        for (named, right) in [
            (Named::Account, "ada.l@example.org"),
            (Named::Role, "sales_2-a.b"),
            (Named::Boundary, "small"),
            (Named::IpFilter, "office_2"),
            (Named::Script, "Größe 2.1 - neu"),
        ] {
            assert!(named.check(right).is_ok(), "{right}");
            for wrong in ["", "a,b", " a", "a\n", "../a", &"a".repeat(101)] {
                assert!(named.check(wrong).is_err(), "{named:?} {wrong:?}");
            }
        }
        assert!(Named::Role.check("a b").is_err() && Named::Role.check("größe").is_err() && Named::IpFilter.check("a-b").is_err());
        assert!(Named::Script.check("SCRPT-00000000-0000-4000-8000-000000000000").is_err());
    }
}
