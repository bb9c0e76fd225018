//! Applies the settings when sessions are started.

use std::path::{Path, PathBuf};

use super::{failure::StartError, worker::ASIDE};
use crate::{
    config,
    link::messages::{Limits, Network, Sandbox, Wanted},
    system::{janitor::Janitor, removal, users::Users},
};

/// The program that runs the janitor, which is the server's. It is looked for beside the worker program, if the settings name one, and
/// otherwise it is this program.
pub(super) fn janitor_program(r: &config::RSettings) -> PathBuf {
    let beside_workers = r.worker.with_file_name("offshoot");
    // The program that this process was started from, even if a new version has replaced it meanwhile.
    if r.worker.is_absolute() && beside_workers.is_file() { beside_workers } else { "/proc/self/exe".into() }
}

/// The user ids that the configuration provides for sessions, whose folders are in `folder`.
pub(super) fn users(config: &config::SessionSettings, folder: &Path, janitor: &Janitor) -> Result<Users, StartError> {
    let Some(range) = config.user_range().map_err(StartError::Setting)? else { return Ok(Users::default()) };
    match Users::lease(range, folder, janitor) {
        Ok(users) => Ok(users),
        Err(obstacle) if config.users == "auto" => {
            tracing::warn!("sessions run as the server does, and can see each other's files and the store: {obstacle}");
            Ok(Users::default())
        }
        Err(obstacle) => Err(StartError::Users(obstacle)),
    }
}

/// Has everything in a folder removed, while new files may already be made there.
///
/// # Errors
/// When nothing can be made in the folder.
pub fn clear(folder: &Path, janitor: &Janitor) -> Result<(), StartError> {
    let aside = folder.join(ASIDE);
    let left = removal::set_aside(folder, &aside).map_err(|error| StartError::Folder(folder.to_owned(), error))?;
    let janitor = janitor.clone();
    tokio::spawn(async move {
        let removals = left.into_iter().map(|path| janitor.remove(path));
        for failure in futures_util::future::join_all(removals).await.into_iter().filter_map(Result::err) {
            tracing::warn!(error = failure, "what an earlier run has left could not be removed");
        }
        let _ = std::fs::remove_dir(aside);
    });
    Ok(())
}

/// R's interface is only stable within a minor version, so another one gets a warning.
pub(super) fn warn_of_another_r(running: &str) {
    let built_for = env!("BUILT_FOR_R_VERSION");
    let minor = |version: &str| version.rsplit_once('.').map(|(minor, _)| minor.to_owned());
    if minor(running) != minor(built_for) {
        tracing::warn!("this is R {running}, and Offshoot was built for R {built_for}: build it again");
    }
}

pub(super) fn limits(config: &config::SessionSettings) -> Limits {
    let some = |value: u64| Some(value).filter(|&value| value > 0);
    Limits {
        memory: some(config.memory_mib << 20),
        cpu_seconds: some(config.cpu_seconds),
        processes: some(config.processes),
        file_size: some(config.file_size_mib << 20),
        disk: some(config.disk_mib << 20),
        network: network(config),
    }
}

/// The walls around sessions, which are to keep them from these places.
#[must_use]
pub fn sandbox(config: &config::SessionSettings, hidden: Vec<PathBuf>) -> Sandbox {
    let wanted = match config.sandbox {
        config::SandboxMode::Auto => Wanted::Possible,
        config::SandboxMode::Require => Wanted::All,
        config::SandboxMode::Off => Wanted::None,
    };
    Sandbox { wanted, readable: config.readable.clone(), writable: config.writable.clone(), hidden, network: network(config) }
}

fn network(config: &config::SessionSettings) -> Network {
    match config.network {
        config::NetworkMode::Full => Network::Full,
        config::NetworkMode::Outbound => Network::Outbound,
        config::NetworkMode::None => Network::None,
    }
}
