//! The zygote's memory in large pages, so that a fork copies few entries of page tables.

use std::fs;

/// The size of a large page, where the kernel has any: 2 MiB on x86-64, and on arm64 with pages of 4 KiB.
const LARGE: usize = 2 << 20;

/// Puts the heap of this process into large pages, as far as the kernel can. A fork then copies, and the end of the
/// worker clears, one entry for each of them instead of 512. A worker that writes to one gets its own copy of 4 KiB of it.
pub fn gather() {
    let Ok(maps) = fs::read_to_string("/proc/self/maps") else { return };
    let heaps = maps.lines().filter(|line| line.ends_with("[heap]")).filter_map(|line| {
        let (start, end) = line.split_once(' ')?.0.split_once('-')?;
        Some((usize::from_str_radix(start, 16).ok()?, usize::from_str_radix(end, 16).ok()?))
    });
    for (start, end) in heaps {
        let (start, end) = (start.next_multiple_of(LARGE), end / LARGE * LARGE);
        if start < end {
            // SAFETY: what is in the memory stays as it is: this is a hint on how to hold it.
            unsafe { libc::madvise(start as *mut libc::c_void, end - start, libc::MADV_COLLAPSE) };
        }
    }
}
