//! `offshoot user`

use std::io::{IsTerminal, Read, Write};

use anyhow::bail;
use clap::{Args, Subcommand};

use super::Settings;
use crate::{
    auth::{Accounts, LiveRules, NewAccount, permissions::role},
    store::{Store, accounts::AccountChange},
};

#[derive(Debug, Args)]
pub(super) struct User {
    #[command(flatten)]
    settings: Settings,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Add an account, which can log in at once.
    Add {
        /// The name to log in with.
        name: String,
        /// The name to show; the name itself unless given.
        #[arg(long, value_name = "TEXT")]
        display_name: Option<String>,
        #[command(flatten)]
        password: Password,
    },
    /// List the accounts.
    List,
    /// Set the password of an account.
    Passwd {
        /// The account.
        name: String,
        #[command(flatten)]
        password: Password,
    },
    /// Let an account log in.
    Enable {
        /// The account.
        name: String,
    },
    /// Keep an account from logging in.
    Disable {
        /// The account.
        name: String,
    },
}

/// Where a password comes from: never the command line, which others on the machine can see.
#[derive(Debug, Args)]
struct Password {
    /// Read the password from standard input, up to the first line end.
    #[arg(long)]
    password_stdin: bool,
}

impl Password {
    fn read(&self, name: &str) -> anyhow::Result<String> {
        let password = if self.password_stdin {
            let mut text = String::new();
            std::io::stdin().read_to_string(&mut text)?;
            text.lines().next().unwrap_or_default().to_owned()
        } else if std::io::stdin().is_terminal() {
            let password = rpassword::prompt_password(format!("Password of {name}: "))?;
            if rpassword::prompt_password("Again: ")? != password {
                bail!("the two passwords differ");
            }
            password
        } else {
            bail!("there is no terminal to ask for a password; give it with --password-stdin");
        };
        if password.is_empty() {
            bail!("an account needs a password that is not empty");
        }
        Ok(password)
    }
}

pub(super) fn run(user: &User) -> anyhow::Result<()> {
    let config = user.settings.config()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let store = Store::open(&config.data).await?;
        let accounts = Accounts::new(store.clone(), LiveRules::open(store.clone()).await?);
        let outcome = carry_out(&user.command, &store, &accounts).await;
        store.close().await;
        outcome
    })
}

async fn carry_out(command: &Command, store: &Store, accounts: &Accounts) -> anyhow::Result<()> {
    match command {
        Command::Add { name, display_name, password } => {
            let password = password.read(name)?;
            let display_name = display_name.as_deref().unwrap_or(name).to_owned();
            let roles = vec![role::POWER_USER.to_owned()];
            accounts.add(NewAccount { name: name.clone(), display_name, password, enabled: true, roles, boundary: None }).await?;
        }
        Command::List => {
            let mut text = format!("{:<24} {:<9} {}\n", "NAME", "ENABLED", "DISPLAY NAME");
            for account in store.account_list().await? {
                text.push_str(&format!(
                    "{:<24} {:<9} {}\n",
                    account.name,
                    if account.enabled { "yes" } else { "no" },
                    account.display_name
                ));
            }
            std::io::stdout().lock().write_all(text.as_bytes())?;
        }
        Command::Passwd { name, password } => {
            if store.account(name).await?.is_none() {
                bail!("there is no account {name:?}");
            }
            accounts.set_password(name, password.read(name)?).await?;
        }
        Command::Enable { name } => enable(store, name, true).await?,
        Command::Disable { name } => enable(store, name, false).await?,
    }
    Ok(())
}

async fn enable(store: &Store, name: &str, enabled: bool) -> anyhow::Result<()> {
    Ok(store.account_change(name, &AccountChange { enabled: Some(enabled), ..AccountChange::default() }).await?)
}
