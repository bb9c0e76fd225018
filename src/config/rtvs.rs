//! The settings of remote workspaces.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::{Listen, Secret, Tls, listen::CertificateSource};

/// Remote workspaces of R Tools for Visual Studio (RTVS). They have listeners of their own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Rtvs {
    /// Where to listen for remote workspaces, as in `listen`; clients expect port 5444. If the list is empty, there are none.
    pub listen: Vec<Listen>,
    /// The version of the broker that clients are told. All but development builds of a client want their own first two
    /// numbers: 1.3 is that of Visual Studio 2017.
    pub version: String,
    /// The group of the operating system whose members may connect; if empty, every account may.
    pub allowed_group: String,
    /// A password that lets everybody in, by any name, instead of accounts.
    pub secret: Secret,
    /// A file whose first line is that password.
    pub secret_file: PathBuf,
    /// Largest message, in MiB. A larger one ends its connection.
    pub message_mib: u64,
    /// Size of all blobs of a session together, in MiB.
    pub blobs_mib: u64,
    /// Seconds that a new session waits for its client to connect.
    pub connect_seconds: u64,
    /// Let clients connect to a new session without credentials, as those of Visual Studio 2017 and later do, if its
    /// identity has a random part that only the client knows, from the address that has begun the session.
    pub connect_by_id: bool,
    /// Let clients fetch a page that R has shown them (help, Shiny) without credentials, as all versions do, while they
    /// are connected, from the same address.
    pub pages_by_address: bool,
    /// The identity of R, which clients may ask for.
    pub interpreter: String,
    /// The name of R for people; if empty, R with its version.
    pub interpreter_name: String,
    /// A folder for a log file of each session; if empty, there are none.
    pub log_folder: PathBuf,
    /// Write what R prints into these files.
    pub log_output: bool,
    /// Write each message into these files, with its arguments. They may be anything that users keep secret.
    pub log_messages: bool,
    /// Stop the server if no client asks for `/ping` in so many milliseconds; 0 is never.
    pub ping_milliseconds: u64,
    /// The certificate of the addresses that begin with `https://`, with the same keys as `[tls]`; if none is set, it is
    /// that one.
    pub tls: Tls,
}

impl Default for Rtvs {
    fn default() -> Self {
        Self {
            listen: Vec::new(),
            version: "1.3.31103.1002".to_owned(),
            allowed_group: String::new(),
            secret: Secret::default(),
            secret_file: PathBuf::new(),
            message_mib: 1024,
            blobs_mib: 4096,
            connect_seconds: 120,
            connect_by_id: true,
            pages_by_address: true,
            interpreter: "0".to_owned(),
            interpreter_name: String::new(),
            log_folder: PathBuf::new(),
            log_output: false,
            log_messages: false,
            ping_milliseconds: 0,
            tls: Tls::default(),
        }
    }
}

impl Rtvs {
    /// Whether the settings make sense.
    pub(super) fn check(&self) -> Result<(), String> {
        let numbers: Vec<_> = self.version.split('.').collect();
        if !(2..=4).contains(&numbers.len()) || numbers.iter().any(|number| number.parse::<i32>().is_err()) {
            return Err(format!("rtvs.version: {:?} is not two to four numbers with dots, such as 1.3.0.0", self.version));
        }
        if self.message_mib == 0 {
            return Err("rtvs.message_mib: at least one is needed".to_owned());
        }
        if self.interpreter.is_empty() {
            return Err("rtvs.interpreter: it may not be empty".to_owned());
        }
        Ok(())
    }

    /// The certificate for these listeners: their own, or otherwise `shared`.
    ///
    /// # Errors
    /// A sentence that names the setting at fault.
    pub(super) fn certificate<'t>(&'t self, shared: &'t Tls) -> Result<&'t Tls, String> {
        let own: Option<CertificateSource<'_>> = self.tls.source().map_err(|error| format!("rtvs.{error}"))?;
        Ok(if own.is_some() { &self.tls } else { shared })
    }

    /// The password that lets everybody in, if there is one.
    ///
    /// # Errors
    /// A sentence that names the file that cannot be read, or has none.
    pub fn shared_secret(&self) -> Result<Option<Secret>, String> {
        if self.secret_file.as_os_str().is_empty() {
            return Ok(Some(self.secret.clone()).filter(|secret| !secret.expose().is_empty()));
        }
        let failed = |what: String| format!("rtvs.secret_file: {}: {what}", self.secret_file.display());
        let secret = Secret::first_line(&self.secret_file).map_err(|error| failed(error.to_string()))?;
        if secret.expose().is_empty() { Err(failed("its first line is empty".to_owned())) } else { Ok(Some(secret)) }
    }

    /// Files and folders that are nobody else's business.
    pub(super) fn private_places(&self) -> [&PathBuf; 4] {
        [&self.secret_file, &self.tls.key, &self.tls.pfx, &self.tls.pfx_password_file]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_numbers() {
        let check = |version: &str| Rtvs { version: version.to_owned(), ..Rtvs::default() }.check();
        for right in ["1.3", "1.3.31103.1002", "1.5.0"] {
            assert_eq!(check(right), Ok(()), "{right}");
        }
        for wrong in ["", "1", "1.x", "1.2.3.4.5", "1.3.", "1.99999999999"] {
            assert!(check(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_secret_is_a_value_or_the_line_of_a_file_and_never_empty() {
        assert_eq!(Rtvs::default().shared_secret(), Ok(None));
        assert_eq!(Rtvs { secret: "x".into(), ..Rtvs::default() }.shared_secret(), Ok(Some("x".into())));
        let file = tempfile::NamedTempFile::new().unwrap();
        let of_file = Rtvs { secret_file: file.path().to_owned(), secret: "x".into(), ..Rtvs::default() };
        assert!(of_file.shared_secret().unwrap_err().contains("is empty"));
        std::fs::write(file.path(), "y\ncomment").unwrap();
        assert_eq!(of_file.shared_secret(), Ok(Some("y".into())));
        drop(file);
        assert!(of_file.shared_secret().unwrap_err().starts_with("rtvs.secret_file: "));
    }
}
