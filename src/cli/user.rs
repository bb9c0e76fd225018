//! `offshoot user`

use std::io::{IsTerminal, Read};

use anyhow::{Context, bail};
use clap::{Args, Subcommand};
use serde::Serialize;

use super::output::{self, Column, Format};
use crate::{
    auth::{Accounts, LiveRules, NewAccount, permissions::role},
    config::Auth,
    store::{Account, Store, accounts::AccountChange},
};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// List the accounts
    List {
        #[command(flatten)]
        format: Format,
    },
    /// Show an account
    Show {
        /// The account
        name: String,
        #[command(flatten)]
        format: Format,
    },
    /// Add an account, which can log in at once
    Add {
        /// The name to log in with: letters, digits, dots, dashes, underscores and @
        name: String,
        /// The name to show, up to 50 characters [default: the name to log in with]
        #[arg(long, value_name = "TEXT")]
        display_name: Option<String>,
        /// A role that the account has; may be given several times [default: BASIC_USER]
        #[arg(long, value_name = "ROLE")]
        role: Vec<String>,
        /// The R boundary that limits its sessions [default: the policy default-boundary]
        #[arg(long, value_name = "NAME")]
        boundary: Option<String>,
        #[command(flatten)]
        password: Password,
    },
    /// Change an account; options that are not given change nothing
    Change {
        /// The account
        name: String,
        /// The name to show, up to 50 characters
        #[arg(long, value_name = "TEXT")]
        display_name: Option<String>,
        /// A role that the account has from now on, in place of those it had; may be given several times
        #[arg(long, value_name = "ROLE")]
        role: Vec<String>,
        /// The R boundary that limits its sessions
        #[arg(long, value_name = "NAME", conflicts_with = "no_boundary")]
        boundary: Option<String>,
        /// Take its boundary away: it has that of the policy default-boundary again
        #[arg(long)]
        no_boundary: bool,
    },
    /// Set the password of an account
    ///
    /// The account can log in with it at once, even if its old password had expired or failed logins had locked it.
    /// Logins that are open stay open.
    Passwd {
        /// The account
        name: String,
        #[command(flatten)]
        password: Password,
    },
    /// Let an account log in
    Enable {
        /// The account
        name: String,
    },
    /// Keep an account from logging in, and end its logins
    Disable {
        /// The account
        name: String,
    },
    /// Lock an account, and end its logins: every login is refused until it is unlocked
    Lock {
        /// The account
        name: String,
    },
    /// Unlock an account, whether `lock` or failed logins have locked it
    Unlock {
        /// The account
        name: String,
    },
    /// Keep an account from logging in until `passwd` has given it another password
    Expire {
        /// The account
        name: String,
    },
    /// Remove an account with its projects and objects, and end its logins
    Remove {
        /// The account
        name: String,
    },
}

/// Where a password comes from: never the command line, which others on the machine can see.
#[derive(Debug, Args)]
pub(super) struct Password {
    /// Read the password from standard input, up to the first line end, and do not ask for it
    #[arg(long)]
    password_stdin: bool,
}

impl Password {
    /// A password that exists.
    pub(super) fn read_once(&self, name: &str) -> anyhow::Result<String> {
        if self.password_stdin {
            let mut text = String::new();
            std::io::stdin().read_to_string(&mut text).context("--password-stdin")?;
            return Ok(text.lines().next().unwrap_or_default().to_owned());
        }
        if !std::io::stdin().is_terminal() {
            bail!("there is no terminal to ask for a password; give it with --password-stdin");
        }
        Ok(rpassword::prompt_password(format!("Password of {name}: "))?)
    }

    /// A new password, which has to be typed twice.
    fn read(&self, name: &str) -> anyhow::Result<String> {
        let password = self.read_once(name)?;
        if !self.password_stdin && rpassword::prompt_password("Again: ")? != password {
            bail!("the two passwords differ");
        }
        if password.is_empty() {
            bail!("an account needs a password that is not empty");
        }
        Ok(password)
    }
}

/// An account as it is shown.
#[derive(Debug, Serialize)]
struct View {
    name: String,
    display_name: String,
    /// Where it comes from.
    source: String,
    enabled: bool,
    /// Locked by an administrator.
    locked: bool,
    /// Locked for a while because logins have failed.
    locked_out: bool,
    failed_logins: i64,
    password_expired: bool,
    roles: Vec<String>,
    boundary: Option<String>,
    created: String,
    changed: String,
}

