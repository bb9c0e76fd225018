//! `offshoot ipfilter`

use anyhow::Context;
use clap::Subcommand;
use serde::Serialize;

use super::output::{self, Column, Format};
use crate::store::{Store, filters::IpFilter};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// List the IP filters
    List {
        #[command(flatten)]
        format: Format,
    },
    /// Show an IP filter
    Show {
        /// The filter
        name: String,
        #[command(flatten)]
        format: Format,
    },
    /// Make an IP filter, or change one
    Put {
        /// The filter: letters, digits and underscores
        name: String,
        /// A network such as 192.168.1.0/24 or fd00::/8, one address, or a pattern: 10.** or 255.*.*.*
        address: String,
    },
    /// Remove an IP filter, unless a policy names it
    Remove {
        /// The filter
        name: String,
    },
}

/// A filter as it is shown, with the policies that name it.
#[derive(Debug, Serialize)]
struct View {
    #[serde(flatten)]
    filter: IpFilter,
    policies: Vec<String>,
}

const COLUMNS: [Column<View>; 3] = [
    ("name", |view| view.filter.name.clone()),
    ("address", |view| view.filter.address.clone()),
    ("policies", |view| output::words(&view.policies)),
];

pub(super) async fn run(command: Command, store: &Store) -> anyhow::Result<()> {
    match command {
        Command::List { format } => format.list(&views(store).await?, &COLUMNS),
        Command::Show { name, format } => {
            let view = views(store).await?.into_iter().find(|view| view.filter.name == name);
            format.one(&view.with_context(|| format!("there is no IP filter {name:?}"))?, &COLUMNS)
        }
        Command::Put { name, address } => Ok(store.filter_put(&IpFilter { name, address }).await?),
        Command::Remove { name } => Ok(store.filter_remove(&name).await?),
    }
}

async fn views(store: &Store) -> anyhow::Result<Vec<View>> {
    let policies = store.policy_list().await?;
    let naming = |filter: &IpFilter| {
        let naming = policies.iter().filter(|(policy, value)| policy.ends_with("-ip-filter") && **value == filter.name);
        naming.map(|(policy, _)| policy.clone()).collect()
    };
    Ok(store.filter_list().await?.into_iter().map(|filter| View { policies: naming(&filter), filter }).collect())
}
