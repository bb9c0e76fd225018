//! The command line of `offshoot`.

mod activation;
mod administration;
mod auth;
mod backup;
mod boundary;
mod demo;
mod doctor;
mod ipfilter;
mod man;
mod object;
mod output;
mod ping;
mod policy;
mod project;
mod role;
mod rtvsd;
mod script;
mod serve;
mod service;
mod session;
mod snapshot;
mod token;
mod user;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::config::{Config, Listen, layers::Layers};
use administration::Subject;

/// R over HTTP: every session is a process forked from one warm R.
#[derive(Debug, Parser)]
#[command(version, about)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Start the server
    Serve(Serve),
    /// Look for what is wrong with this machine and its settings, and say how to mend it
    ///
    /// Looks at R and its libraries, fonts and graphics, the kernel, limits, the data folder, the clock, ports,
    /// certificates and sources of accounts; runs one evaluation and one plot. Fails if a server with these settings would not work.
    Doctor(Doctor),
    /// Serve remote workspaces of R Tools for Visual Studio, with the settings of their daemon rtvsd
    ///
    /// Reads /etc/rtvs/rtvsd.config.json, or the file that is named, and serves nothing else. Ends with 2 if there is no certificate, with 3 if
    /// the settings are wrong, with 4 if the port is taken. docs/rtvs.md says more.
    Rtvsd(rtvsd::Rtvsd),
    /// Ask the running server whether it works; fail if not
    Ping(Settings),
    /// Write the manual pages
    #[command(hide = true)]
    Man(man::Man),
    /// Clean up after sessions. The server starts this; it reads what to do from standard input
    #[command(hide = true)]
    Janitor,
    /// Ask PAM. The server starts this; it reads the question from standard input
    #[command(hide = true)]
    Pam,
    /// Accounts: who may log in
    ///
    /// Roles say what an account may do. The system's are ADMINISTRATOR (manages the server), SCRIPT_MANAGER
    /// (manages scripts and objects), POWER_USER (makes every call and runs any code), BASIC_USER (makes every
    /// call except those that bring R code to the server) and PACKAGE_MANAGER (installs packages). An account
    /// without a role is a basic user.
    User(Subject<user::Command>),
    /// Sources of accounts: try a name and a password
    Auth(auth::Auth),
    /// Tokens, by which programs act for an account, and the key that signs access tokens
    Token(token::Token),
    /// Roles: what accounts may do, and whom scripts and objects are for
    ///
    /// Scripts and objects can be for those who have a role of your own. Such a role can also grant calls: an account
    /// that has it, and is neither POWER_USER nor BASIC_USER, may make those calls only.
    Role(Subject<role::Command>),
    /// R scripts: what callers can run by name
    ///
    /// Every save makes a new version, and callers get the newest. Unless you say who may run a script, it is private:
    /// only administrators and script managers may.
    Script(Subject<script::Command>),
    /// Objects of the server: R data and files that scripts and users can load
    ///
    /// Objects that users save through an API are listed too; they are deleted when the login ends.
    Object(Subject<object::Command>),
    /// R boundaries: what sessions of an account, or runs of a script, may use
    Boundary(Subject<boundary::Command>),
    /// IP filters: addresses that requests may come from
    ///
    /// A filter does nothing until a policy names it: authenticated-ip-filter, trusted-ip-filter or
    /// anonymous-ip-filter. With the first, nobody can log in from an address that the filter does not cover, not
    /// even from this machine (127.0.0.1); `offshoot policy unset` works all the same.
    Ipfilter(Subject<ipfilter::Command>),
    /// Server policies: settings that can be changed while the server runs
    Policy(Subject<policy::Command>),
    /// Projects: sessions that users have saved
    Project(Subject<project::Command>),
    /// Sessions of the running server: who has which, and what they use
    ///
    /// For the server's own user and for root, on the machine of the server.
    Session(session::Session),
    /// Snapshots: sessions as they were when their users made them
    Snapshot(Subject<snapshot::Command>),
    /// Web services: R code that users have published, in versions
    ///
    /// A version can be written to a file, and comes to another server by that.
    Service(Subject<service::Command>),
    /// Write everything in the store to one ZIP file
    ///
    /// Accounts, roles, scripts and services with their versions, objects, boundaries, filters, policies, projects and
    /// snapshots, as they are at one moment; the server may be running. Objects that are deleted when a login ends are left out. The file
    /// holds hashes of passwords and all that users have saved: only its owner can read it.
    Backup(backup::Backup),
    /// Replace everything in the store by a backup
    ///
    /// A server that is running ends its logins and sessions. If the backup is damaged, or of another version of the
    /// store, nothing is changed. If there is no store, one is made.
    Restore(backup::Restore),
}

