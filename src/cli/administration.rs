//! What the administrator's commands have in common. They work on the store in a data folder, whether a server is
//! running on it or not.

use std::{fs::File, io::ErrorKind, path::Path};

use anyhow::{Context, bail};
use clap::{Args, Subcommand};
use uuid::Uuid;

use super::Settings;
use crate::store::Store;

/// The commands about one subject.
#[derive(Debug, Args)]
pub(super) struct Subject<C: Subcommand> {
    #[command(flatten)]
    settings: Settings,
    #[command(subcommand)]
    command: C,
}

impl<C: Subcommand> Subject<C> {
    /// Carries out the command that was given.
    pub(super) fn run(self, work: impl AsyncFnOnce(C, &Store) -> anyhow::Result<()>) -> anyhow::Result<()> {
        on_store(&self.settings, async |store| work(self.command, store).await)
    }
}

/// Opens an existing store and does some work on it.
pub(super) fn on_store(settings: &Settings, work: impl AsyncFnOnce(&Store) -> anyhow::Result<()>) -> anyhow::Result<()> {
    there_is_a_store(&settings.config()?.data)?;
    on_any_store(settings, work)
}

/// Checks that a data folder is one.
pub(super) fn there_is_a_store(data: &Path) -> anyhow::Result<()> {
    if Store::owner(data).with_context(|| data.display().to_string())?.is_none() {
        bail!(
            "there is no store in {}: name the server's data folder by --data or --config; the first start of a server makes it",
            data.display()
        );
    }
    Ok(())
}

/// The same, and makes the store if there is none.
pub(super) fn on_any_store(settings: &Settings, work: impl AsyncFnOnce(&Store) -> anyhow::Result<()>) -> anyhow::Result<()> {
    let data = settings.config()?.data;
    let own = rustix::process::geteuid().as_raw();
    if let Some(owner) = Store::owner(&data)?.filter(|&owner| owner != own) {
        bail!(
            "the store in {} belongs to the user id {owner}: work on it as that user, or the server cannot read what you write",
            data.display()
        );
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let store = Store::open(&data).await.with_context(|| format!("data: {}", data.display()))?;
        let outcome = work(&store).await;
        store.close().await;
        outcome
    })
}

/// Reads an identity, with or without the prefix that an API puts before it.
pub(super) fn identity(text: &str) -> Option<Uuid> {
    let bare = text.get(text.len().checked_sub(36)?..)?;
    Uuid::try_parse(bare).ok()
}

/// Makes a file that only its owner can read. It appears under its name once it is complete, and never replaces another.
pub(super) async fn whole_file(path: &Path, write: impl AsyncFnOnce(File) -> anyhow::Result<()>) -> anyhow::Result<()> {
    let taken = || anyhow::anyhow!("{} is there already, and is left as it is: name another file", path.display());
    if path.symlink_metadata().is_ok() {
        return Err(taken());
    }
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let file = tempfile::Builder::new().prefix(".offshoot-").tempfile_in(folder).with_context(|| folder.display().to_string())?;
    write(file.as_file().try_clone()?).await?;
    file.as_file().sync_all()?;
    match file.persist_noclobber(path) {
        Err(failed) if failed.error.kind() == ErrorKind::AlreadyExists => Err(taken()),
        Err(failed) => Err(failed.error).with_context(|| path.display().to_string()),
        Ok(_) => Ok(()),
    }
}
