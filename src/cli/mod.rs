//! The command line of `offshoot`.

mod serve;
mod user;

use std::{net::SocketAddr, path::PathBuf};

use clap::{Args, Parser, Subcommand};

use crate::config::{Config, layers::Layers};

/// R over HTTP: every session is a process forked from one warm R.
#[derive(Debug, Parser)]
#[command(version, about, propagate_version = true)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Start the server.
    Serve(Serve),
    /// Manage accounts, whether the server runs or not.
    User(user::User),
}

/// Where settings come from.
#[derive(Debug, Args)]
struct Settings {
    /// The configuration file, in TOML.
    #[arg(long, env = "OFFSHOOT_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
    /// The folder of accounts, files and running sessions [default: offshoot-data].
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
}

impl Settings {
    /// Defaults, file, environment and flags, in this order.
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
        self.layers().and_then(Layers::finish).map_err(anyhow::Error::msg)
    }
}

#[derive(Debug, Args)]
struct Serve {
    #[command(flatten)]
    settings: Settings,
    /// Where to listen; may be given several times. Port 0 takes any free port [default: 127.0.0.1:8050].
    #[arg(long, value_name = "ADDR:PORT")]
    listen: Vec<SocketAddr>,
    /// Try it out: a throw-away data folder, loopback only, and the accounts admin, testmanager and testuser,
    /// all with the password "secret".
    #[arg(long)]
    demo: bool,
    /// Print the settings in force, and do nothing else.
    #[arg(long)]
    print_config: bool,
}

/// Runs the command that was given.
///
/// # Errors
/// Why it could not be done.
pub fn run(cli: Cli) -> anyhow::Result<()> {
    match cli.command {
        Command::Serve(serve) => serve::run(&serve),
        Command::User(user) => user::run(&user),
    }
}
