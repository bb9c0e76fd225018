//! Settings: one struct per concern, with its defaults; read once, at the start.
//!
//! Later sources override earlier ones: defaults, the TOML file, the environment (`OFFSHOOT_SESSIONS_POOL` is
//! `pool` in `[sessions]`), the command line. [`layers`] puts them together and knows which source to blame.

pub mod auth;
pub mod host;
pub mod issuer;
pub mod layers;
pub mod ldap;
pub mod listen;
pub mod log_level;
pub mod mlserver;
pub mod rock;
pub mod rtvs;
mod secret;
pub mod services;
mod snapshots;

use std::{net::SocketAddr, path::PathBuf};

pub use auth::Auth;
pub use listen::{Listen, Tls};
use serde::{Deserialize, Serialize};

pub use mlserver::MlServer;
pub use rock::Rock;
pub use rtvs::Rtvs;
pub use secret::Secret;
pub use services::Services;
pub use snapshots::Snapshots;

/// Everything that can be set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Where to listen: `ADDRESS:PORT` for HTTP, `https://ADDRESS:PORT` for HTTPS. Port 0 takes any free port.
    pub listen: Vec<Listen>,
    /// The folder of the store, of files and of running sessions.
    pub data: PathBuf,
    /// HTTP in general.
    pub http: Http,
    /// The certificate of the addresses in `listen` that begin with `https://`. Read again on SIGHUP.
    pub tls: Tls,
    /// R itself.
    pub r: RSettings,
    /// R sessions and their limits.
    pub sessions: SessionSettings,
    /// Snapshots of sessions, which their owners keep until they remove them. 0 is no limit.
    pub snapshots: Snapshots,
    /// Who may use the server. docs/authentication.md has examples.
    pub auth: Auth,
    /// The RevoDeployR API.
    pub revodeployr: RevoDeployR,
    /// OBiBa Rock's API.
    pub rock: Rock,
    /// Microsoft R Server's API.
    pub mlserver: MlServer,
    /// Remote workspaces of R Tools for Visual Studio (RTVS). They have listeners of their own.
    pub rtvs: Rtvs,
    /// Web services.
    pub services: Services,
    /// Logging.
    pub log: Log,
    /// Measurements, for Prometheus.
    pub metrics: Metrics,
    /// The file that settings were read from; empty if there is none.
    #[serde(skip)]
    pub file: PathBuf,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: vec![Listen { address: SocketAddr::from(([127, 0, 0, 1], 8050)), https: false }],
            data: PathBuf::from("offshoot-data"),
            http: Http::default(),
            tls: Tls::default(),
            r: RSettings::default(),
            sessions: SessionSettings::default(),
            snapshots: Snapshots::default(),
            auth: Auth::default(),
            revodeployr: RevoDeployR::default(),
            rock: Rock::default(),
            mlserver: MlServer::default(),
            rtvs: Rtvs::default(),
            services: Services::default(),
            log: Log::default(),
            metrics: Metrics::default(),
            file: PathBuf::new(),
        }
    }
}

/// HTTP in general.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Http {
    /// Largest body of a form, in MiB; more is answered with 413.
    pub form_mib: u64,
    /// Largest body of a form from a caller who has not logged in, in KiB: of a login itself, and of scripts that are open
    /// to all.
    pub anonymous_form_kib: u64,
    /// How many parameters a query and a form may have together; more are answered with 400.
    pub form_fields: usize,
    /// Seconds that a client may take to send the head of a request. An idle connection is closed after the same time.
    pub head_seconds: u64,
    /// Seconds that a client may take to send a form.
    pub form_seconds: u64,
    /// Seconds for which a client may stop reading an answer before the connection is closed.
    pub stall_seconds: u64,
    /// How many connections there may be at the same time; further ones wait. Each takes a file descriptor.
    pub connections: usize,
    /// Answers of this size and more are compressed, in KiB, if they are text and the client asks for it; 0 is never.
    pub compress_kib: u64,
    /// Addresses and networks of proxies whose `X-Forwarded-For`, `-Proto` and `-Host` are believed.
    pub trusted_proxies: Vec<String>,
    /// Origins, such as `https://app.example.org`, whose pages may use the API from a browser, with cookies. If a page of
    /// any other site asks for a change (POST, PUT, DELETE, PATCH), it is refused. `*` means any origin, but then changes
    /// that come with a cookie or a password are refused: name the origins that may make them.
    pub cors_origins: Vec<String>,
    /// The names that clients call this server by, such as `r.example.org` (at any port) or `r.example.org:8443`. Requests
    /// with another `Host` are refused. If the list is empty, only loopback addresses are protected in this way: there,
    /// `Host` has to be `localhost` or a loopback address. Monitors may ask `/_check`, `/_ready` and `/metrics` by any IP
    /// address. If a trusted proxy forwards a host, that one counts.
    pub hosts: Vec<String>,
}

