//! The resources that a process and the machine use, as the kernel shows them (proc(5)).

use std::fs;

use super::{memory::kibibytes, processes};

/// The resources that a process uses.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Usage {
    /// Memory beyond that with which the process was forked, in bytes.
    pub memory: u64,
    /// Processor time, in seconds, including that of its children that have ended.
    pub cpu_seconds: f64,
}

impl Usage {
    /// The present usage of process `pid`, which was forked with this much memory ([`forked_with`]); `None` when it has ended.
    ///
    /// The kernel has these numbers ready, whatever the size of the process. We do not ask which pages are shared, because the kernel would
    /// have to count page by page: `smaps_rollup` takes milliseconds.
    #[must_use]
    pub fn of(pid: i32, forked_with: u64) -> Option<Self> {
        let memory = own_memory(pid)?.saturating_sub(forked_with);
        let stat = processes::read(format!("/proc/{pid}/stat"))?;
        Some(Self { memory, cpu_seconds: cpu_seconds(&stat)? })
    }
}

/// The memory, in bytes, with which forks of a process begin.
#[must_use]
pub fn forked_with(parent: i32) -> u64 {
    own_memory(parent).unwrap_or(0)
}

/// Memory of a process that belongs to no file, in bytes. A fork begins with that of its parent.
fn own_memory(pid: i32) -> Option<u64> {
    pages_of_its_own(&processes::read(format!("/proc/{pid}/statm"))?).map(|pages| pages * rustix::param::page_size() as u64)
}

/// The second field minus the third.
fn pages_of_its_own(statm: &str) -> Option<u64> {
    let mut fields = statm.split_whitespace().skip(1).map(|field| field.parse::<u64>().ok());
    fields.next()??.checked_sub(fields.next()??)
}

/// The memory that is available to programs, in bytes.
#[must_use]
pub fn available_memory() -> Option<u64> {
    Some(kibibytes(&fs::read_to_string("/proc/meminfo").ok()?, "MemAvailable:")? << 10)
}

/// Whether less than a quarter of the machine's memory is available.
#[must_use]
pub fn is_memory_scarce() -> bool {
    let Ok(memory) = fs::read_to_string("/proc/meminfo") else { return false };
    let [available, total] = ["MemAvailable:", "MemTotal:"].map(|name| kibibytes(&memory, name).unwrap_or(0));
    available < total / 4
}

/// The sum of `utime`, `stime`, `cutime` and `cstime`. The second field may contain spaces and parentheses.
fn cpu_seconds(stat: &str) -> Option<f64> {
    let (_, rest) = stat.rsplit_once(')')?;
    let ticks: Vec<u64> = rest.split_whitespace().skip(11).take(4).filter_map(|field| field.parse().ok()).collect();
    #[expect(clippy::cast_precision_loss, reason = "ticks of a process's life")]
    let seconds = ticks.iter().sum::<u64>() as f64 / rustix::param::clock_ticks_per_second() as f64;
    (ticks.len() == 4).then_some(seconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_uses_something() {
        let own = std::process::id().cast_signed();
        let usage = Usage::of(own, forked_with(i32::MAX)).unwrap();
        assert!(usage.memory > 100_000 && usage.cpu_seconds >= 0.0);
        assert_eq!(Usage::of(i32::MAX, 0), None);
        assert!(available_memory().unwrap() > 0);
    }

    #[test]
    fn fields_are_found_behind_any_name() {
        let stat = "7 (a) b (c) S 1 2 3 4 5 6 7 8 9 10 100 20 3 4 20 0 1 0";
        let ticks = rustix::param::clock_ticks_per_second() as f64;
        assert_eq!(cpu_seconds(stat), Some(127.0 / ticks));
        assert_eq!(pages_of_its_own("9000 700 90 1 0 800 0"), Some(610));
        assert_eq!(kibibytes("MemTotal:  900 kB\nMemAvailable:     712 kB\n", "MemAvailable:"), Some(712));
    }
}
