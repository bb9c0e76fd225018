//! Whom a script or an object is for.

use std::{fmt, str::FromStr};

use sqlx::{SqliteConnection, query};

use super::{ChangeError, words};

/// Whom something is for. Each level includes the ones before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Access {
    /// Administrators and script managers.
    Private,
    /// Accounts that have one of these roles.
    Roles(Vec<String>),
    /// Every account.
    Authenticated,
    /// Callers without a login from addresses that the server trusts.
    Trusted,
    /// Everybody.
    Anonymous,
}

impl Access {
    /// The word for it in the store.
    pub(super) fn word(&self) -> &'static str {
        match self {
            Self::Private => "private",
            Self::Roles(_) => "restricted",
            Self::Authenticated => "authenticated",
            Self::Trusted => "trusted",
            Self::Anonymous => "anonymous",
        }
    }

    pub(super) fn read(word: &str, roles: &str) -> Self {
        match word {
            // The list may be empty: its roles may have been removed since.
            "restricted" if !roles.is_empty() => Self::Roles(words(roles)),
            "authenticated" => Self::Authenticated,
            "trusted" => Self::Trusted,
            "anonymous" => Self::Anonymous,
            _ => Self::Private,
        }
    }

    pub(super) fn roles(&self) -> &[String] {
        match self {
            Self::Roles(roles) => roles,
            _ => &[],
        }
    }
}

impl fmt::Display for Access {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Roles(roles) => {
                let roles: Vec<_> = roles.iter().map(|role| format!("role:{role}")).collect();
                formatter.write_str(&roles.join(","))
            }
            other => formatter.write_str(other.word()),
        }
    }
}

impl FromStr for Access {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "private" => return Ok(Self::Private),
            "authenticated" => return Ok(Self::Authenticated),
            "trusted" => return Ok(Self::Trusted),
            "anonymous" => return Ok(Self::Anonymous),
            _ => {}
        }
        let roles: Option<Vec<_>> =
            text.split(',').map(|part| part.strip_prefix("role:").filter(|role| !role.is_empty()).map(str::to_owned)).collect();
        roles.map(Self::Roles).ok_or_else(|| {
            format!("{text:?} is none of private, role:NAME, authenticated, trusted and anonymous; several roles are written role:A,role:B")
        })
    }
}

/// The two tables that say which roles something is for.
#[derive(Debug, Clone, Copy)]
pub(super) enum Of {
    Script,
    Object,
}

/// Writes the roles that `id` is for.
pub(super) async fn set_roles(connection: &mut SqliteConnection, of: Of, id: &str, access: &Access) -> Result<(), ChangeError> {
    let (forget, add) = match of {
        Of::Script => {
            ("DELETE FROM script_role WHERE script = $1", "INSERT INTO script_role (script, role) VALUES ($1, $2) ON CONFLICT DO NOTHING")
        }
        Of::Object => {
            ("DELETE FROM object_role WHERE object = $1", "INSERT INTO object_role (object, role) VALUES ($1, $2) ON CONFLICT DO NOTHING")
        }
    };
    query(forget).bind(id).execute(&mut *connection).await?;
    for role in access.roles() {
        super::roles::require(connection, role).await?;
        query(add).bind(id).bind(role).execute(&mut *connection).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_are_written_as_they_are_read() {
        for text in ["private", "role:A", "role:A,role:B", "authenticated", "trusted", "anonymous"] {
            assert_eq!(text.parse::<Access>().unwrap().to_string(), text);
        }
        for wrong in ["", "role:", "role:A,B", "everybody"] {
            assert!(wrong.parse::<Access>().is_err(), "{wrong}");
        }
    }
}
