//! Loading packages and fonts into the zygote, each after a trial: a thread that a library starts would be
//! dead in every session, and cannot be stopped once it is there.

use std::io::{self, Read, Write};

use super::{
    fork::{self, Side},
    pages,
};
use crate::r;

/// Loads the packages that can be; returns a warning for each that cannot.
pub fn preload(packages: &[String]) -> Vec<String> {
    let mut warnings = Vec::new();
    for package in packages {
        let load = || r::scripts::load_package(package);
        if let Err(reason) = trial(load).and_then(|()| load()) {
            warnings.push(format!("package {package} is not preloaded: {reason}"));
        }
    }
    warnings
}

/// Loads the graphics libraries and fonts, if that starts no thread.
pub fn warm_graphics() -> Vec<String> {
    let draw = || r::scripts::call(c"warm_graphics");
    match trial(draw).and_then(|()| draw()) {
        Ok(()) => Vec::new(),
        Err(reason) => vec![format!("the graphics libraries are loaded by each session anew: {reason}")],
    }
}

/// Does once what sessions do first. R takes a function out of its library when it is called for the first time, and
/// compiles it the second time: what has been taken and compiled here, no session has to, in memory of its own.
///
/// # Errors
/// R's message.
pub fn warm_up() -> Result<(), String> {
    const CODE: [&str; 2] = [
        "invisible(capture.output(print(c(a = 1.5)), print('b'), print(TRUE))); warning('w'); message('m'); suppressWarnings(1)",
        "stop('e')",
    ];
    let silent = r::console::silence_errors(true);
    for _ in 0..3 {
        r::scripts::call(c"begin_session")?;
        for code in CODE {
            let code = r::eval::parse(code).map_err(|error| error.message)?;
            let _ = r::eval::run(&code, false);
            let _ = r::eval::value(&code, None);
            let _ = r::conditions::take();
        }
    }
    r::console::silence_errors(silent);
    Ok(())
}

/// Lays out for sessions what they share, when all of it is there; returns a warning if they share less than they could.
///
/// # Errors
/// R's message.
pub fn settle() -> Result<Option<String>, String> {
    let warning = r::still::settle().err().map(|message| format!("sessions share less memory than they could: {message}"));
    r::scripts::call(c"settle")?;
    pages::fill();
    pages::gather();
    Ok(warning)
}

/// Does the work in a child, to see what it would do to this process.
fn trial(work: impl FnOnce() -> Result<(), String>) -> Result<(), String> {
    let (mut reader, mut writer) = io::pipe().map_err(|error| error.to_string())?;
    match fork::fork().map_err(|error| error.to_string())? {
        Side::Child => {
            drop(reader);
            let outcome = match work() {
                Err(message) => message,
                Ok(()) if !fork::is_alone() => "it starts a thread, which would not live in the sessions".to_owned(),
                Ok(()) => "ok".to_owned(),
            };
            let _ = writer.write_all(outcome.as_bytes());
            fork::end(0)
        }
        Side::Parent(_) => {
            // The zygote's loop is not running yet: the child is reaped there, among others.
            drop(writer);
            let mut outcome = String::new();
            reader.read_to_string(&mut outcome).map_err(|error| error.to_string())?;
            match outcome.as_str() {
                "ok" => Ok(()),
                "" => Err("it ends the process that loads it".to_owned()),
                message => Err(message.to_owned()),
            }
        }
    }
}
