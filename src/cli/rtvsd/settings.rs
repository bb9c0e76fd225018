//! The settings of the daemon: a file in JSON, and switches. Keys are of any case, and have their sections before them with a colon between:
//! `security:allowedGroup`. What the file says goes before what the switches say, as with the original.

use std::{
    collections::BTreeMap,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
};

use serde_json::Value;

use crate::{
    auth::permissions::role,
    config::{
        Config, Listen,
        auth::{SourceSettings, System},
        layers::truth,
    },
};

/// Where the packages have the file.
pub(super) const FILE: &str = "/etc/rtvs/rtvsd.config.json";
/// Where to listen if nothing says that.
const URLS: &str = "https://0.0.0.0:5444";
/// The service of PAM.
const SERVICE: &str = "rtvs";
/// The keys that mean something, without those of interpreters.
const KEYS: [&str; 17] = [
    "urls",
    "server.urls",
    "server:urls",
    "security:allowedgroup",
    "security:x509certificatefile",
    "security:x509certificatepassword",
    "security:x509certificatename",
    "security:secret",
    "logging:logfolder",
    "logging:loghostoutput",
    "logging:logpackets",
    "startup:name",
    "startup:isservice",
    "startup:writeserverurlstopipe",
    "lifetime:parentprocessid",
    "lifetime:pingtimeout",
    "r:autodetect",
];
/// The beginning of the keys of interpreters.
const INTERPRETERS: &str = "r:interpreters:";

/// Values by their keys in lower case.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Values(BTreeMap<String, String>);

/// What the values say beyond the settings of a server.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Beyond {
    /// The process with which the server ends.
    pub parent: Option<i32>,
    /// Who is told where the server listens.
    pub told: Option<String>,
    /// The keys that mean nothing.
    pub unknown: Vec<String>,
}

impl Values {
    /// Lays the values of a file over these.
    ///
    /// # Errors
    /// A sentence.
    pub(super) fn file(&mut self, path: &Path) -> Result<(), String> {
        let wrong = |what: String| format!("{}: {what}", path.display());
        let text = std::fs::read_to_string(path).map_err(|error| wrong(error.to_string()))?;
        self.json(&text).map_err(wrong)
    }

    fn json(&mut self, text: &str) -> Result<(), String> {
        let text = without_comments(text.strip_prefix('\u{feff}').unwrap_or(text));
        let value: Value = serde_json::from_str(&text).map_err(|error| error.to_string())?;
        if !value.is_object() {
            return Err("it is no object in JSON".to_owned());
        }
        self.flatten("", &value);
        Ok(())
    }

    fn flatten(&mut self, key: &str, value: &Value) {
        let below = |name: &str| if key.is_empty() { name.to_lowercase() } else { format!("{key}:{}", name.to_lowercase()) };
        match value {
            Value::Null => {}
            Value::Object(members) => members.iter().for_each(|(name, value)| self.flatten(&below(name), value)),
            Value::Array(items) => items.iter().enumerate().for_each(|(at, value)| self.flatten(&below(&at.to_string()), value)),
            Value::String(text) => self.set(key, text),
            other => self.set(key, &other.to_string()),
        }
    }

    /// Sets the value of a key.
    pub(super) fn set(&mut self, key: &str, value: &str) {
        self.0.insert(key.to_lowercase(), value.to_owned());
    }

    fn text(&self, key: &str) -> Option<&str> {
        self.0.get(key).map(String::as_str).filter(|text| !text.is_empty())
    }

    fn truth(&self, key: &str, otherwise: bool) -> Result<bool, String> {
        let Some(text) = self.text(key) else { return Ok(otherwise) };
        truth(text).ok_or_else(|| format!("{key}: {text:?} is neither true nor false"))
    }

    fn number<T: std::str::FromStr>(&self, key: &str) -> Result<Option<T>, String> {
        self.text(key).map(|text| text.trim().parse().map_err(|_| format!("{key}: {text:?} is not a whole number"))).transpose()
    }

    fn has_section(&self, name: &str) -> bool {
        self.0.keys().any(|key| key.split(':').next() == Some(name))
    }

