//! Locks of the kernel, which other processes can see.
//!
//! Each is on a single byte of a file, whose position is a number (fcntl(2), open file description locks). It belongs to the open file, and
//! is gone when nobody has that open any more.

use std::{fs, os::fd::AsRawFd};

/// Reserves a user id on this machine by a lock on the byte with that number; false when another server has reserved it. The lock lasts as
/// long as `locks` is open.
pub fn reserve(locks: &fs::File, user: u32) -> bool {
    lock(locks, user, libc::F_WRLCK)
}

/// Gives a reserved user id back.
pub fn release(locks: &fs::File, user: u32) {
    lock(locks, user, libc::F_UNLCK);
}

/// Whether nobody has a file open for writing, or has it mapped so. The kernel grants a lease for reading (fcntl(2)) only in this case; it
/// is given back at once. The file belongs to this process's user.
pub fn is_written_by_nobody(file: &fs::File) -> bool {
    // SAFETY: plain system calls on an open descriptor.
    unsafe {
        libc::fcntl(file.as_raw_fd(), libc::F_SETLEASE, libc::F_RDLCK) == 0
            && libc::fcntl(file.as_raw_fd(), libc::F_SETLEASE, libc::F_UNLCK) == 0
    }
}

#[expect(clippy::cast_possible_truncation, reason = "constants of the interface, which has them as int")]
fn lock(locks: &fs::File, user: u32, kind: libc::c_int) -> bool {
    // SAFETY: a plain structure of numbers, for which zeros are valid.
    let mut lock: libc::flock = unsafe { std::mem::zeroed() };
    lock.l_type = kind as libc::c_short;
    lock.l_whence = libc::SEEK_SET as libc::c_short;
    lock.l_start = libc::off_t::from(user);
    lock.l_len = 1;
    // SAFETY: an open descriptor and a structure that is fully set.
    unsafe { libc::fcntl(locks.as_raw_fd(), libc::F_OFD_SETLK, &raw const lock) == 0 }
}
