//! The settings of OBiBa Rock's API, and the environment variables of its container.

use serde::{Deserialize, Deserializer, Serialize};

use super::Secret;
use crate::foreign_hash::ForeignHash;

/// The password that its container gives to an account for which only a name is set.
const PASSWORD: &str = "password";
/// The accounts that its container makes, which are also the names of the roles.
const ROLES: [&str; 3] = ["administrator", "manager", "user"];
/// Variables of its container, and the settings that they stand for here.
const VARIABLES: [(&str, &[&str]); 6] = [
    ("ROCK_ID", &["rock", "id"]),
    ("ROCK_CLUSTER", &["rock", "cluster"]),
    ("ROCK_TAGS", &["rock", "tags"]),
    ("ROCK_SERVER", &["rock", "server"]),
    ("ROCK_REPOS", &["r", "repositories"]),
    ("ROCK_SECURITY_ENABLED", &["rock", "security"]),
];

/// OBiBa Rock's API.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Rock {
    /// The id by which clients tell this server from others; if empty, the name of the machine.
    pub id: String,
    /// The name of the group of servers that it belongs to.
    pub cluster: String,
    /// Words that clients may select servers by.
    pub tags: Vec<String>,
    /// Its address as others know it; if set, it is part of the server's description at `/_info`.
    pub server: String,
    /// Ask for a name and a password. Without, everybody may do everything.
    pub security: bool,
    /// Accounts that the server makes when it starts. Existing ones are changed to what is said here.
    pub users: Vec<DeclaredUser>,
    /// Largest script or serialized object, in MiB; more is answered with 413.
    pub body_mib: u64,
    /// Largest file that can be uploaded, in MiB.
    pub upload_mib: u64,
    /// Seconds after which a session that was opened through this API ends if nobody uses it; 0 is never.
    pub idle_seconds: u64,
}

impl Default for Rock {
    fn default() -> Self {
        Self {
            id: String::new(),
            cluster: "default".to_owned(),
            tags: Vec::new(),
            server: String::new(),
            security: true,
            users: Vec::new(),
            body_mib: 1024,
            upload_mib: 5120,
            idle_seconds: 4 * 3600,
        }
    }
}

/// An account, as Rock's configuration declares it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeclaredUser {
    /// The name to log in with.
    pub id: String,
    /// The password: in plain text, perhaps after `{noop}`; or its hash after `{bcrypt}`, `{pbkdf2}`, `{scrypt}` or `{argon2}`,
    /// as Spring Security writes them.
    pub secret: Secret,
    /// Any of administrator, manager and user, as a list or separated by commas; user unless set.
    #[serde(default, deserialize_with = "words")]
    pub roles: Vec<String>,
}

/// The accounts to make. Entries without a name or a password are left out. Entries with the same name are one account,
/// with the roles of all of them and the password of the last.
pub(super) fn usable(users: Vec<DeclaredUser>) -> Vec<DeclaredUser> {
    let mut usable: Vec<DeclaredUser> = Vec::new();
    for mut user in users.into_iter().filter(|user| !user.id.trim().is_empty() && !user.secret.expose().trim().is_empty()) {
        if user.roles.is_empty() {
            user.roles.push("user".to_owned());
        }
        match usable.iter_mut().find(|earlier| earlier.id == user.id) {
            Some(earlier) => {
                earlier.secret = user.secret;
                earlier.roles.extend(user.roles);
            }
            None => usable.push(user),
        }
    }
    usable
}

/// Reads a list of words, or words separated by commas, in lower case.
fn words<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Words {
        List(Vec<String>),
        Text(String),
    }
    let words = match Words::deserialize(deserializer)? {
        Words::List(words) => words,
        Words::Text(text) => text.split(',').map(str::to_owned).collect(),
    };
    Ok(words.iter().map(|word| word.trim().to_ascii_lowercase()).filter(|word| !word.is_empty()).collect())
}

impl Rock {
    /// What this server is called: the name of the machine, if nothing else is set.
    #[must_use]
    pub fn id(&self) -> String {
        if self.id.is_empty() { rustix::system::uname().nodename().to_string_lossy().into_owned() } else { self.id.clone() }
    }

    /// Whether the settings make sense.
    pub(super) fn check(&self) -> Result<(), String> {
        for DeclaredUser { id, secret, roles } in &self.users {
            if let Some(role) = roles.iter().find(|role| !ROLES.contains(&role.as_str())) {
                return Err(format!("rock.users: {id}: {role:?} is none of the roles {}", ROLES.join(", ")));
            }
            ForeignHash::read(secret.expose()).map_err(|error| format!("rock.users: {id}: {error}"))?;
        }
        Ok(())
    }
}

/// The setting that a variable of Rock's container stands for.
pub(super) fn setting(variable: &str) -> Option<Vec<String>> {
    let (_, path) = VARIABLES.iter().find(|(name, _)| *name == variable)?;
    Some(path.iter().map(|&part| part.to_owned()).collect())
}

/// The accounts that variables of Rock's container ask for.
pub(super) fn users(variable: impl Fn(&str) -> Option<String>) -> Vec<DeclaredUser> {
    let user = |role: &&str| {
        let name = |what: &str| variable(&format!("ROCK_{}_{what}", role.to_ascii_uppercase())).filter(|value| !value.is_empty());
        let secret = name("PASSWORD").unwrap_or_else(|| PASSWORD.to_owned());
        Some(DeclaredUser { id: name("NAME")?, secret: secret.as_str().into(), roles: vec![(*role).to_owned()] })
    };
    ROLES.iter().filter_map(user).collect()
}