    /// Lays the values over the settings of a server, which serves nothing else if it `is_alone`.
    ///
    /// # Errors
    /// A sentence that names the key at fault.
    pub(super) fn apply(&self, config: &mut Config, is_alone: bool) -> Result<Beyond, String> {
        let urls = ["urls", "server.urls", "server:urls"].into_iter().find_map(|key| self.text(key)).unwrap_or(URLS);
        if is_alone {
            config.listen.clear();
        }
        let settings = &mut config.rtvs;
        settings.listen = urls.split(';').map(str::trim).filter(|url| !url.is_empty()).map(listen).collect::<Result<_, _>>()?;
        if let Some(file) = self.text("security:x509certificatefile") {
            settings.tls.pfx = PathBuf::from(file);
            settings.tls.pfx_password = self.text("security:x509certificatepassword").unwrap_or_default().into();
        }
        if !settings.listen.iter().any(|listen| listen.https) {
            // The file may name one that is not needed there.
            settings.tls = crate::config::Tls::default();
        }
        if let Some(group) = self.0.get("security:allowedgroup") {
            settings.allowed_group.clone_from(group);
        }
        if let Some(secret) = self.text("security:secret") {
            settings.secret = secret.into();
        }
        settings.log_output = self.truth("logging:loghostoutput", settings.log_output)?;
        settings.log_messages = self.truth("logging:logpackets", settings.log_messages)?;
        if self.has_section("logging") && self.has_section("startup") {
            let folder = self.text("logging:logfolder").map_or_else(std::env::temp_dir, PathBuf::from);
            config.log.file = folder.join(log_file(self.text("startup:name").unwrap_or("RTVS")));
            settings.log_folder = folder;
        }
        settings.ping_milliseconds = self.number("lifetime:pingtimeout")?.unwrap_or(settings.ping_milliseconds);
        self.truth("startup:isservice", false)?;
        self.interpreter(config)?;
        if config.auth.source.is_empty() && config.rtvs.shared_secret()?.is_none() {
            config.auth.source.push(SourceSettings::System(System {
                service: SERVICE.to_owned(),
                default_roles: vec![role::POWER_USER.to_owned()],
                run_as_user: true,
                ..System::default()
            }));
        }
        let is_unknown = |key: &&String| !KEYS.contains(&key.as_str()) && !key.starts_with(INTERPRETERS);
        Ok(Beyond {
            parent: self.number("lifetime:parentprocessid")?,
            told: self.text("startup:writeserverurlstopipe").map(str::to_owned),
            unknown: self.0.keys().filter(is_unknown).cloned().collect(),
        })
    }

    /// Takes the first interpreter that is named, if R is not to be looked for. A server has one.
    fn interpreter(&self, config: &mut Config) -> Result<(), String> {
        let is_looked_for = self.truth("r:autodetect", true)?;
        let named = self.0.keys().find_map(|key| key.strip_prefix(INTERPRETERS)?.split_once(':').map(|(id, _)| id));
        let Some(id) = named else {
            return if is_looked_for { Ok(()) } else { Err("r:autoDetect: without it, r:interpreters has to name an R".to_owned()) };
        };
        let of = |key: &str| self.text(&format!("{INTERPRETERS}{id}:{key}"));
        let Some(path) = of("basepath") else { return Err(format!("{INTERPRETERS}{id}: it has no basePath")) };
        if is_looked_for && Path::new(path) != config.r.home {
            tracing::warn!(interpreter = id, path, "this R is not served, as another was found: set r:autoDetect to false");
            return Ok(());
        }
        config.r.home = PathBuf::from(path);
        id.clone_into(&mut config.rtvs.interpreter);
        if let Some(name) = of("name") {
            name.clone_into(&mut config.rtvs.interpreter_name);
        }
        Ok(())
    }
}

