//! `offshoot token`

use anyhow::{Context, bail};
use clap::{Args, Subcommand};
use serde::Serialize;

use super::{
    Settings, administration,
    output::{self, Column, Format},
};
use crate::{
    auth::{
        permissions,
        tokens::{keys::KeyFiles, personal},
    },
    config::Config,
    store::{PersonalToken, Store},
};

/// Days for which a token is good unless something else is said.
const DAYS: u32 = 90;

#[derive(Debug, Args)]
pub(super) struct Token {
    #[command(flatten)]
    settings: Settings,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Make a token for a program, and print it: it is not shown again
    ///
    /// Programs send it as `Authorization: Bearer TOKEN` or, where they can send nothing but a name and a password, in the
    /// place of the password.
    Create {
        /// The account that the program acts for
        account: String,
        /// What the token is called: letters, digits, dots, dashes and underscores
        name: String,
        /// Days after which it is good no more
        #[arg(long, value_name = "DAYS", default_value_t = DAYS, conflicts_with = "forever")]
        days: u32,
        /// It is good until it is revoked
        #[arg(long)]
        forever: bool,
        /// A role of the account that it has; may be given several times [default: all of them]
        #[arg(long, value_name = "ROLE")]
        role: Vec<String>,
    },
    /// List the tokens for programs
    List {
        /// Those of this account
        account: Option<String>,
        #[command(flatten)]
        format: Format,
    },
    /// Revoke a token for programs: it is good no more
    Revoke {
        /// The account that it is of
        account: String,
        /// What it is called
        name: String,
    },
    /// Have a new key sign access tokens. What the one before has signed is good until it has run out
    ///
    /// A server that is running has the new key a second later.
    RotateKey,
}

/// A token as it is shown.
#[derive(Debug, Serialize)]
struct View {
    account: String,
    name: String,
    roles: Option<Vec<String>>,
    created: String,
    expires: Option<String>,
    expired: bool,
    last_used: Option<String>,
}

impl View {
    fn of(token: PersonalToken) -> Self {
        let now = jiff::Timestamp::now().as_microsecond();
        Self {
            account: token.account,
            name: token.name,
            roles: token.roles,
            created: output::time(token.created),
            expires: token.expires.map(output::time),
            expired: token.expires.is_some_and(|expires| expires <= now),
            last_used: token.used.map(output::time),
        }
    }
}

const ACCOUNT: Column<View> = ("account", |view| view.account.clone());
const NAME: Column<View> = ("name", |view| view.name.clone());
const ROLES: Column<View> = ("roles", |view| view.roles.as_ref().map_or("all".to_owned(), |roles| output::words(roles)));
const CREATED: Column<View> = ("created", |view| view.created.clone());
const EXPIRES: Column<View> = ("expires", |view| match &view.expires {
    None => "never".to_owned(),
    Some(time) if view.expired => format!("{time}, is over"),
    Some(time) => time.clone(),
});
const USED: Column<View> = ("last used", |view| output::or_dash(view.last_used.as_ref()));

pub(super) fn run(token: Token) -> anyhow::Result<()> {
    let config = token.settings.config()?;
    administration::on_store(&token.settings, async |store| carry_out(token.command, &config, store).await)
}

async fn carry_out(command: Command, config: &Config, store: &Store) -> anyhow::Result<()> {
    match command {
        Command::Create { account, name, days, forever, role: roles } => {
            let owner = store.account(&account).await?.with_context(|| format!("there is no account {account:?}"))?;
            let held = permissions::narrowed(&owner.roles, &roles);
            if let Some(missing) = roles.iter().find(|role| !held.contains(role)) {
                bail!("the account {account} does not have the role {missing}");
            }
            let microseconds = i64::from(days) * 86_400_000_000;
            let expires = (!forever).then(|| jiff::Timestamp::now().as_microsecond().saturating_add(microseconds));
            let (token, text) = personal::make(&account, &name, Some(roles).filter(|roles| !roles.is_empty()), expires);
            store.personal_token_add(&token).await?;
            output::print(&format!("{text}\n"))
        }
        Command::List { account, format } => {
            let tokens = store.personal_token_list(account.as_deref()).await?;
            format.list(&tokens.into_iter().map(View::of).collect::<Vec<_>>(), &[ACCOUNT, NAME, ROLES, CREATED, EXPIRES, USED])
        }
        Command::Revoke { account, name } => Ok(store.personal_token_remove(&account, &name).await?),
        Command::RotateKey => {
            let place = KeyFiles::of(&config.auth, &config.data);
            if place.is_named() {
                bail!("the keys are those of auth.keys: write the new one there before the others, and send the servers SIGHUP");
            }
            Ok(place.rotate()?)
        }
    }
}
