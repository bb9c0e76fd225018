//! `offshoot role`

use anyhow::{Context, bail};
use clap::Subcommand;
use serde::Serialize;

use super::output::{self, Column, Format};
use crate::{
    api,
    store::{Account, Store, roles::Role},
};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// List the roles
    List {
        #[command(flatten)]
        format: Format,
    },
    /// Show a role
    Show {
        /// The role
        name: String,
        #[command(flatten)]
        format: Format,
    },
    /// Make a role, or change one; what is not given stays as it is
    Put {
        /// The role: letters, digits, dots, dashes and underscores
        name: String,
        /// What it is for
        #[arg(long, value_name = "TEXT")]
        description: Option<String>,
        /// A call that the role grants: its path below the context, such as /r/session/execute/code; may be given
        /// several times. The calls that an existing role has granted are replaced
        #[arg(long = "call", value_name = "PATH", conflicts_with = "no_calls")]
        calls: Vec<String>,
        /// Let the role grant no calls: it only says whom scripts and objects are for
        #[arg(long)]
        no_calls: bool,
    },
    /// Give a role another name; accounts, scripts and objects that had it keep it
    Rename {
        /// The role
        name: String,
        /// Its name from now on
        to: String,
    },
    /// Remove a role, also from accounts that have it; an account without any role is a basic user
    Remove {
        /// The role
        name: String,
    },
}

/// A role as it is shown.
#[derive(Debug, Serialize)]
struct View {
    name: String,
    description: String,
    system: bool,
    calls: Vec<String>,
    accounts: Vec<String>,
}

impl View {
    fn of(role: Role, accounts: &[Account]) -> Self {
        let holds = |account: &&Account| account.roles.contains(&role.name);
        let accounts = accounts.iter().filter(holds).map(|account| account.name.clone()).collect();
        Self { name: role.name, description: role.description, system: role.system, calls: role.calls, accounts }
    }
}

const NAME: Column<View> = ("name", |role| role.name.clone());
const DESCRIPTION: Column<View> = ("description", |role| role.description.clone());
const OF: Column<View> = ("of the system", |role| if role.system { "yes" } else { "no" }.to_owned());
const CALLS: Column<View> = ("calls", |role| output::words(&role.calls));
const ACCOUNTS: Column<View> = ("accounts", |role| output::words(&role.accounts));

pub(super) async fn run(command: Command, store: &Store) -> anyhow::Result<()> {
    match command {
        Command::List { format } => format.list(&views(store).await?, &[NAME, OF, CALLS, ACCOUNTS, DESCRIPTION]),
        Command::Show { name, format } => {
            let role = views(store).await?.into_iter().find(|role| role.name == name);
            let role = role.with_context(|| format!("there is no role {name:?}"))?;
            format.one(&role, &[NAME, DESCRIPTION, OF, CALLS, ACCOUNTS])
        }
        Command::Put { name, description, calls, no_calls } => {
            if let Some(unknown) = calls.iter().find(|path| !api::has_call(path)) {
                bail!("--call: there is no call {unknown:?}; calls are written as in the documentation: /r/session/execute/code");
            }
            let calls = Some(calls).filter(|calls| no_calls || !calls.is_empty());
            Ok(store.role_put(&name, description.as_deref(), calls.as_deref()).await?)
        }
        Command::Rename { name, to } => Ok(store.role_rename(&name, &to).await?),
        Command::Remove { name } => Ok(store.role_remove(&name).await?),
    }
}

async fn views(store: &Store) -> anyhow::Result<Vec<View>> {
    let accounts = store.account_list().await?;
    Ok(store.role_list().await?.into_iter().map(|role| View::of(role, &accounts)).collect())
}
