//! `offshoot policy`

use std::collections::BTreeMap;

use clap::Subcommand;
use serde::Serialize;

use super::output::{self, Column, Format};
use crate::store::{Store, policies::Policy};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// List all policies, set or not, and what each is for
    List {
        #[command(flatten)]
        format: Format,
    },
    /// Show a policy
    Show {
        /// The policy
        name: String,
        #[command(flatten)]
        format: Format,
    },
    /// Set a policy
    Set {
        /// The policy
        name: String,
        /// Its value: a number, a text, or the name of a boundary or of an IP filter
        #[arg(allow_negative_numbers = true)]
        value: String,
    },
    /// Give a policy its default again: that of the configuration, if it has one
    #[command(visible_alias = "remove")]
    Unset {
        /// The policy
        name: String,
    },
}

/// A policy as it is shown.
#[derive(Debug, Serialize)]
struct View {
    name: &'static str,
    value: Option<String>,
    description: &'static str,
}

impl View {
    fn of(policy: Policy, set: &BTreeMap<String, String>) -> Self {
        Self { name: policy.name(), value: set.get(policy.name()).cloned(), description: policy.description() }
    }
}

const COLUMNS: [Column<View>; 3] = [
    ("name", |policy| policy.name.to_owned()),
    ("value", |policy| output::or_dash(policy.value.as_ref())),
    ("description", |policy| policy.description.to_owned()),
];

pub(super) async fn run(command: Command, store: &Store) -> anyhow::Result<()> {
    match command {
        Command::List { format } => {
            let set = store.policy_list().await?;
            format.list(&Policy::ALL.map(|policy| View::of(policy, &set)), &COLUMNS)
        }
        Command::Show { name, format } => format.one(&View::of(named(&name)?, &store.policy_list().await?), &COLUMNS),
        Command::Set { name, value } => Ok(store.policy_put(named(&name)?, &value).await?),
        Command::Unset { name } => Ok(store.policy_remove(named(&name)?).await?),
    }
}

fn named(name: &str) -> anyhow::Result<Policy> {
    Policy::named(name).map_err(anyhow::Error::msg)
}
