//! Processes that have left the group of the session that started them, where sessions have no users of their own.
//!
//! They become children of the zygote when their parents end. Whose they are is told by their environment.

use std::{fs, os::unix::ffi::OsStrExt, path::Path, time::Duration};

use rustix::process::{Pid, Signal, WaitOptions, getpid, kill_process, waitpid};

use super::confine;

/// How often children are looked for: each that is ended may leave some of its own.
const TURNS: usize = 100;
/// Between two looks whether one that was killed has ended.
const PAUSE: Duration = Duration::from_millis(1);

/// Ends the children of this process that `is_stray` names, and theirs.
pub fn end(is_stray: impl Fn(i32) -> bool) {
    for _ in 0..TURNS {
        let strays: Vec<_> = children().into_iter().filter(|&pid| is_stray(pid)).filter_map(Pid::from_raw).collect();
        if strays.is_empty() {
            return;
        }
        for &pid in &strays {
            // It is not reaped yet, so that its number is its own.
            let _ = kill_process(pid, Signal::KILL);
        }
        // One that another traces is told to that one first, and waiting for it here could take for ever.
        let is_left = |&pid: &Pid| matches!(waitpid(Some(pid), WaitOptions::NOHANG), Ok(None));
        if strays.iter().filter(|pid| is_left(pid)).count() > 0 {
            std::thread::sleep(PAUSE);
        }
    }
}

/// Whether a process was started by the session that has this folder.
#[must_use]
pub fn is_of(pid: i32, folder: &Path) -> bool {
    let mut entry = confine::SESSION_FOLDER.as_bytes().to_vec();
    entry.push(b'=');
    entry.extend_from_slice(folder.as_os_str().as_bytes());
    let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
    environment.split(|&byte| byte == 0).any(|variable| variable == entry)
}

/// The children of this process, which has one thread.
fn children() -> Vec<i32> {
    let list = fs::read_to_string(format!("/proc/self/task/{}/children", getpid().as_raw_nonzero())).unwrap_or_default();
    list.split_whitespace().filter_map(|pid| pid.parse().ok()).collect()
}
