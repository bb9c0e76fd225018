//! What a process waits for in the kernel (proc(5), `/proc/PID/syscall`).

use std::{
    fs,
    path::{Path, PathBuf},
};

use super::processes;

/// The process groups that a process waits for and is not in itself: those of children that it reads from or writes to by a pipe, or whose
/// end it waits for. Nothing, if the kernel does not tell.
#[must_use]
pub fn groups(pid: i32) -> Vec<i32> {
    let Some(waits) = processes::read(format!("/proc/{pid}/syscall")).and_then(|line| Waits::read(&line)) else { return Vec::new() };
    let pipe = match waits {
        Waits::Descriptor(descriptor) => fs::read_link(format!("/proc/{pid}/fd/{descriptor}")).ok().filter(|link| is_pipe(link)),
        Waits::Child(_) => None,
    };
    // A child that leads a group has its number.
    let leads = |child: i32| processes::group_of(child) == Some(child);
    let is_awaited = |child: i32| match waits {
        Waits::Child(awaited) => awaited == child,
        Waits::Descriptor(_) => pipe.is_some() && standard(child).any(|link| Some(link) == pipe),
    };
    let children = processes::parents().into_iter().filter(|&(_, parent)| parent == pid).map(|(child, _)| child);
    children.filter(|&child| leads(child) && is_awaited(child)).collect()
}

/// What a system call waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Waits {
    /// To read from this descriptor, or to write to it.
    Descriptor(i32),
    /// For the end of this child.
    Child(i32),
}

impl Waits {
    /// Reads a line such as `0 0x4 0x55d35cafbcd0 ...`: the number of the call, and its arguments.
    fn read(line: &str) -> Option<Self> {
        let mut words = line.split_ascii_whitespace();
        let call = words.next()?.parse().ok()?;
        // The upper half of what is no address may be anything.
        let mut argument = || {
            let number = u64::from_str_radix(words.next()?.strip_prefix("0x")?, 16).ok()?;
            i32::try_from(number & 0xffff_ffff).ok()
        };
        match call {
            libc::SYS_read | libc::SYS_write => argument().map(Self::Descriptor),
            libc::SYS_wait4 => argument().filter(|&child| child > 0).map(Self::Child),
            libc::SYS_waitid => (argument()? == i32::try_from(libc::P_PID).ok()?).then(argument)?.map(Self::Child),
            _ => None,
        }
    }
}

/// What the standard descriptors of a process lead to.
fn standard(pid: i32) -> impl Iterator<Item = PathBuf> {
    (0..=2).filter_map(move |descriptor| fs::read_link(format!("/proc/{pid}/fd/{descriptor}")).ok())
}

fn is_pipe(link: &Path) -> bool {
    link.as_os_str().to_string_lossy().starts_with("pipe:")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_tell_what_they_wait_for() {
        let line = |call: libc::c_long, arguments: &str| Waits::read(&format!("{call} {arguments} 0x0 0x0 0x7ffc 0x7f16"));
        assert_eq!(line(libc::SYS_read, "0x4 0x55d3"), Some(Waits::Descriptor(4)));
        assert_eq!(line(libc::SYS_wait4, "0x1f 0x0"), Some(Waits::Child(31)));
        assert_eq!(line(libc::SYS_wait4, "0xffffffff 0x0"), None);
        assert_eq!(line(libc::SYS_waitid, "0x1 0x1f"), Some(Waits::Child(31)));
        assert_eq!(line(libc::SYS_waitid, "0x0 0x1f"), None);
        assert_eq!([Waits::read("running"), Waits::read(""), line(libc::SYS_nanosleep, "0x1")], [None; 3]);
    }
}