/// Where settings come from.
#[derive(Debug, Args)]
struct Settings {
    /// The configuration file, in TOML
    #[arg(long, env = "OFFSHOOT_CONFIG", value_name = "FILE", global = true)]
    config: Option<PathBuf>,
    /// The folder of the store, of files and of running sessions [default: offshoot-data]
    #[arg(long, value_name = "DIR", global = true)]
    data: Option<PathBuf>,
}

impl Settings {
    /// The settings: defaults, overridden by the file, then by the environment, then by flags.
    fn layers(&self) -> Result<Layers, String> {
        let mut layers = Layers::default();
        if let Some(file) = &self.config {
            layers.file(file)?;
        }
        layers.environment(std::env::vars_os())?;
        if let Some(data) = &self.data {
            let data = data.to_str().ok_or("--data: not UTF-8")?;
            layers.set(&["data".to_owned()], data).map_err(|what| format!("--data: {what}"))?;
        }
        Ok(layers)
    }

    fn config(&self) -> anyhow::Result<Config> {
        let file = self.config.clone().unwrap_or_default();
        self.layers().and_then(Layers::finish).map(|config| Config { file, ..config }).map_err(anyhow::Error::msg)
    }
}

#[derive(Debug, Args)]
struct Serve {
    #[command(flatten)]
    settings: Settings,
    /// Where to listen, https://ADDR:PORT for HTTPS; may be given several times. Port 0 takes any free port
    /// [default: 127.0.0.1:8050; a demonstration also takes 8085 and 12800, which clients try, if they are free]
    #[arg(long, value_name = "[SCHEME://]ADDR:PORT")]
    listen: Vec<Listen>,
    /// Make a certificate for HTTPS, and keep it in the data folder
    #[arg(long)]
    self_signed: bool,
    /// Try it out: a throw-away data folder, loopback only, the accounts admin, testmanager and testuser with the
    /// password "secret", administrator, manager and user with "password", some scripts and a file
    #[arg(long)]
    demo: bool,
    /// Print the settings in force, and do nothing else
    #[arg(long)]
    print_config: bool,
}

#[derive(Debug, Args)]
struct Doctor {
    #[command(flatten)]
    settings: Settings,
    /// Where the server is going to listen; may be given several times
    #[arg(long, value_name = "[SCHEME://]ADDR:PORT")]
    listen: Vec<Listen>,
}

/// An error with the status that the program ends with because of it.
#[derive(Debug, thiserror::Error)]
#[error("{error:#}")]
pub struct EndsWith {
    /// The status.
    pub status: u8,
    error: anyhow::Error,
}

impl EndsWith {
    fn new(status: u8, error: anyhow::Error) -> Self {
        Self { status, error }
    }
}

/// Runs the command that was given.
///
/// # Errors
/// Why it could not be done.
pub fn run(cli: Cli) -> anyhow::Result<()> {
    match cli.command {
        Command::Serve(serve) => serve::run(&serve),
        Command::Rtvsd(arguments) => rtvsd::run(&arguments),
        Command::Doctor(doctor) => doctor::run(&doctor),
        Command::Ping(settings) => ping::run(&settings),
        Command::Man(man) => man::run(&man),
        Command::Pam => Ok(crate::auth::sources::system::pam::answer()?),
        Command::Janitor => Ok(crate::system::janitor::process::run()?),
        Command::User(subject) => subject.run(user::run),
        Command::Auth(auth) => auth::run(auth),
        Command::Token(token) => token::run(token),
        Command::Role(subject) => subject.run(role::run),
        Command::Script(subject) => subject.run(script::run),
        Command::Object(subject) => subject.run(object::run),
        Command::Boundary(subject) => subject.run(boundary::run),
        Command::Ipfilter(subject) => subject.run(ipfilter::run),
        Command::Policy(subject) => subject.run(policy::run),
        Command::Project(subject) => subject.run(project::run),
        Command::Session(session) => session::run(&session),
        Command::Snapshot(subject) => subject.run(snapshot::run),
        Command::Service(subject) => subject.run(service::run),
        Command::Backup(backup) => backup::backup(&backup),
        Command::Restore(restore) => backup::restore(&restore),
    }
}
