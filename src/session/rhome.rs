//! The environment in which R is started.

use std::{
    env::JoinPathsError,
    ffi::OsString,
    io,
    path::{Path, PathBuf},
    process::Command,
};

use crate::config;

/// What R's own start script adds to the environment, and an embedded R needs.
const FROM_R: [&str; 5] = ["R_SHARE_DIR", "R_INCLUDE_DIR", "R_DOC_DIR", "R_ARCH", "LD_LIBRARY_PATH"];
/// What is passed on from the server's environment. Everything else, secrets above all, is not.
const PASSED_ON: [&str; 8] = ["PATH", "TZ", "http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"];
/// Libraries that read these start their threads when they are loaded, before R's first line runs.
const ONE_THREAD: [&str; 5] = ["OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "BLIS_NUM_THREADS", "VECLIB_MAXIMUM_THREADS"];

/// Why R's environment cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum EnvironmentError {
    /// R's home is not one: this program of it cannot be run.
    #[error("r.home: {}", .0.display())]
    Home(PathBuf, #[source] io::Error),
    /// A folder of R packages has a name that cannot be in a list.
    #[error("r.libraries")]
    Libraries(#[source] JoinPathsError),
}

/// The whole environment of the zygote, and of R in processes of its own.
///
/// # Errors
/// [`EnvironmentError`]
pub fn environment(config: &config::R) -> Result<Vec<(OsString, OsString)>, EnvironmentError> {
    let mut variables: Vec<(OsString, OsString)> = Vec::new();
    for name in PASSED_ON {
        variables.extend(std::env::var_os(name).map(|value| (name.into(), value)));
    }
    variables.extend(from_r(&config.home)?);
    variables.push(("R_HOME".into(), config.home.clone().into()));
    // The profile of whoever started the server is not the sessions'.
    variables.push(("R_ENVIRON_USER".into(), "/dev/null".into()));
    variables.push(("R_LIBS_USER".into(), "NULL".into()));
    if !config.libraries.is_empty() {
        let libraries = std::env::join_paths(&config.libraries).map_err(EnvironmentError::Libraries)?;
        variables.push(("R_LIBS".into(), libraries));
    }
    for name in ["LANG", "LC_ALL"] {
        variables.push((name.into(), config.locale.clone().into()));
    }
    variables.extend(ONE_THREAD.map(|name| (name.into(), "1".into())));
    variables.extend(config.environment.iter().map(|(name, value)| (name.into(), value.into())));
    Ok(variables)
}

/// What R's start script would export: it alone knows where a distribution has put things.
fn from_r(home: &Path) -> Result<Vec<(OsString, OsString)>, EnvironmentError> {
    let program = home.join("bin/R");
    let output = Command::new(&program).args(["CMD", "env"]).env_remove("LD_LIBRARY_PATH").output();
    let output = output.map_err(|error| EnvironmentError::Home(program, error))?;
    let text = String::from_utf8_lossy(&output.stdout);
    let wanted = text.lines().filter_map(|line| line.split_once('=')).filter(|(name, _)| FROM_R.contains(name));
    Ok(wanted.map(|(name, value)| (name.into(), value.into())).collect())
}
