//! `offshoot backup` and `offshoot restore`

use std::{
    fs::File,
    io::{BufReader, IsTerminal, Write},
    path::{Path, PathBuf},
};

use anyhow::{Context, bail};
use clap::Args;

use super::{
    Settings,
    administration::{on_any_store, on_store, whole_file},
};

#[derive(Debug, Args)]
pub(super) struct Backup {
    #[command(flatten)]
    settings: Settings,
    /// The ZIP file to make; it must not exist yet
    file: PathBuf,
}

#[derive(Debug, Args)]
pub(super) struct Restore {
    #[command(flatten)]
    settings: Settings,
    /// A file that `offshoot backup` has made, of the same release
    file: PathBuf,
    /// Do not ask whether everything may be replaced
    #[arg(long)]
    yes: bool,
}

pub(super) fn backup(backup: &Backup) -> anyhow::Result<()> {
    on_store(&backup.settings, async |store| whole_file(&backup.file, async |file| Ok(store.backup(file).await?)).await)
}

pub(super) fn restore(restore: &Restore) -> anyhow::Result<()> {
    let named = || restore.file.display().to_string();
    let file = File::open(&restore.file).with_context(named)?;
    if !restore.yes && !agreed(&restore.file, &restore.settings.config()?.data)? {
        bail!("nothing was changed");
    }
    on_any_store(&restore.settings, async |store| store.restore(BufReader::new(file)).await.with_context(named))
}

fn agreed(file: &Path, data: &Path) -> anyhow::Result<bool> {
    if !std::io::stdin().is_terminal() {
        bail!("there is no terminal to ask whether all in {} may be replaced; say so by --yes", data.display());
    }
    write!(std::io::stderr(), "Replace everything in {} by {}? Logins and sessions end. [y/N] ", data.display(), file.display())?;
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer)?;
    Ok(answer.trim().eq_ignore_ascii_case("y"))
}