/// Where a URL says to listen. Connections from other machines are encrypted whatever it says.
fn listen(url: &str) -> Result<Listen, String> {
    let wrong = || format!("urls: {url:?} is not an address such as {URLS}");
    let (scheme, rest) = url.split_once("://").ok_or_else(wrong)?;
    let is_https = match scheme.to_ascii_lowercase().as_str() {
        "https" => true,
        "http" => false,
        _ => return Err(wrong()),
    };
    let rest = rest.split('/').next().unwrap_or_default();
    let (host, port) = match rest.rsplit_once(':').filter(|(_, port)| !port.ends_with(']')) {
        Some((host, port)) => (host, port.parse().map_err(|_| wrong())?),
        None => (rest, if is_https { 443 } else { 80 }),
    };
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let address: IpAddr = match host {
        "" => return Err(wrong()),
        host if host.eq_ignore_ascii_case("localhost") => Ipv4Addr::LOCALHOST.into(),
        // As with the original, other names are those of this machine.
        host => host.parse().unwrap_or(Ipv4Addr::UNSPECIFIED.into()),
    };
    Ok(Listen { address: SocketAddr::new(address, port), https: is_https || !address.is_loopback() })
}

/// The name of the log file of a server that starts now.
fn log_file(name: &str) -> String {
    let plain = |letter: char| if letter.is_ascii_alphanumeric() || "-_.".contains(letter) { letter } else { '_' };
    let name: String = name.chars().map(plain).collect();
    // The month has no zero before it.
    format!("Microsoft.R.Host.Broker_{name}_{}_pid{}.log", jiff::Zoned::now().strftime("%Y%-m%d_%H%M%S"), std::process::id())
}

