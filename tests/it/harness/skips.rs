//! Reports and counts the tests that cannot be tried here, because a test that has tried nothing looks like one that has passed.

use std::io::Write;

/// The variable with the name of a file that gets a line for each test that is skipped for want of root; `.ci/run` fails if
/// there is one.
const KEPT: &str = "SKIPPED_TESTS";

/// Whether the tests run as root. If not, it reports that `what` is not tried.
pub fn is_root_for(what: &str) -> bool {
    let is_root = rustix::process::geteuid().is_root();
    if !is_root {
        let line = skipped(&format!("{what} is tried by root only"));
        if let Some(file) = std::env::var_os(KEPT) {
            let kept = std::fs::OpenOptions::new().create(true).append(true).open(file);
            kept.and_then(|mut kept| kept.write_all(line.as_bytes())).expect("what was skipped is kept");
        }
    }
    is_root
}

/// Reports that something is not tried, as the machine cannot do it, and why; returns the line.
pub fn skipped(why: &str) -> String {
    let line = format!("SKIPPED in {}: {why}\n", std::thread::current().name().unwrap_or("a test"));
    // Not by a macro, because their output is hidden if a test passes.
    let _ = std::io::stderr().write_all(line.as_bytes());
    line
}
