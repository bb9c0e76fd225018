//! `offshoot man`: the manual pages, for packages.

use std::path::PathBuf;

use clap::{Args, CommandFactory};

use super::Cli;

#[derive(Debug, Args)]
pub(super) struct Man {
    /// The folder to write them into.
    folder: PathBuf,
}

/// Writes `offshoot.1`, and a page for each subcommand.
pub(super) fn run(man: &Man) -> anyhow::Result<()> {
    std::fs::create_dir_all(&man.folder)?;
    clap_mangen::generate_to(Cli::command(), &man.folder)?;
    Ok(())
}
