//! Settings from several sources, each laid over the ones before. Each is checked against the defaults at once, so that a
//! wrong key or value is reported with the source that it comes from.

use std::{ffi::OsString, path::Path};

use toml::{Table, Value};

use super::{Config, rock};

/// Environment variables that begin like settings but are none.
const NOT_SETTINGS: [&str; 4] = ["OFFSHOOT_ADMIN_PASSWORD", "OFFSHOOT_CONFIG", "OFFSHOOT_SESSION_FOLDER", "OFFSHOOT_LOG"];

/// Beginnings of variables that an orchestrator sets when a service is called `offshoot`; they say where to find it.
const SERVICE: [&str; 2] = ["OFFSHOOT_PORT", "OFFSHOOT_SERVICE_"];

/// Settings being put together.
#[derive(Debug)]
pub struct Layers {
    defaults: Table,
    settings: Table,
    /// Accounts from the environment. They are kept apart, as a secret is never written into a table.
    users: Vec<rock::DeclaredUser>,
}

impl Default for Layers {
    fn default() -> Self {
        let defaults = Table::try_from(Config::default()).unwrap_or_default();
        Self { settings: defaults.clone(), defaults, users: Vec::new() }
    }
}

impl Layers {
    /// Lays a TOML file over what is there.
    ///
    /// # Errors
    /// A sentence with the file, the key and what is wrong with it.
    pub fn file(&mut self, path: &Path) -> Result<(), String> {
        let text = std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
        let table: Table = text.parse().map_err(|error| format!("{}: {error}", path.display()))?;
        merge(&mut self.settings, &self.defaults, table, "").map_err(|what| format!("{}: {what}", path.display()))
    }

    /// Lays environment variables over what is there.
    ///
    /// # Errors
    /// A sentence with the variable and what is wrong with it.
    pub fn environment(&mut self, variables: impl Iterator<Item = (OsString, OsString)>) -> Result<(), String> {
        let (own, others): (Vec<_>, Vec<_>) = variables.partition(|(name, _)| name.to_string_lossy().starts_with("OFFSHOOT_"));
        self.environment_of_rock(&others)?;
        for (name, value) in own {
            let Some(name) = name.to_str() else { continue };
            if NOT_SETTINGS.contains(&name) || SERVICE.iter().any(|beginning| name.starts_with(beginning)) {
                continue;
            }
            let value = value.to_str().ok_or_else(|| format!("{name}: not UTF-8"))?;
            let path = self.path_of(name).ok_or_else(|| format!("{name}: there is no such setting"))?;
            self.set(&path, value).map_err(|what| format!("{name}: {what}"))?;
        }
        Ok(())
    }

    /// Takes the variables of Rock's container. Those that mean nothing here are ignored.
    fn environment_of_rock(&mut self, variables: &[(OsString, OsString)]) -> Result<(), String> {
        let text =
            |wanted: &str| variables.iter().find(|(name, _)| name == wanted).and_then(|(_, value)| value.to_str()).map(str::to_owned);
        for (name, value) in variables {
            if let (Some(path), Some(value)) = (name.to_str().and_then(rock::setting), value.to_str().filter(|value| !value.is_empty())) {
                self.set(&path, value).map_err(|what| format!("{}: {what}", name.display()))?;
            }
        }
        for user in rock::users(text) {
            self.users.push(user);
        }
        Ok(())
    }

    /// Sets one key, such as `sessions.pool`, from text.
    ///
    /// # Errors
    /// What is wrong with the value.
    pub fn set(&mut self, path: &[String], text: &str) -> Result<(), String> {
        let default = lookup(&self.defaults, path).ok_or("there is no such setting")?;
        let value = parse(default, text)?;
        let (last, sections) = path.split_last().ok_or("no key")?;
        let mut table = &mut self.settings;
        for section in sections {
            table = table.get_mut(section).and_then(Value::as_table_mut).ok_or("there is no such section")?;
        }
        table.insert(last.clone(), value);
        Ok(())
    }

    /// The settings in force.
    ///
    /// # Errors
    /// A sentence that names the key at fault.
    pub fn finish(self) -> Result<Config, String> {
        let mut config: Config = self.settings.try_into().map_err(|error: toml::de::Error| {
            let text = error.to_string();
            text.trim().replace('\n', " ")
        })?;
        config.rock.users.extend(self.users);
        config.rock.users = rock::usable(config.rock.users);
        config.check()?;
        Ok(config)
    }

