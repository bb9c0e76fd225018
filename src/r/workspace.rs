//! Saves the objects and surroundings of a session to files, and loads them back. `r-init/workspace.R` does the work.

use std::path::Path;

use super::{
    exec::RError,
    objects,
    scripts::{self, ask},
};

/// Most bytes of a sentence about an object: an error of R's can have a text of any length.
const SENTENCE: usize = 1000;

/// What [`save`] has written.
#[derive(Debug, Default)]
pub struct SavedObjects {
    /// A sentence for each object that is not there.
    pub unsaved: Vec<String>,
    /// Whether all is in the pipe.
    pub piped: bool,
}

/// Writes the objects of the global environment into a new file. If there is a pipe, they are written into that instead, provided that they
/// can be written in one attempt. If `evaluate` is false, nothing is computed for it: active bindings are left out, and promises are saved as
/// they are.
///
/// # Errors
/// R's, also if no object can be written. There is no file then.
pub fn save(file: &Path, pipe: Option<&Path>, evaluate: bool) -> Result<SavedObjects, RError> {
    let promises = if evaluate { Vec::new() } else { objects::promises()? };
    let (path, first) = (file.to_string_lossy(), pipe.unwrap_or(file).to_string_lossy());
    let arguments: Vec<&str> =
        [&*path, &*first, if evaluate { "TRUE" } else { "FALSE" }].into_iter().chain(promises.iter().map(String::as_str)).collect();
    let mut answer = whole(file, ask(c"save_workspace", &arguments))?.into_iter();
    let piped = answer.next().is_some_and(|written| written == first) && pipe.is_some();
    let mut unsaved: Vec<_> = answer.collect();
    unsaved.iter_mut().for_each(|sentence| sentence.truncate(sentence.floor_char_boundary(SENTENCE)));
    Ok(SavedObjects { unsaved, piped })
}

/// Writes one object into a new file; false when there is none of that name.
///
/// # Errors
/// R's. There is no file then.
pub fn save_object(file: &Path, name: &str) -> Result<bool, RError> {
    let saved = whole(file, ask(c"save_object", &[&file.to_string_lossy(), name]))?;
    Ok(saved.first().is_some_and(|answer| answer == "saved"))
}

/// Removes a file that was not written to its end.
fn whole<T>(file: &Path, written: Result<T, RError>) -> Result<T, RError> {
    written.inspect_err(|_| {
        let _ = std::fs::remove_file(file);
    })
}

/// Loads a file that `save()` or `saveRDS()` has written. A file of `saveRDS()` holds one object without a name, which is
/// then called `name`. Returns warnings.
///
/// # Errors
/// R's.
pub fn load(file: &Path, name: &str) -> Result<Vec<String>, RError> {
    ask(c"load_stored", &[&file.to_string_lossy(), name])
}

/// Loads objects that are in memory: what `save()` has written, without its first line and not compressed. Returns warnings.
///
/// # Errors
/// R's.
pub fn load_serialized(objects: &[u8]) -> Result<Vec<String>, RError> {
    scripts::ask_of_bytes(c"load_serialized", objects)
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
    if folder.is_empty() && packages.is_empty() {
        return Ok(Vec::new());
    }
    let work = work.to_string_lossy();
    let arguments: Vec<&str> = [&*work, folder].into_iter().chain(packages.iter().map(String::as_str)).collect();
    ask(c"restore_session", &arguments)
}