impl Default for Http {
    fn default() -> Self {
        Self {
            form_mib: 64,
            anonymous_form_kib: 64,
            form_fields: 1000,
            head_seconds: 60,
            form_seconds: 300,
            stall_seconds: 60,
            connections: 10_000,
            compress_kib: 64,
            trusted_proxies: Vec::new(),
            cors_origins: Vec::new(),
            hosts: Vec::new(),
        }
    }
}

/// R itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RSettings {
    /// R's home directory; unless set, the one that was found when Offshoot was built.
    pub home: PathBuf,
    /// The program `offshoot-worker`; if empty, the one beside `offshoot`.
    pub worker: PathBuf,
    /// Packages that are loaded before sessions are forked, so that every session has them at once.
    pub preload: Vec<String>,
    /// Folders to look for packages in, before R's own.
    pub libraries: Vec<PathBuf>,
    /// Where packages are installed from.
    pub repositories: Vec<String>,
    /// Seconds that the installation of packages may take; 0 is no limit.
    pub install_seconds: u64,
    /// The locale of the sessions; it has to be a UTF-8 locale.
    pub locale: String,
    /// Environment variables for the sessions, which do not inherit those of the server.
    pub environment: std::collections::BTreeMap<String, String>,
    /// Namespaces of R code for clients of interactive sessions. They are no setting, but what the server is made of.
    #[serde(skip)]
    pub namespaces: Vec<RNamespace>,
}

/// A namespace of R code.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RNamespace {
    /// Its name.
    pub name: &'static str,
    /// Its version, as R has them: "1.0".
    pub version: &'static str,
    /// The code.
    pub code: String,
}

impl Default for RSettings {
    fn default() -> Self {
        Self {
            home: PathBuf::from(env!("BUILT_FOR_R_HOME")),
            worker: PathBuf::new(),
            preload: Vec::new(),
            libraries: Vec::new(),
            repositories: vec!["https://cloud.r-project.org".to_owned(), "https://cran.obiba.org".to_owned()],
            install_seconds: 3600,
            locale: "C.UTF-8".to_owned(),
            environment: std::collections::BTreeMap::new(),
            namespaces: Vec::new(),
        }
    }
}

/// R sessions and their limits. 0 is no limit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SessionSettings {
    /// How many workers are kept ready, so that opening a session does not wait for a fork.
    pub pool: usize,
    /// How many sessions there may be in all.
    pub max: usize,
    /// How many sessions one user may have.
    pub max_per_user: usize,
    /// Seconds after which a session that nobody uses is closed. A busy one never is.
    pub idle_seconds: u64,
    /// Seconds that one operation may take.
    pub operation_seconds: u64,
    /// Seconds of processor time that one operation may use.
    pub cpu_seconds: u64,
    /// Seconds that R has to stop after an interrupt, before it is killed.
    pub grace_seconds: u64,
    /// Memory in MiB that each process of a session may allocate, and that all processes of a session may have together,
    /// shared memory included. The kernel enforces the sum if the server has a control group of its own; otherwise a
    /// session that has more is ended within a second or two.
    pub memory_mib: u64,
    /// Largest file that a session may write, in MiB.
    pub file_size_mib: u64,
    /// Size of all files of a session together, in MiB; each file counts as 4 KiB at least. A session that has more is
    /// ended within a second or two. Files that the sessions of one login have published may take the same size in addition.
    pub disk_mib: u64,
    /// How many processes a session may have, if each session has a user id of its own (see `users`); otherwise how many all
    /// sessions may have together.
    pub processes: u64,
    /// How much console text of one operation is kept, in KiB. Of a longer text, the beginning and the end are kept.
    pub console_kib: u64,
    /// How many operations may wait for the one that a session is running.
    pub queue: usize,
    /// Memory for asynchronous commands of a session, in MiB: their scripts, and their results until these are fetched.
    /// Answers that nobody has read yet may take this size and `memory_mib` in addition.
    pub results_mib: u64,
    /// The same for all sessions of a user together.
    pub results_per_user_mib: u64,
    /// User ids for sessions, as "FIRST-LAST": each session has its own, so that sessions cannot see each other's files and
    /// processes. The server has to run as root, other users have to be able to pass through the data folder, and no
    /// account of the machine may have an id in the range. "auto" is 50000-59999 if the first two conditions hold; with
    /// "", sessions run as the server's user.
    pub users: String,
    /// The walls around sessions: "auto" is all that the system gives, "require" refuses to start if one is missing that
    /// docs/security.md promises, "off" is none but user ids and limits.
    pub sandbox: SandboxMode,
    /// The network that sessions have, unless their boundary gives them another: "full" is that of the machine, "outbound" is
    /// connections by TCP to other machines only, not to the machine's own addresses and those of the link, "none" is no
    /// network at all.
    pub network: NetworkMode,
    /// Files and folders that sessions may read besides R, its packages and what everybody may read of the system.
    pub readable: Vec<PathBuf>,
    /// Files, folders and devices that they may change besides their own folders.
    pub writable: Vec<PathBuf>,
}

