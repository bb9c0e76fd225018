//! Processes that have left the process group in which they were started. If this process is the subreaper, they become its children when
//! their parents end. A variable in their environment tells where they belong, unless they have changed it.

use std::{ffi::OsStr, fs, os::unix::ffi::OsStrExt, time::Duration};

use rustix::process::{Pid, Signal, WaitOptions, getpid, kill_process, waitpid};

/// How often we look for children. Each one that is killed may leave children of its own.
const TURNS: usize = 100;
/// The time between two checks whether a killed process has ended.
const PAUSE: Duration = Duration::from_millis(1);

/// Ends the children of this process that `is_stray` selects, and their children.
pub fn end(is_stray: impl Fn(i32) -> bool) {
    for _ in 0..TURNS {
        let strays: Vec<_> = children().into_iter().filter(|&pid| is_stray(pid)).filter_map(Pid::from_raw).collect();
        if strays.is_empty() {
            return;
        }
        for &pid in &strays {
            // The child has not been reaped, so the number cannot belong to another process.
            let _ = kill_process(pid, Signal::KILL);
        }
        // Not blocking: the end of a traced process is reported to its tracer first, so waiting here could take for ever.
        let is_left = |&pid: &Pid| matches!(waitpid(Some(pid), WaitOptions::NOHANG), Ok(None));
        if strays.iter().filter(|pid| is_left(pid)).count() > 0 {
            std::thread::sleep(PAUSE);
        }
    }
}

/// Whether a process was started with this variable in its environment.
#[must_use]
pub fn has(pid: i32, variable: &str, value: &OsStr) -> bool {
    let entry = [variable.as_bytes(), b"=", value.as_bytes()].concat();
    let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
    environment.split(|&byte| byte == 0).any(|variable| variable == entry)
}

/// The children of this process, which has one thread.
fn children() -> Vec<i32> {
    let list = fs::read_to_string(format!("/proc/self/task/{}/children", getpid().as_raw_nonzero())).unwrap_or_default();
    list.split_whitespace().filter_map(|pid| pid.parse().ok()).collect()
}
