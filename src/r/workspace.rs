//! Saves the objects and surroundings of a session to files, and loads them back. `r-init/workspace.R` does the work.

use std::path::Path;

use super::{exec::RError, scripts::ask};

/// Writes all objects of the global environment into a new file.
///
/// # Errors
/// R's.
pub fn save(file: &Path) -> Result<(), RError> {
    ask(c"save_workspace", &[&file.to_string_lossy()]).map(drop)
}

/// Writes one object into a new file; false when there is none of that name.
///
/// # Errors
/// R's.
pub fn save_object(file: &Path, name: &str) -> Result<bool, RError> {
    Ok(ask(c"save_object", &[&file.to_string_lossy(), name])?.first().is_some_and(|answer| answer == "saved"))
}

/// Loads a file that `save()` or `saveRDS()` has written. A file of `saveRDS()` holds one object without a name, which is
/// then called `name`. Returns warnings.
///
/// # Errors
/// R's.
pub fn load(file: &Path, name: &str) -> Result<Vec<String>, RError> {
    ask(c"load_stored", &[&file.to_string_lossy(), name])
}

/// R's working folder, relative to `work`, and the packages that are attached, in order.
///
/// # Errors
/// R's.
pub fn describe(work: &Path) -> Result<(String, Vec<String>), RError> {
    let mut answer = ask(c"describe_session", &[&work.to_string_lossy()])?.into_iter();
    Ok((answer.next().unwrap_or_default(), answer.collect()))
}

/// Brings another session to what [`describe`] has told of one. Returns warnings.
///
/// # Errors
/// R's.
pub fn restore(work: &Path, folder: &str, packages: &[String]) -> Result<Vec<String>, RError> {
    let work = work.to_string_lossy();
    let arguments: Vec<&str> = [&*work, folder].into_iter().chain(packages.iter().map(String::as_str)).collect();
    ask(c"restore_session", &arguments)
}