/// See [`SessionSettings::sandbox`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "the setting's text says what they are")]
pub enum SandboxMode {
    #[default]
    Auto,
    Require,
    Off,
}

/// See [`SessionSettings::network`]. Boundaries in the store have it as well.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize, sqlx::Type, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
#[sqlx(rename_all = "lowercase")]
#[expect(missing_docs, reason = "the setting's text says what they are")]
pub enum NetworkMode {
    #[default]
    Full,
    Outbound,
    None,
}

impl Default for SessionSettings {
    fn default() -> Self {
        Self {
            pool: 4,
            max: 1000,
            max_per_user: 500,
            idle_seconds: 1800,
            operation_seconds: 3600,
            cpu_seconds: 3600,
            grace_seconds: 5,
            memory_mib: 4096,
            file_size_mib: 2048,
            disk_mib: 8192,
            processes: 128,
            console_kib: 1024,
            queue: 100,
            results_mib: 256,
            results_per_user_mib: 1024,
            users: "auto".to_owned(),
            sandbox: SandboxMode::Auto,
            network: NetworkMode::Full,
            readable: Vec::new(),
            writable: Vec::new(),
        }
    }
}

impl SessionSettings {
    /// The range of user ids for sessions; `None` if they have none.
    ///
    /// # Errors
    /// A sentence that names the setting.
    pub fn user_range(&self) -> Result<Option<std::ops::RangeInclusive<u32>>, String> {
        let range = match self.users.as_str() {
            "" => return Ok(None),
            "auto" => return Ok(Some(50_000..=59_999)),
            range => range,
        };
        let number = |text: &str| text.trim().parse::<u32>().ok().filter(|&id| id > 0);
        let ids = range.split_once('-').and_then(|(first, last)| Some(number(first)?..=number(last)?));
        ids.filter(|ids| !ids.is_empty()).map(Some).ok_or_else(|| format!("sessions.users: {range:?} is not FIRST-LAST, user ids above 0"))
    }
}

/// The RevoDeployR API.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RevoDeployR {
    /// The path that the API is below: `/deployr/r/...`. It is at the root (`/r/...`) as well.
    pub context: String,
    /// The server's address in the URLs of files, such as `https://r.example.org`; if empty, the address that the client
    /// used.
    pub web_context: String,
    /// Seconds after which a login that nobody uses ends.
    pub login_seconds: u64,
    /// Accept passwords in plain text, and not only their SHA-1 digests, which is what clients of 2010 send.
    pub plain_passwords: bool,
    /// Print visible values of executed code, as R's prompt does.
    pub autoprint: bool,
    /// The attribute `SameSite` of the login cookie, which says when a browser sends it with requests from other sites:
    /// "strict" is never, "lax" only when somebody follows a link, "none" always, which needs HTTPS. "auto" is "none" by
    /// HTTPS if `http.cors_origins` names origins, and otherwise "lax".
    pub cookie_same_site: SameSite,
}

/// See [`RevoDeployR::cookie_same_site`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "the setting's text says what they are")]
pub enum SameSite {
    #[default]
    Auto,
    Lax,
    Strict,
    None,
}

impl Default for RevoDeployR {
    fn default() -> Self {
        Self {
            context: "/deployr".to_owned(),
            web_context: String::new(),
            login_seconds: 1800,
            plain_passwords: true,
            autoprint: false,
            cookie_same_site: SameSite::Auto,
        }
    }
}

