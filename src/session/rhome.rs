//! The environment variables with which R is started.

use std::{
    env::JoinPathsError,
    ffi::OsString,
    io,
    path::{Path, PathBuf},
    process::Command,
};

use crate::{config, system::search};

/// Variables that R's own start script sets, and that embedded R needs.
const FROM_R: [&str; 5] = ["R_SHARE_DIR", "R_INCLUDE_DIR", "R_DOC_DIR", "R_ARCH", "LD_LIBRARY_PATH"];
/// Variables that are passed on from the server's environment. All others are not, because they may be secrets.
const PASSED_ON: [&str; 8] = ["PATH", "TZ", "http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"];
/// Set to 1, because these libraries would start threads as soon as they are loaded, before R's first line runs.
const ONE_THREAD: [&str; 5] = ["OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "BLIS_NUM_THREADS", "VECLIB_MAXIMUM_THREADS"];
/// Lists of folders, in which there may be some that only the server's own user may search.
const LISTS: [&str; 6] = ["PATH", "LD_LIBRARY_PATH", "R_LIBS", "MANPATH", "XDG_DATA_DIRS", "XDG_CONFIG_DIRS"];
/// Fortran's library reads this when it is loaded. Otherwise it would keep what `write(*,*)` prints in a buffer, as the console is no
/// terminal, and a session may end without emptying it.
const FORTRAN_WRITES_AT_ONCE: (&str, &str) = ("GFORTRAN_UNBUFFERED_PRECONNECTED", "1");

/// Why R's environment cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum EnvironmentError {
    /// R's home is wrong: this program in it cannot be run.
    #[error("r.home: {}", .0.display())]
    Home(PathBuf, #[source] io::Error),
    /// The name of a folder of R packages cannot be part of a list.
    #[error("r.libraries")]
    Libraries(#[source] JoinPathsError),
}

/// The whole environment of the zygote, and of R processes that are not sessions. `others` tells that what runs there has not the server's
/// user.
///
/// # Errors
/// [`EnvironmentError`]
pub fn environment(config: &config::RSettings, others: bool) -> Result<Vec<(OsString, OsString)>, EnvironmentError> {
    let mut variables: Vec<(OsString, OsString)> = Vec::new();
    for name in PASSED_ON {
        variables.extend(std::env::var_os(name).map(|value| (name.into(), value)));
    }
    variables.extend(from_r(&config.home)?);
    variables.push(("R_HOME".into(), config.home.clone().into()));
    // Sessions must not read the profile of the user who started the server.
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
    variables.push((FORTRAN_WRITES_AT_ONCE.0.into(), FORTRAN_WRITES_AT_ONCE.1.into()));
    variables.extend(config.environment.iter().map(|(name, value)| (name.into(), value.into())));
    if others {
        for (name, list) in variables.iter_mut().filter(|(name, _)| LISTS.iter().any(|known| name == known)) {
            let open = search::open_to_others(list);
            if name == "R_LIBS" && open != *list {
                tracing::warn!("r.libraries: sessions may not search all of these folders, and use only {}", open.display());
            }
            *list = open;
        }
    }
    Ok(variables)
}

/// Variables that R's start script exports. Only the script knows where a distribution has put things.
fn from_r(home: &Path) -> Result<Vec<(OsString, OsString)>, EnvironmentError> {
    let program = home.join("bin/R");
    let output = Command::new(&program).args(["CMD", "env"]).env_remove("LD_LIBRARY_PATH").output();
    let output = output.map_err(|error| EnvironmentError::Home(program, error))?;
    let text = String::from_utf8_lossy(&output.stdout);
    let wanted = text.lines().filter_map(|line| line.split_once('=')).filter(|(name, _)| FROM_R.contains(name));
    Ok(wanted.map(|(name, value)| (name.into(), value.into())).collect())
}
