//! Processes that nobody waits for. They become children of this process when the parent that should have reaped them has died, or when
//! this is the first process of a container.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use rustix::process::{Pid, WaitOptions, getpid, waitpid};

use super::processes;

/// How long a child stays unreaped. Code that waits for a child of its own has done so by then.
const GRACE: Duration = Duration::from_secs(10);

/// Children that have ended, and when this was noticed.
#[derive(Debug, Default)]
pub struct Orphans(HashMap<i32, Instant>);

impl Orphans {
    /// Reaps children that have ended a while ago.
    pub fn reap(&mut self) {
        let ended: Vec<_> = children().into_iter().filter(|&pid| has_ended(pid)).collect();
        self.0.retain(|pid, _| ended.contains(pid));
        for pid in ended {
            let since = *self.0.entry(pid).or_insert_with(Instant::now);
            if since.elapsed() >= GRACE
                && let Some(process) = Pid::from_raw(pid)
            {
                let _ = waitpid(Some(process), WaitOptions::NOHANG);
            }
        }
    }
}

/// The children of all threads of this process.
fn children() -> Vec<i32> {
    let Ok(tasks) = std::fs::read_dir(format!("/proc/{}/task", getpid().as_raw_nonzero())) else { return Vec::new() };
    let lists = tasks.flatten().filter_map(|task| std::fs::read_to_string(task.path().join("children")).ok());
    lists.flat_map(|list| list.split_ascii_whitespace().filter_map(|pid| pid.parse().ok()).collect::<Vec<_>>()).collect()
}

/// Whether a process has ended and has not been reaped.
fn has_ended(pid: i32) -> bool {
    processes::has_ended(&processes::read(format!("/proc/{pid}/stat")).unwrap_or_default())
}
