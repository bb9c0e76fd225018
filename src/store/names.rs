//! Which names are allowed. Names are stored in lists separated by blanks, written on the command line separated by
//! commas, and used in addresses: so most names may hold neither blanks nor commas.

use uuid::Uuid;

use super::ChangeError;

/// The kinds of things that have names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Named {
    Account,
    Role,
    Boundary,
    IpFilter,
    Script,
    Object,
    Token,
}

impl Named {
    /// Whether something may be called `name`.
    pub(super) fn check(self, name: &str) -> Result<(), ChangeError> {
        let (kind, others, rule) = match self {
            Self::Account => {
                ("an account's", "._-@", "1 to 64 letters, digits, dots, dashes, underscores or @, beginning with a letter or digit")
            }
            Self::Role => ("a role's", "._-", WORD),
            Self::Boundary => ("a boundary's", "._-", WORD),
            Self::Token => ("a token's", "._-", WORD),
            Self::IpFilter => ("an IP filter's", "_", "1 to 64 letters, digits or underscores, beginning with a letter or digit"),
            Self::Script => return script(name),
            Self::Object => return object(name),
        };
        let inner = |letter: char| letter.is_ascii_alphanumeric() || others.contains(letter);
        let right =
            (1..=64).contains(&name.len()) && name.starts_with(|first: char| first.is_ascii_alphanumeric()) && name.chars().all(inner);
        if right { Ok(()) } else { Err(refusal(name, kind, rule)) }
    }
}

const WORD: &str = "1 to 64 letters, digits, dots, dashes or underscores, beginning with a letter or digit";

/// People read the names of scripts, so these may hold blanks and letters of any alphabet.
fn script(name: &str) -> Result<(), ChangeError> {
    const RULE: &str = "1 to 100 letters, digits, blanks, dots, dashes or underscores, with no blank at either end";
    let inner = |letter: char| letter.is_alphanumeric() || " ._-".contains(letter);
    if !(1..=100).contains(&name.chars().count()) || name.trim() != name || !name.chars().all(inner) {
        return Err(refusal(name, "a script's", RULE));
    }
    // Callers may use a script's name or its identity, so that a name must not look like an identity.
    if name.get(name.len().saturating_sub(36)..).is_some_and(|end| Uuid::try_parse(end).is_ok()) {
        return Err(refusal(name, "a script's", "it looks like an identity"));
    }
    Ok(())
}

/// Objects may be named like files.
fn object(name: &str) -> Result<(), ChangeError> {
    const RULE: &str = "1 to 255 characters, none of which is a slash or a control character";
    let right = (1..=255).contains(&name.chars().count()) && !name.contains(|letter: char| letter == '/' || letter.is_control());
    if right { Ok(()) } else { Err(refusal(name, "an object's", RULE)) }
}

/// Whether an account may be shown as `name`.
pub(super) fn check_display_name(name: &str) -> Result<(), ChangeError> {
    const RULE: &str = "1 to 50 characters that can be seen, and blanks";
    let right = (1..=50).contains(&name.chars().count()) && !name.contains(char::is_control) && !name.trim().is_empty();
    if right { Ok(()) } else { Err(refusal(name, "a display", RULE)) }
}

fn refusal(name: &str, kind: &str, rule: &str) -> ChangeError {
    ChangeError::Invalid(format!("{name:?} cannot be {kind} name: {rule}"))
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
            (Named::Object, " a,b (2).csv"),
        ] {
            assert!(named.check(right).is_ok(), "{right}");
            for wrong in ["", "a\n", "../a", &"a".repeat(256)] {
                assert!(named.check(wrong).is_err(), "{named:?} {wrong:?}");
            }
        }
        for named in [Named::Account, Named::Role, Named::Boundary, Named::IpFilter, Named::Script] {
            assert!(named.check("a,b").is_err() && named.check(" a").is_err(), "{named:?}");
        }
        assert!(Named::Role.check("a b").is_err() && Named::Role.check("größe").is_err() && Named::IpFilter.check("a-b").is_err());
        assert!(Named::Script.check("SCRPT-00000000-0000-4000-8000-000000000000").is_err());
        assert!(check_display_name("Ada L.").is_ok() && check_display_name(" ").is_err() && check_display_name("a\x1b[2J").is_err());
    }
}