/// Logging.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Log {
    /// What is logged, in the notation of `tracing_subscriber::EnvFilter`: "info", "offshoot=debug",
    /// "info,offshoot::requests=warn". The policy `log-level` changes it while the server runs. Entries of the audit log are
    /// logged at any level.
    pub level: String,
    /// "text" for people, "json" for programs, "auto" for text on a terminal and JSON otherwise.
    pub format: LogFormat,
    /// A file that the log is written to in addition, for people; empty for none. Opened again on SIGHUP.
    pub file: PathBuf,
    /// A file that entries of the audit log are written to in addition; empty for none. Opened again on SIGHUP.
    pub audit: PathBuf,
}

/// See [`Log::format`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "the setting's text says what they are")]
pub enum LogFormat {
    #[default]
    Auto,
    Text,
    Json,
}

impl Default for Log {
    fn default() -> Self {
        Self { level: "info".to_owned(), format: LogFormat::Auto, file: PathBuf::new(), audit: PathBuf::new() }
    }
}

/// Measurements, for Prometheus.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Metrics {
    /// Addresses at which `/metrics`, `/_check` and `/_ready` are served by HTTP to everybody. At the addresses of `listen`,
    /// `/metrics` asks for the name and password of an administrator.
    pub listen: Vec<SocketAddr>,
}

impl Config {
    /// Whether the settings make sense together.
    ///
    /// # Errors
    /// A sentence that names the setting at fault.
    pub fn check(&self) -> Result<(), String> {
        if self.listen.is_empty() && self.rtvs.listen.is_empty() {
            return Err("listen: at least one address is needed".to_owned());
        }
        let context = &self.revodeployr.context;
        if !context.is_empty() && (!context.starts_with('/') || context.ends_with('/')) {
            return Err(format!("revodeployr.context: {context:?} does not begin with a slash, or ends with one"));
        }
        let web = &self.revodeployr.web_context;
        if !web.is_empty() && !web.starts_with("http://") && !web.starts_with("https://") {
            return Err(format!("revodeployr.web_context: {web:?} is not an http or https address"));
        }
        if !self.r.locale.to_ascii_lowercase().replace('-', "").ends_with("utf8") {
            return Err(format!("r.locale: {:?} is not a UTF-8 locale", self.r.locale));
        }
        if self.r.preload.iter().any(|name| !is_package_name(name)) {
            return Err("r.preload: not the name of an R package".to_owned());
        }
        log_level::check(&self.log.level).map_err(|error| format!("log.level: {error}"))?;
        self.http.proxies()?;
        self.http.origins()?;
        self.http.names()?;
        if self.http.form_fields == 0 {
            return Err("http.form_fields: at least one is needed".to_owned());
        }
        if self.http.connections == 0 {
            return Err("http.connections: at least one is needed".to_owned());
        }
        self.auth.check()?;
        self.rock.check()?;
        self.rtvs.check()?;
        if let Some(place) = self.sessions.readable.iter().chain(&self.sessions.writable).find(|place| !place.is_absolute()) {
            return Err(format!("sessions.readable and sessions.writable: {} does not begin with a slash", place.display()));
        }
        if self.sessions.sandbox == SandboxMode::Off && self.sessions.network != NetworkMode::Full {
            return Err("sessions.network: it can only be taken from sessions if sessions.sandbox is not off".to_owned());
        }
        self.sessions.user_range().map(drop)
    }

    /// Files and folders of the server that are nobody else's business.
    #[must_use]
    pub fn private_places(&self) -> Vec<PathBuf> {
        let files = [&self.data, &self.file, &self.log.file, &self.log.audit, &self.tls.key, &self.tls.pfx, &self.tls.pfx_password_file];
        files
            .into_iter()
            .chain(self.auth.secret_files())
            .chain(self.rtvs.private_places())
            .filter(|path| !path.as_os_str().is_empty())
            .filter_map(|path| std::path::absolute(path).ok())
            .collect()
    }

    /// The settings as TOML, with secrets masked.
    #[must_use]
    pub fn printed(&self) -> String {
        let mut shown = self.clone();
        // Variables for R may hold secrets as well.
        shown.r.environment.values_mut().for_each(|value| "********".clone_into(value));
        toml::to_string_pretty(&shown).unwrap_or_default()
    }
}

/// Whether this can be the name of an R package: letters, digits and dots, beginning with a letter (Writing R
/// Extensions, section 1.1.1).
#[must_use]
pub fn is_package_name(name: &str) -> bool {
    name.starts_with(|first: char| first.is_ascii_alphabetic())
        && name.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '.')
}