    /// `OFFSHOOT_SESSIONS_IDLE_SECONDS` is `sessions.idle_seconds`.
    fn path_of(&self, variable: &str) -> Option<Vec<String>> {
        let name = variable.strip_prefix("OFFSHOOT_")?.to_ascii_lowercase();
        if self.defaults.get(&name).is_some_and(|value| !value.is_table()) {
            return Some(vec![name]);
        }
        self.defaults.iter().find_map(|(section, value)| {
            let key = name.strip_prefix(section)?.strip_prefix('_')?;
            value.as_table()?.contains_key(key).then(|| vec![section.clone(), key.to_owned()])
        })
    }
}

fn lookup<'t>(table: &'t Table, path: &[String]) -> Option<&'t Value> {
    let (first, rest) = path.split_first()?;
    let value = table.get(first)?;
    if rest.is_empty() { Some(value) } else { lookup(value.as_table()?, rest) }
}

/// Reads `text` as a value of the default's type. Items of lists are separated by commas.
fn parse(default: &Value, text: &str) -> Result<Value, String> {
    match default {
        Value::Integer(_) => text.parse().map(Value::Integer).map_err(|_| format!("{text:?} is not a whole number")),
        Value::Boolean(_) => truth(text).map(Value::Boolean).ok_or_else(|| format!("{text:?} is neither true nor false")),
        Value::Array(_) => {
            let items = text.split(',').map(str::trim).filter(|item| !item.is_empty());
            Ok(Value::Array(items.map(|item| Value::String(item.to_owned())).collect()))
        }
        Value::Table(_) => Err("can be set in the configuration file only".to_owned()),
        _ => Ok(Value::String(text.to_owned())),
    }
}

/// Whether a text means true, in any of the usual words.
#[must_use]
pub fn truth(text: &str) -> Option<bool> {
    match text.trim().to_ascii_lowercase().as_str() {
        "true" | "on" | "yes" | "1" => Some(true),
        "false" | "off" | "no" | "0" => Some(false),
        _ => None,
    }
}

