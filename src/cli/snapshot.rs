//! `offshoot snapshot`

use anyhow::Context;
use clap::Subcommand;
use serde::Serialize;

use super::{
    administration::identity,
    output::{self, Column, Format},
};
use crate::store::{ChangeError, Store, snapshots::Snapshot};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// List the snapshots, oldest first
    List {
        /// Only those of this account
        #[arg(long, value_name = "ACCOUNT")]
        owner: Option<String>,
        #[command(flatten)]
        format: Format,
    },
    /// Remove a snapshot for good
    ///
    /// Services that were published with it go on: each keeps what it runs in.
    Remove {
        /// The snapshot's identity
        id: String,
    },
}

/// A snapshot as it is listed.
#[derive(Debug, Serialize)]
struct View {
    id: String,
    owner: String,
    name: String,
    bytes: u64,
    created: String,
}

impl From<Snapshot> for View {
    fn from(snapshot: Snapshot) -> Self {
        let Snapshot { id, owner, name, created, bytes, .. } = snapshot;
        Self { id: id.to_string(), owner, name, bytes, created: output::time(created) }
    }
}

const LIST: [Column<View>; 5] = [
    ("id", |snapshot| snapshot.id.clone()),
    ("owner", |snapshot| snapshot.owner.clone()),
    ("bytes", |snapshot| snapshot.bytes.to_string()),
    ("created", |snapshot| snapshot.created.clone()),
    ("name", |snapshot| snapshot.name.clone()),
];

pub(super) async fn run(command: Command, store: &Store) -> anyhow::Result<()> {
    match command {
        Command::List { owner, format } => {
            let snapshots = store.snapshot_list(owner.as_deref()).await?;
            format.list(&snapshots.into_iter().map(View::from).collect::<Vec<_>>(), &LIST)
        }
        Command::Remove { id } => {
            let unknown = || format!("there is no snapshot {id:?}; offshoot snapshot list has the identities");
            let snapshot = identity(&id).with_context(unknown)?;
            match store.snapshot_remove(snapshot, None).await {
                Err(ChangeError::Unknown { .. }) => Err(anyhow::Error::msg(unknown())),
                removed => Ok(removed?),
            }
        }
    }
}
