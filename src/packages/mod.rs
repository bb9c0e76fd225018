//! R packages in a library of the server's own, which every session has on its search path.
//!
//! R installs them in a process of its own, into a temporary folder; if sessions have user ids of their own, so has that
//! process, and it is in the sandbox that sessions are in. The result is checked, made the server's property, and moved into the library. So a session sees a package
//! whole or not at all, and no code of a package can write to the library.

mod library;
mod process;

use std::{path::PathBuf, time::Duration};

use tokio::sync::Mutex;
use uuid::Uuid;

use crate::{
    config,
    link::messages::{Sandbox, Wanted},
    system::{
        janitor::Janitor,
        users::{User, Users},
    },
    worker::folders,
};

/// Where a package comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// The repositories of the configuration, and the package's name.
    Repositories(String),
    /// GitHub: `owner/repository`, and a branch, tag or commit.
    GitHub(String, String),
    /// Bioconductor, and the package's name.
    Bioconductor(String),
}

/// Packages could not be installed or removed.
#[derive(Debug, thiserror::Error)]
pub enum PackageError {
    /// R has failed; its last lines say why.
    #[error("R could not install the package. Its last lines:\n{0}")]
    Failed(String),
    /// It took longer than it may, in seconds.
    #[error("the installation was stopped at its time limit of {0} seconds; R's last lines:\n{1}")]
    TimeLimit(u64, String),
    /// The package is not in the server's library.
    #[error("package {0} is not in the server's library")]
    NotOurs(String),
    /// The system failed.
    #[error("packages cannot be installed")]
    System(#[from] std::io::Error),
    /// All user ids are in use.
    #[error("packages cannot be installed now: {0}")]
    NoUser(&'static str),
}

/// The packages of the server.
#[derive(Debug)]
pub struct Packages {
    library: PathBuf,
    /// Where temporary folders are made.
    run: PathBuf,
    r: config::RSettings,
    users: Users,
    janitor: Janitor,
    sandbox: Sandbox,
    /// Lets one installation or removal run at a time.
    turn: Mutex<()>,
}

/// Whether this can be the name of a package, or a part of a repository's name. It is passed to R and used in paths.
#[must_use]
pub fn is_name(name: &str) -> bool {
    (1..=100).contains(&name.len())
        && name.starts_with(|first: char| first.is_ascii_alphanumeric())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-_".contains(&byte))
}

/// Whether this can be a branch, a tag or a commit.
#[must_use]
pub fn is_ref(name: &str) -> bool {
    (1..=200).contains(&name.len())
        && name.starts_with(|first: char| first.is_ascii_alphanumeric())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-_/".contains(&byte))
        && !name.contains("..")
}

impl Packages {
    /// Packages in `library`, which R has on its search path; `run` is a folder on the same file system. R that installs them has the walls of
    /// `sandbox` around it.
    #[must_use]
    pub fn new(library: PathBuf, run: PathBuf, r: config::RSettings, sandbox: Sandbox, users: Users, janitor: Janitor) -> Self {
        // Where a wall cannot be had, sessions are refused if that was wanted; so the server would not run.
        let wanted = if sandbox.wanted == Wanted::None { Wanted::None } else { Wanted::Possible };
        Self { library, run, r, users, janitor, sandbox: Sandbox { wanted, ..sandbox }, turn: Mutex::default() }
    }

    /// Installs a package and those it depends on. If it is installed already, it is replaced.
    ///
    /// # Errors
    /// [`PackageError`]; nothing has changed then.
    pub async fn install(&self, source: &Source) -> Result<(), PackageError> {
        let (action, name, reference) = match source {
            Source::Repositories(name) => ("cran", name, ""),
            Source::GitHub(name, reference) => ("github", name, reference.as_str()),
            Source::Bioconductor(name) => ("bioconductor", name, ""),
        };
        self.run(action, name, reference).await
    }

    /// Installs newer versions of all packages on the search path. If some of them fail, the others stay installed.
    ///
    /// # Errors
    /// [`PackageError`]
    pub async fn update(&self) -> Result<(), PackageError> {
        self.run("update", "", "").await
    }

    /// Removes a package of the server's library.
    ///
    /// # Errors
    /// [`PackageError::NotOurs`], [`PackageError::System`]
    pub async fn remove(&self, name: &str) -> Result<(), PackageError> {
        let _turn = self.turn.lock().await;
        if !is_name(name) || !self.library.join(name).is_dir() {
            return Err(PackageError::NotOurs(name.to_owned()));
        }
        let (library, run, name) = (self.library.clone(), self.run.clone(), name.to_owned());
        let log_name = name.clone();
        let removed = tokio::task::spawn_blocking(move || library::remove(&library, &run, &name));
        removed.await.map_err(std::io::Error::other)??;
        tracing::info!(package.name = log_name, "package removed");
        Ok(())
    }

    async fn run(&self, action: &str, name: &str, reference: &str) -> Result<(), PackageError> {
        let _turn = self.turn.lock().await;
        let user = self.users.take().await.map_err(PackageError::NoUser)?;
        let stage = self.stage(user.as_ref().map(User::id))?;
        let job = process::ScriptRun {
            r: &self.r,
            stage: &stage.folder,
            library: &self.library,
            user: stage.user,
            limit: Duration::from_secs(self.r.install_seconds),
            janitor: &self.janitor,
            sandbox: &self.sandbox,
        };
        tracing::info!(package.name = name, action, "packages are being installed");
        let outcome = job.run(&[action, name, reference]).await;
        if outcome.is_ok() || action == "update" {
            let (from, library, run) = (stage.folder.join(process::LIBRARY), self.library.clone(), self.run.clone());
            let owner = stage.user;
            let taken = tokio::task::spawn_blocking(move || library::take(&from, &library, &run, owner));
            for package in taken.await.map_err(std::io::Error::other)?? {
                tracing::info!(package.name = package, "package installed");
            }
        }
        // While the user id is still reserved for this installation.
        stage.remove().await;
        drop(user);
        if let Err(error) = &outcome {
            tracing::warn!(package.name = name, action, %error, "packages could not be installed");
        }
        outcome
    }

    /// A folder to install into.
    fn stage(&self, user: Option<u32>) -> Result<Stage, PackageError> {
        let stage = Stage { folder: self.run.join(format!("install-{}", Uuid::new_v4())), user, janitor: self.janitor.clone() };
        let ids = user.map(|user| (user, user));
        folders::private(&stage.folder, ids).map_err(std::io::Error::from)?;
        for name in [process::LIBRARY, process::TEMPORARY] {
            folders::private(&stage.folder.join(name), ids).map_err(std::io::Error::from)?;
        }
        Ok(stage)
    }
}

/// A folder to install into. It is removed at the end, even if the installation is cancelled.
struct Stage {
    folder: PathBuf,
    user: Option<u32>,
    janitor: Janitor,
}

impl Stage {
    async fn remove(&self) {
        if let Err(error) = self.janitor.remove(self.folder.clone()).await {
            tracing::warn!(error, "a folder could not be removed");
        }
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        let (janitor, folder) = (self.janitor.clone(), self.folder.clone());
        if folder.exists() {
            tokio::spawn(async move { janitor.remove(folder).await });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_refs_are_neither_options_nor_paths() {
        for name in ["dsBase", "data.table", "a1", "my-package", "R6"] {
            assert!(is_name(name), "{name}");
        }
        for name in ["", "-e", "..", ".hidden", "a/b", "a b", "a'b", "a\\b", "größe", "a\0"] {
            assert!(!is_name(name), "{name}");
        }
        assert!(is_ref("v1.2.3") && is_ref("feature/x") && is_ref("0a1b2c"));
        assert!(!is_ref("") && !is_ref("-x") && !is_ref("a..b") && !is_ref("a b") && !is_ref("/a"));
    }
}