impl View {
    fn of(account: Account, accounts: &Accounts) -> Self {
        Self {
            locked_out: !account.locked && accounts.is_locked(&account),
            name: account.name,
            display_name: account.display_name,
            source: account.source,
            enabled: account.enabled,
            locked: account.locked,
            failed_logins: account.failures,
            password_expired: account.password_expired,
            roles: account.roles,
            boundary: account.boundary,
            created: output::time(account.created),
            changed: output::time(account.changed),
        }
    }

    fn status(&self) -> String {
        let all = [
            (!self.enabled, "disabled"),
            (self.locked, "locked"),
            (self.locked_out, "locked by failed logins"),
            (self.password_expired, "password expired"),
        ];
        let held: Vec<_> = all.iter().filter(|(holds, _)| *holds).map(|(_, word)| *word).collect();
        if held.is_empty() { "enabled".to_owned() } else { held.join(", ") }
    }
}

const NAME: Column<View> = ("name", |user| user.name.clone());
const DISPLAY_NAME: Column<View> = ("display name", |user| user.display_name.clone());
const SOURCE: Column<View> = ("source", |user| user.source.clone());
const STATUS: Column<View> = ("status", View::status);
const ROLES: Column<View> = ("roles", |user| output::words(&user.roles));
const BOUNDARY: Column<View> = ("boundary", |user| output::or_dash(user.boundary.as_ref()));
const FAILED: Column<View> = ("failed logins", |user| user.failed_logins.to_string());
const CREATED: Column<View> = ("created", |user| user.created.clone());
const CHANGED: Column<View> = ("changed", |user| user.changed.clone());

pub(super) async fn run(command: Command, store: &Store) -> anyhow::Result<()> {
    let rules = LiveRules::open(store.clone()).await?;
    let accounts = Accounts::new(store.clone(), rules, &Auth::default()).map_err(anyhow::Error::msg)?;
    let unchanged = AccountChange::default();
    let (name, change) = match command {
        Command::List { format } => {
            let users: Vec<_> = store.account_list().await?.into_iter().map(|account| View::of(account, &accounts)).collect();
            return format.list(&users, &[NAME, DISPLAY_NAME, SOURCE, STATUS, ROLES, BOUNDARY, CHANGED]);
        }
        Command::Show { name, format } => {
            let user = View::of(account(store, &name).await?, &accounts);
            return format.one(&user, &[NAME, DISPLAY_NAME, SOURCE, STATUS, ROLES, BOUNDARY, FAILED, CREATED, CHANGED]);
        }
        Command::Add { name, display_name, role: roles, boundary, password } => {
            if store.account(&name).await?.is_some() {
                bail!("the account {name:?} is there already");
            }
            let password = password.read(&name)?;
            let display_name = display_name.unwrap_or_else(|| name.chars().take(50).collect());
            let roles = if roles.is_empty() { vec![role::BASIC_USER.to_owned()] } else { roles };
            return Ok(accounts.add(NewAccount { name, display_name, password, enabled: true, roles, boundary }).await?);
        }
        Command::Passwd { name, password } => {
            account(store, &name).await?;
            let password = password.read(&name)?;
            return Ok(accounts.set_password(&name, password).await?);
        }
        Command::Remove { name } => return Ok(accounts.remove(&name).await?),
        Command::Change { name, display_name, role: roles, boundary, no_boundary } => {
            let roles = Some(roles).filter(|roles| !roles.is_empty());
            let boundary = if no_boundary { Some(None) } else { boundary.map(Some) };
            let change = AccountChange { display_name, boundary, roles, ..unchanged.clone() };
            if change == unchanged {
                bail!("nothing to change: see offshoot user change --help");
            }
            (name, change)
        }
        Command::Enable { name } => (name, AccountChange { enabled: Some(true), ..unchanged }),
        Command::Disable { name } => (name, AccountChange { enabled: Some(false), ..unchanged }),
        Command::Lock { name } => (name, AccountChange { locked: Some(true), ..unchanged }),
        Command::Unlock { name } => (name, AccountChange { locked: Some(false), ..unchanged }),
        Command::Expire { name } => (name, AccountChange { password_expired: Some(true), ..unchanged }),
    };
    Ok(accounts.change(&name, &change).await?)
}

async fn account(store: &Store, name: &str) -> anyhow::Result<Account> {
    store.account(name).await?.with_context(|| format!("there is no account {name:?}"))
}
