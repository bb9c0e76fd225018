//! Loads packages and fonts into the zygote, each after a trial in a child: a thread that a library starts cannot be
//! stopped again, and would be missing in every session, as a fork copies one thread only. And what a package keeps of the
//! process that has loaded it would be the same in all sessions.

use std::{
    collections::BTreeSet,
    io,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use super::{
    fork, pages, setup,
    traces::{self, Before, Traces},
    trial::{Trial, TrialError},
};
use crate::r::{self, eval::SourceError, exec::RError};

/// Loads packages. Returns a warning for each that is not loaded, and notes on what sessions do about those that are.
///
/// # Errors
/// R's.
pub fn preload(packages: &[String]) -> Result<(Vec<String>, Vec<String>), RError> {
    let (mut warnings, mut notes) = (Vec::new(), Vec::new());
    let before: BTreeSet<String> = r::state::namespaces()?.into_iter().collect();
    for package in packages {
        match load(package) {
            Ok(tasks) => {
                notes.extend(tasks.into_iter().map(|task| format!("package {package} is preloaded, and each session has to {task}")));
            }
            Err(reason) => warnings.push(format!("package {package} is not preloaded: {reason}")),
        }
    }
    // Where sessions have to put their own folder.
    r::state::look(&traces::come_since(&before)?, &traces::temporary_folder())?;
    r::scripts::call(c"remember_folder")?;
    Ok((warnings, notes))
}

/// Loads a package. Returns what is left for each session to do.
fn load(package: &str) -> Result<Vec<String>, TrialError> {
    if r::state::namespaces()?.iter().any(|loaded| loaded == package) {
        return Ok(Vec::new());
    }
    let (first, mut differing) = compare(package)?;
    if !differing.is_empty() && first.obstacles.is_empty() {
        // The two may have differed by accident, for instance in the order of a table by addresses.
        let again = compare(package)?.1;
        differing.retain(|thing| again.contains(thing));
    }
    let kept = &first.obstacles | &differing;
    if !kept.is_empty() {
        return Err(TrialError::Keeps(listed(&kept)));
    }
    let mut tasks = r::scripts::load_package(package)?;
    if !first.folder_in.is_empty() {
        tasks.push(format!("put its own temporary folder into {}", listed(&first.folder_in)));
    }
    Ok(tasks)
}

/// Loads a package in two children. Returns the traces that it leaves, and what is not the same in the two.
fn compare(package: &str) -> Result<(Traces, BTreeSet<String>), TrialError> {
    let (first, second) = (prepare(package)?, prepare(package)?);
    let first: Traces = first.run()?;
    if first.asks_time {
        until_next_second();
    }
    let second: Traces = second.run()?;
    let differing = first.differing(&second);
    Ok((first, differing))
}

/// Makes a child that is to load a package, and to return the traces that this leaves.
fn prepare(package: &str) -> io::Result<Trial> {
    Trial::prepare(|| {
        setup::reseed_c();
        r::scripts::call(c"begin_session")?;
        let before = Before::now()?;
        r::scripts::load_package(package)?;
        before.traces()
    })
}

/// The first of these names, for a line of the log.
fn listed(names: &BTreeSet<String>) -> String {
    const MOST: usize = 8;
    let more = names.len().saturating_sub(MOST);
    let named = names.iter().take(MOST).map(String::as_str).collect::<Vec<_>>().join(", ");
    if more > 0 { format!("{named} and {more} more") } else { named }
}

/// Waits until the clock shows another second.
fn until_next_second() {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    std::thread::sleep(Duration::from_secs(now.as_secs() + 1).saturating_sub(now));
}

/// How the name of the thread begins that Pango has its map of fonts made by.
const THREAD_OF_PANGO: &str = "[pango]";

/// Loads the graphics libraries and fonts, if that starts no thread.
pub fn warm_graphics() -> Vec<String> {
    let draw = || {
        r::scripts::call(c"warm_graphics")?;
        if fork::has_thread(THREAD_OF_PANGO) {
            r::fonts::forget_map();
        }
        Ok::<_, RError>(())
    };
    match Trial::prepare(draw).map_err(TrialError::from).and_then(Trial::run::<()>).and_then(|()| Ok(draw()?)) {
        Ok(()) => Vec::new(),
        Err(reason) => vec![format!("the graphics libraries are loaded by each session anew: {reason}")],
    }
}

/// Reads the fonts again if they have changed, so that sessions that are forked later find them. Returns whether they have.
pub fn refresh_fonts() -> bool {
    let have_changed = r::fonts::have_changed();
    if have_changed {
        r::fonts::read_again();
        // If nothing can be drawn here, each session will do it.
        drop(warm_graphics());
    }
    have_changed
}

/// Evaluates code like that with which sessions begin, and what many of them do. R reads a function from disk when it is called for the first time,
/// and compiles it later: done here, no session has to do it in memory of its own.
///
/// # Errors
/// [`SourceError`].
pub fn warm_up() -> Result<(), SourceError> {
    const CODE: [&str; 2] = [
        "invisible(capture.output(print(c(a = 1.5)), print('b'), print(TRUE))); warning('w'); message('m'); suppressWarnings(1)",
        "stop('e')",
    ];
    let silent = r::console::silence_errors(true);
    for _ in 0..3 {
        r::scripts::call(c"begin_session")?;
        for code in CODE {
            // The last one fails, as it is meant to.
            let _ = r::eval::rehearse(code);
        }
        r::scripts::call(c"warm_statistics")?;
    }
    r::console::silence_errors(silent);
    Ok(())
}

/// Prepares the memory that sessions share, once all is loaded. Returns a warning if they share less than they could.
///
/// # Errors
/// R's.
pub fn settle() -> Result<Option<String>, RError> {
    let warning = r::immortal::immortalize().err().map(|message| format!("sessions share less memory than they could: {message}"));
    r::scripts::call(c"settle")?;
    pages::fill();
    pages::gather();
    Ok(warning)
}
