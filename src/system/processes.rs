//! Processes, as the kernel shows them in `/proc` (proc(5)).

use std::{collections::HashMap, fs, io, os::unix::fs::MetadataExt, path::Path, time::Duration};

use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

/// The ids of all processes.
pub fn all() -> impl Iterator<Item = i32> {
    fs::read_dir("/proc").into_iter().flatten().flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

/// Whether a user has a process that still runs. The kernel also counts processes that have ended but have not been reaped by their parent;
/// they do nothing any more.
#[must_use]
pub fn has_any(user: u32) -> bool {
    // The kernel tells at once that there is none, which is the usual case.
    has_processes(user) && all().any(|pid| user_of(pid) == Some(user) && is_running(pid))
}

/// Whether a user has any process, including those that have ended but have not been reaped. The kernel tells at once.
#[must_use]
pub fn has_processes(user: u32) -> bool {
    // SAFETY: plain system calls. -1 is also a valid priority, so success is recognized by the error being unset.
    unsafe {
        *libc::__errno_location() = 0;
        libc::getpriority(libc::PRIO_USER, user) != -1 || *libc::__errno_location() == 0
    }
}

/// How often we check whether the child has killed the processes of its user, and the time between two checks.
const LOOKS: usize = 100;
const PAUSE: Duration = Duration::from_millis(1);

/// Kills all processes of a user, wherever they are. Only root can do this: a child becomes that user and kills them, because the kernel
/// then kills all at once. One of the processes may stop or kill the child first, so the caller may have to try again.
pub fn kill_all_of(user: u32) {
    // SAFETY: the child makes two system calls and ends; its number is its own until it is waited for here.
    unsafe {
        match libc::fork() {
            0 => {
                if libc::setresuid(user, user, user) == 0 {
                    libc::kill(-1, libc::SIGKILL);
                }
                libc::_exit(0)
            }
            child if child > 0 => {
                for _ in 0..LOOKS {
                    if libc::waitpid(child, std::ptr::null_mut(), libc::WNOHANG) != 0 {
                        return;
                    }
                    std::thread::sleep(PAUSE);
                }
                libc::kill(child, libc::SIGKILL);
                libc::waitpid(child, std::ptr::null_mut(), 0);
            }
            _ => {}
        }
    }
}

/// Kills the processes of a user one by one. Processes that are made meanwhile escape, but none can prevent this.
pub fn kill_each_of(user: u32) {
    for pid in all().filter(|&pid| user_of(pid) == Some(user)).filter_map(Pid::from_raw) {
        // Another process may have the number by now, but the pidfd stays with the one that was checked.
        if let Ok(process) = pidfd_open(pid, PidfdFlags::empty())
            && user_of(pid.as_raw_nonzero().get()) == Some(user)
        {
            let _ = pidfd_send_signal(process, Signal::KILL);
        }
    }
}

/// Reads a file of `/proc`. It may contain the name of a program, which need not be UTF-8.
#[must_use]
pub fn read(path: impl AsRef<Path>) -> Option<String> {
    Some(String::from_utf8_lossy(&fs::read(path).ok()?).into_owned())
}

/// What the kernel tells of a process under a name such as `Tgid:`.
fn status(pid: i32, name: &str) -> Option<String> {
    let status = read(format!("/proc/{pid}/status"))?;
    status.lines().find_map(|line| line.strip_prefix(name)).map(|value| value.trim().to_owned())
}

/// The user of a process.
#[must_use]
pub fn user_of(pid: i32) -> Option<u32> {
    Some(fs::metadata(format!("/proc/{pid}")).ok()?.uid())
}

/// The process that a task belongs to; a task that is a process of its own belongs to itself.
#[must_use]
pub fn thread_group(task: i32) -> Option<i32> {
    status(task, "Tgid:")?.parse().ok()
}

/// Whether a process ignores a signal; true as well if that is not known.
#[must_use]
pub fn ignores(pid: i32, signal: Signal) -> bool {
    is_in(pid, "SigIgn:", signal)
}

/// Whether a process, by its first thread, holds a signal back; true as well if that is not known.
#[must_use]
pub fn blocks(pid: i32, signal: Signal) -> bool {
    is_in(pid, "SigBlk:", signal)
}

/// Whether a signal is in a set of the file `status`.
fn is_in(pid: i32, set: &str, signal: Signal) -> bool {
    let set = status(pid, set).and_then(|set| u64::from_str_radix(&set, 16).ok());
    set.is_none_or(|set| set & 1 << (signal.as_raw() - 1) != 0)
}

/// The parent of each process.
#[must_use]
pub fn parents() -> HashMap<i32, i32> {
    all().filter_map(|pid| Some((pid, number_after_state(pid, 0)?))).collect()
}

/// The process group of a process.
#[must_use]
pub fn group_of(pid: i32) -> Option<i32> {
    number_after_state(pid, 1)
}

/// A number of the file `stat`: after the name in parentheses come the state, the parent and the process group.
fn number_after_state(pid: i32, at: usize) -> Option<i32> {
    let stat = read(format!("/proc/{pid}/stat"))?;
    stat.rsplit_once(')')?.1.split_whitespace().nth(1 + at)?.parse().ok()
}

/// Whether any thread of a process has not ended, if that can be found out.
fn is_running(pid: i32) -> bool {
    let threads = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    threads.map(|thread| fs::read(thread.path().join("stat"))).any(|stat| match stat {
        Ok(stat) => !has_ended(&String::from_utf8_lossy(&stat)),
        Err(error) => error.kind() != io::ErrorKind::NotFound && error.raw_os_error() != Some(libc::ESRCH),
    })
}

/// Whether a process computes, waits for a processor, or is deep in a system call.
#[must_use]
pub fn is_at_work(pid: i32) -> bool {
    read(format!("/proc/{pid}/stat")).is_some_and(|stat| has_state(&stat, ['R', 'D']))
}

/// Whether the state is Z or X.
pub(super) fn has_ended(stat: &str) -> bool {
    has_state(stat, ['Z', 'X'])
}

/// Whether the state, after the name in parentheses, is one of these.
fn has_state(stat: &str, states: [char; 2]) -> bool {
    stat.rsplit_once(')').is_some_and(|(_, rest)| rest.trim_start().starts_with(states))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_runs() {
        let own = rustix::process::getpid().as_raw_nonzero().get();
        assert!(all().any(|pid| pid == own) && is_running(own));
        assert!(parents().contains_key(&own) && group_of(own).is_some() && group_of(-1).is_none());
        assert!(!is_at_work(-1));
        assert!(has_any(user_of(own).unwrap()) && !has_any(3_999_999_999));
    }

    #[test]
    fn signals_that_are_ignored_or_held_back_are_known() {
        let own = rustix::process::getpid().as_raw_nonzero().get();
        // Rust ignores SIGPIPE from the start of a program. Whatever starts the tests may ignore others, but hardly this one.
        assert!(!ignores(own, Signal::USR2) && ignores(own, Signal::PIPE) && ignores(-1, Signal::USR2));
        assert!(!blocks(own, Signal::USR2) && blocks(-1, Signal::USR2));
    }

    #[test]
    fn states_are_found_behind_any_name() {
        assert!(has_ended("7 (a) S (b) Z 1 2") && !has_ended("7 (Z) S 1 2") && !has_ended(""));
        assert!(has_state("7 (a) S (b) R 1 2", ['R', 'D']) && !has_state("7 (R) S 1 2", ['R', 'D']));
    }
}
