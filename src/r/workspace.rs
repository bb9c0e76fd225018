//! The session's objects and surroundings, to files and back; `r-init/workspace.R` does the work.

use std::path::Path;

use super::scripts::ask;

/// Writes all objects of the global environment into a new file.
///
/// # Errors
/// R's message.
pub fn save(file: &Path) -> Result<(), String> {
    ask(c"save_workspace", &[&file.to_string_lossy()]).map(drop)
}

/// Writes one object into a new file; false when there is none of that name.
///
/// # Errors
/// R's message.
pub fn save_object(file: &Path, name: &str) -> Result<bool, String> {
    Ok(ask(c"save_object", &[&file.to_string_lossy(), name])?.first().is_some_and(|answer| answer == "saved"))
}

/// Loads what `save()` or `saveRDS()` has written; in the latter case it is called `name`. Returns warnings.
///
/// # Errors
/// R's message.
pub fn load(file: &Path, name: &str) -> Result<Vec<String>, String> {
    ask(c"load_stored", &[&file.to_string_lossy(), name])
}

/// Where code runs, relative to `work`, and the packages that it has attached, in order.
///
/// # Errors
/// R's message.
pub fn describe(work: &Path) -> Result<(String, Vec<String>), String> {
    let mut answer = ask(c"describe_session", &[&work.to_string_lossy()])?.into_iter();
    Ok((answer.next().unwrap_or_default(), answer.collect()))
}

/// The same again, in another session. Returns warnings.
///
/// # Errors
/// R's message.
pub fn restore(work: &Path, folder: &str, packages: &[String]) -> Result<Vec<String>, String> {
    let work = work.to_string_lossy();
    let arguments: Vec<&str> = [&*work, folder].into_iter().chain(packages.iter().map(String::as_str)).collect();
    ask(c"restore_session", &arguments)
}
