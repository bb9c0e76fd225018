//! `offshoot boundary`

use anyhow::{Context, bail};
use clap::Subcommand;
use serde::Serialize;

use super::output::{self, Column, Format};
use crate::{
    config::NetworkMode,
    store::{Store, boundaries::Boundary, policies::Policy},
};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// List the boundaries
    List {
        #[command(flatten)]
        format: Format,
    },
    /// Show a boundary
    Show {
        /// The boundary
        name: String,
        #[command(flatten)]
        format: Format,
    },
    /// Make a boundary, or change one; a limit that is not given stays as it is, and a new boundary does not have it
    Put {
        /// The boundary: letters, digits, dots, dashes and underscores
        name: String,
        /// Processor time that one operation may use, in seconds; 0 is no limit
        #[arg(long, value_name = "SECONDS")]
        cpu_seconds: Option<u32>,
        /// Memory that a session may allocate, in MiB; 0 is no limit
        #[arg(long, value_name = "MIB")]
        memory_mib: Option<u32>,
        /// The network that a session has; unless given, that of the settings. A script that runs in an open session has
        /// the network of that session
        #[arg(long)]
        network: Option<NetworkMode>,
    },
    /// Remove a boundary; accounts and scripts that had it have none
    Remove {
        /// The boundary
        name: String,
    },
}

/// A boundary as it is shown, with the accounts and scripts that have it.
#[derive(Debug, Serialize)]
struct View {
    #[serde(flatten)]
    boundary: Boundary,
    default: bool,
    accounts: Vec<String>,
    scripts: Vec<String>,
}

const NAME: Column<View> = ("name", |view| view.boundary.name.clone());
const CPU: Column<View> = ("CPU seconds", |view| limit(view.boundary.cpu_seconds));
const MEMORY: Column<View> = ("memory MiB", |view| limit(view.boundary.memory_mib));
const NETWORK: Column<View> = ("network", |view| match view.boundary.network {
    None => "as set".to_owned(),
    Some(NetworkMode::Full) => "full".to_owned(),
    Some(NetworkMode::Outbound) => "outbound".to_owned(),
    Some(NetworkMode::None) => "none".to_owned(),
});
const DEFAULT: Column<View> = ("default", |view| if view.default { "yes" } else { "no" }.to_owned());
const ACCOUNTS: Column<View> = ("accounts", |view| output::words(&view.accounts));
const SCRIPTS: Column<View> = ("scripts", |view| output::words(&view.scripts));

fn limit(number: i64) -> String {
    if number == 0 { "no limit".to_owned() } else { number.to_string() }
}

pub(super) async fn run(command: Command, store: &Store) -> anyhow::Result<()> {
    match command {
        Command::List { format } => format.list(&views(store).await?, &[NAME, CPU, MEMORY, NETWORK, DEFAULT, ACCOUNTS, SCRIPTS]),
        Command::Show { name, format } => {
            let view = views(store).await?.into_iter().find(|view| view.boundary.name == name);
            let view = view.with_context(|| format!("there is no boundary {name:?}"))?;
            format.one(&view, &[NAME, CPU, MEMORY, NETWORK, DEFAULT, ACCOUNTS, SCRIPTS])
        }
        Command::Put { name, cpu_seconds, memory_mib, network } => {
            if cpu_seconds.is_none() && memory_mib.is_none() && network.is_none() {
                bail!("a boundary needs a limit: give --cpu-seconds, --memory-mib or --network");
            }
            let earlier = store.boundary_list().await?.into_iter().find(|boundary| boundary.name == name);
            let earlier = earlier.unwrap_or(Boundary { name, cpu_seconds: 0, memory_mib: 0, network: None });
            let boundary = Boundary {
                cpu_seconds: cpu_seconds.map_or(earlier.cpu_seconds, i64::from),
                memory_mib: memory_mib.map_or(earlier.memory_mib, i64::from),
                network: network.or(earlier.network),
                ..earlier
            };
            Ok(store.boundary_put(&boundary).await?)
        }
        Command::Remove { name } => Ok(store.boundary_remove(&name).await?),
    }
}

async fn views(store: &Store) -> anyhow::Result<Vec<View>> {
    let (accounts, scripts) = (store.account_list().await?, store.script_list().await?);
    let policies = store.policy_list().await?;
    let default = policies.get(Policy::DefaultBoundary.name());
    let view = |boundary: Boundary| View {
        default: default == Some(&boundary.name),
        accounts: accounts.iter().filter(|one| one.boundary.as_ref() == Some(&boundary.name)).map(|one| one.name.clone()).collect(),
        scripts: scripts.iter().filter(|one| one.boundary.as_ref() == Some(&boundary.name)).map(|one| one.name.clone()).collect(),
        boundary,
    };
    Ok(store.boundary_list().await?.into_iter().map(view).collect())
}