/// Lays `above` over `below`. A table that is empty by default takes any keys.
fn merge(below: &mut Table, defaults: &Table, above: Table, path: &str) -> Result<(), String> {
    for (key, value) in above {
        let name = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
        let Some(default) = defaults.get(&key) else {
            return Err(format!("{name}: there is no such setting"));
        };
        match (default, value) {
            (Value::Table(defaults), Value::Table(above)) if !defaults.is_empty() => {
                if let Some(Value::Table(below)) = below.get_mut(&key) {
                    merge(below, defaults, above, &name)?;
                }
            }
            (default, value) if default.same_type(&value) => {
                below.insert(key, value);
            }
            (default, value) => return Err(format!("{name}: expected {}, found {}", kind(default), kind(&value))),
        }
    }
    Ok(())
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Integer(_) => "a whole number",
        Value::Boolean(_) => "true or false",
        Value::Array(_) => "a list",
        Value::Table(_) => "a section",
        Value::String(_) => "a text",
        Value::Float(_) => "a fraction",
        Value::Datetime(_) => "a date",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_file(text: &str) -> Result<Config, String> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        let mut layers = Layers::default();
        layers.file(file.path()).map_err(|error| error.replace(&format!("{}: ", file.path().display()), ""))?;
        layers.finish()
    }

    fn with_variable(name: &str, value: &str) -> Result<Config, String> {
        let mut layers = Layers::default();
        layers.environment([(name.into(), value.into())].into_iter())?;
        layers.finish()
    }

    #[test]
    fn the_defaults_stand_by_themselves() {
        assert_eq!(Layers::default().finish().unwrap(), Config::default());
        assert_eq!(with_file(&Config::default().printed()).unwrap(), Config::default());
    }

    #[test]
    fn files_and_variables_override_and_wrong_ones_are_named() {
        let config = with_file("listen = ['127.0.0.1:0']\n[sessions]\npool = 7\n[r.environment]\nA = 'b'").unwrap();
        assert_eq!((config.sessions.pool, config.listen[0].address.port(), config.r.environment["A"].as_str()), (7, 0, "b"));
        assert_eq!(with_variable("OFFSHOOT_SESSIONS_IDLE_SECONDS", "5").unwrap().sessions.idle_seconds, 5);
        assert_eq!(with_variable("OFFSHOOT_R_PRELOAD", "lattice, Matrix").unwrap().r.preload, ["lattice", "Matrix"]);
        assert_eq!(with_variable("OFFSHOOT_DATA", "/x").unwrap().data, Path::new("/x"));
        for (text, expected) in [
            ("[sessions]\npol = 7", "sessions.pol: there is no such setting"),
            ("[sessions]\npool = 'x'", "sessions.pool: expected a whole number, found a text"),
            ("pool = 1", "pool: there is no such setting"),
        ] {
            assert_eq!(with_file(text).unwrap_err(), expected);
        }
        assert_eq!(with_variable("OFFSHOOT_SESSIONS_POL", "1").unwrap_err(), "OFFSHOOT_SESSIONS_POL: there is no such setting");
        assert_eq!(with_variable("OFFSHOOT_SESSIONS_POOL", "x").unwrap_err(), "OFFSHOOT_SESSIONS_POOL: \"x\" is not a whole number");
        // Variables that an orchestrator sets for a service called `offshoot`.
        for name in ["OFFSHOOT_PORT", "OFFSHOOT_PORT_8050_TCP_ADDR", "OFFSHOOT_SERVICE_HOST"] {
            assert_eq!(with_variable(name, "tcp://10.0.0.1:8050").unwrap(), Config::default(), "{name}");
        }
        assert!(with_file("[sessions]\npool = -1").unwrap_err().contains("pool"));
        assert!(with_file("listen = ['nowhere']").unwrap_err().contains("listen"));
        assert!(with_variable("OFFSHOOT_R_LOCALE", "de_DE").unwrap_err().starts_with("r.locale"));
    }

    #[test]
    fn accounts_and_settings_of_rock_are_understood() {
        let config = with_file("[[rock.users]]\nid = 'ada'\nsecret = 'lovelace'\nroles = 'Administrator, user'").unwrap();
        assert_eq!(config.rock.users[0].roles, ["administrator", "user"]);
        assert!(!config.printed().contains("lovelace") && !format!("{config:?}").contains("lovelace"));
        for (text, expected) in [
            ("roles = ['king']", "rock.users: ada: \"king\" is none of the roles administrator, manager, user"),
            ("roles = []\nadmin = true", "unknown field `admin`"),
        ] {
            assert!(with_file(&format!("[[rock.users]]\nid = 'ada'\nsecret = 'x'\n{text}")).unwrap_err().contains(expected));
        }
        for (secret, expected) in [("{MD5}x", "{MD5} cannot be checked"), ("{pbkdf2}x", "what follows {pbkdf2} is no such hash")] {
            assert!(with_file(&format!("[[rock.users]]\nid = 'ada'\nsecret = '{secret}'")).unwrap_err().contains(expected));
        }
        for text in ["id = 'ada'\nsecret = ' '", "id = ''\nsecret = 'x'"] {
            assert_eq!(with_file(&format!("[[rock.users]]\n{text}")).unwrap().rock.users, []);
        }
        let mut layers = Layers::default();
        let variables = [
            ("ROCK_ADMINISTRATOR_NAME", "root"),
            ("ROCK_ADMINISTRATOR_PASSWORD", "secret"),
            ("ROCK_USER_NAME", "ada"),
            ("ROCK_CLUSTER", "dev"),
            ("ROCK_TAGS", "a,b"),
            ("ROCK_SECURITY_ENABLED", "true"),
            ("ROCK_CONSUL_SERVER", "ignored"),
            ("OFFSHOOT_ROCK_CLUSTER", "prod"),
        ];
        layers.environment(variables.into_iter().map(|(name, value)| (name.into(), value.into()))).unwrap();
        let rock = layers.finish().unwrap().rock;
        assert_eq!((rock.cluster.as_str(), rock.tags.as_slice()), ("prod", &["a".to_owned(), "b".to_owned()][..]));
        let users: Vec<_> = rock.users.iter().map(|user| (user.id.as_str(), user.secret.expose(), user.roles.join(","))).collect();
        assert_eq!(users, [("root", "secret", "administrator".to_owned()), ("ada", "password", "user".to_owned())]);
    }
}