/// JSON without what the original takes for comments.
fn without_comments(text: &str) -> String {
    let (mut kept, mut rest, mut is_in_text) = (String::with_capacity(text.len()), text.chars().peekable(), false);
    while let Some(letter) = rest.next() {
        match (letter, rest.peek()) {
            ('\\', Some(_)) if is_in_text => {
                kept.push(letter);
                kept.extend(rest.next());
                continue;
            }
            ('"', _) => is_in_text = !is_in_text,
            ('/', Some('/')) if !is_in_text => {
                rest.by_ref().take_while(|&letter| letter != '\n').for_each(drop);
                kept.push('\n');
                continue;
            }
            ('/', Some('*')) if !is_in_text => {
                rest.next();
                let mut before = ' ';
                rest.by_ref().take_while(|&letter| !(std::mem::replace(&mut before, letter) == '*' && letter == '/')).for_each(drop);
                kept.push(' ');
                continue;
            }
            _ => {}
        }
        kept.push(letter);
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The file that packages of the original have.
    const PACKAGED: &str = r#"{
        // where
        "urls": "https://0.0.0.0:5444",
        "security": {
            "allowedGroup": "",
            "X509CertificateFile": "/etc/rtvs/ssl-cert-snakeoil.pfx", /* made at
            the installation */
            "X509CertificatePassword": "Snake//Oil"
        },
        "startup": { "name": "rtvsd" },
        "logging": { "logFolder": "/tmp", "logHostOutput": true, "logPackets": false },
        "Other": { "Thing": [1, null] }
    }"#;

    fn applied(text: &str) -> Result<(Config, Beyond), String> {
        let (mut values, mut config) = (Values::default(), Config::default());
        values.json(text)?;
        let beyond = values.apply(&mut config, true)?;
        Ok((config, beyond))
    }

    #[test]
    fn the_file_of_the_packages_is_understood() {
        let (config, beyond) = applied(PACKAGED).unwrap();
        assert_eq!((config.listen.len(), config.rtvs.listen[0].to_string().as_str()), (0, "https://0.0.0.0:5444"));
        assert_eq!(config.rtvs.tls.pfx, Path::new("/etc/rtvs/ssl-cert-snakeoil.pfx"));
        assert_eq!(config.rtvs.tls.pfx_password.expose(), "Snake//Oil");
        assert_eq!((config.rtvs.allowed_group.as_str(), config.rtvs.log_output, config.rtvs.log_messages), ("", true, false));
        assert_eq!(config.rtvs.log_folder, Path::new("/tmp"));
        let file = config.log.file.to_str().unwrap();
        assert!(file.starts_with("/tmp/Microsoft.R.Host.Broker_rtvsd_2") && file.ends_with(&format!("_pid{}.log", std::process::id())));
        let [SourceSettings::System(system)] = config.auth.source.as_slice() else { panic!("{:?}", config.auth) };
        assert_eq!(
            (system.service.as_str(), system.run_as_user, system.default_roles.as_slice()),
            ("rtvs", true, &["POWER_USER".to_owned()][..])
        );
        assert_eq!(beyond, Beyond { unknown: vec!["other:thing:0".to_owned()], ..Beyond::default() });
    }

    #[test]
    fn keys_are_of_any_case_and_each_means_something() {
        let (config, beyond) = applied(
            r#"{ "SERVER.URLS": "http://localhost:5118", "Security": { "SECRET": "x", "allowedgroup": "users", "x509CertificateFile": "unused" },
                 "lifetime": { "ParentProcessID": 7, "pingTimeout": "1500" }, "startup": { "writeServerUrlsToPipe": "p", "isService": "true" },
                 "r": { "autoDetect": false, "interpreters": { "Mine": { "name": "My R", "basePath": "/opt/R" } } } }"#,
        )
        .unwrap();
        assert_eq!(config.rtvs.listen[0], "http://127.0.0.1:5118".parse().unwrap());
        assert_eq!((config.rtvs.secret.expose(), config.rtvs.allowed_group.as_str(), config.rtvs.ping_milliseconds), ("x", "users", 1500));
        assert_eq!(
            (config.rtvs.interpreter.as_str(), config.rtvs.interpreter_name.as_str(), config.r.home.as_path()),
            ("mine", "My R", Path::new("/opt/R"))
        );
        // There is no need of accounts, of a certificate, and of a log file without the section.
        assert_eq!((config.auth.source.len(), config.rtvs.tls.source(), config.log.file.as_os_str().is_empty()), (0, Ok(None), true));
        assert_eq!(beyond, Beyond { parent: Some(7), told: Some("p".to_owned()), unknown: Vec::new() });
    }

    #[test]
    fn the_file_goes_before_the_switches() {
        let mut values = Values::default();
        values.set("Startup:Name", "of the switch");
        values.set("urls", "https://*:1");
        values.json(r#"{ "startup": { "name": "of the file" } }"#).unwrap();
        assert_eq!((values.text("startup:name"), values.text("urls")), (Some("of the file"), Some("https://*:1")));
    }

    #[test]
    fn other_machines_are_served_by_https_only() {
        for (url, expected) in [
            ("https://0.0.0.0:5444", "https://0.0.0.0:5444"),
            ("http://0.0.0.0:5444/", "https://0.0.0.0:5444"),
            ("http://*:5444", "https://0.0.0.0:5444"),
            ("https://+", "https://0.0.0.0:443"),
            ("http://[::]:5444", "https://[::]:5444"),
            ("http://127.0.0.1:5118", "127.0.0.1:5118"),
            ("HTTP://LocalHost:5118", "127.0.0.1:5118"),
            ("http://[::1]", "[::1]:80"),
            ("https://localhost:5118", "https://127.0.0.1:5118"),
            ("https://r.example.org:5444", "https://0.0.0.0:5444"),
        ] {
            assert_eq!(listen(url).map(|listen| listen.to_string()).as_deref(), Ok(expected), "{url}");
        }
        for wrong in ["", "0.0.0.0:5444", "ftp://x:1", "https://:1", "https://x:99999", "https://x:y"] {
            assert!(listen(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (text, why) in [
            ("", "EOF"),
            ("[]", "no object"),
            (r#"{"urls":"nowhere"}"#, "urls: \"nowhere\""),
            (r#"{"logging":{"logPackets":"maybe"}}"#, "logging:logpackets: \"maybe\" is neither"),
            (r#"{"lifetime":{"pingTimeout":"soon"}}"#, "lifetime:pingtimeout: \"soon\" is not a whole number"),
            (r#"{"r":{"autoDetect":false}}"#, "has to name an R"),
            (r#"{"r":{"interpreters":[{"name":"x"}]}}"#, "has no basePath"),
        ] {
            let error = applied(text).unwrap_err();
            assert!(error.contains(why), "{text}: {error}");
        }
    }
}
