//! `offshoot auth`

use std::net::{IpAddr, Ipv4Addr};

use anyhow::bail;
use clap::{Args, Subcommand};
use serde::Serialize;

use super::{
    Settings, administration,
    output::{self, Column, Format},
    user::Password,
};
use crate::{
    auth::{Accounts, LiveRules, Whose},
    config::Config,
    store::Store,
};

#[derive(Debug, Args)]
pub(super) struct Auth {
    #[command(flatten)]
    settings: Settings,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Try a name and a password, and say which source of accounts knows them and what that gives here
    ///
    /// Asks the sources of the settings in their order, as a login does, and changes nothing. A wrong password counts where
    /// wrong passwords are counted.
    Check {
        /// The name to log in with
        name: String,
        #[command(flatten)]
        password: Password,
        #[command(flatten)]
        format: Format,
    },
}

/// What is shown of somebody.
#[derive(Debug, Serialize)]
struct View {
    source: String,
    /// What the source calls them.
    subject: String,
    account: String,
    /// Whether there is such an account already.
    exists: bool,
    display_name: String,
    groups: Vec<String>,
    roles: Vec<String>,
}

impl From<Whose> for View {
    fn from(whose: Whose) -> Self {
        let Whose { source, subject, account, exists, display_name, groups, roles } = whose;
        Self { source, subject, account, exists, display_name, groups, roles }
    }
}

const LINES: [Column<View>; 6] = [
    ("source", |view| view.source.clone()),
    ("known there as", |view| view.subject.clone()),
    ("account", |view| if view.exists { view.account.clone() } else { format!("{}, which the first login makes", view.account) }),
    ("display name", |view| view.display_name.clone()),
    ("groups", |view| if view.groups.is_empty() { "-".to_owned() } else { view.groups.join("\n") }),
    ("roles", |view| output::words(&view.roles)),
];

pub(super) fn run(auth: Auth) -> anyhow::Result<()> {
    let config = auth.settings.config()?;
    administration::on_store(&auth.settings, async |store| carry_out(auth.command, &config, store).await)
}

async fn carry_out(command: Command, config: &Config, store: &Store) -> anyhow::Result<()> {
    let Command::Check { name, password, format } = command;
    let rules = LiveRules::open(store.clone()).await?;
    let accounts = Accounts::new(store.clone(), rules, &config.auth).map_err(anyhow::Error::msg)?;
    let password = password.read_once(&name)?;
    let (answer, heard) = accounts.inquire(&name, &password, IpAddr::V4(Ipv4Addr::LOCALHOST)).await;
    match answer {
        Ok(whose) => format.one(&View::from(whose), &LINES),
        Err(error) => {
            let said: String = heard.iter().map(|heard| format!("\n  {}: {}", heard.source, heard.said)).collect();
            bail!("{error}{said}")
        }
    }
}
