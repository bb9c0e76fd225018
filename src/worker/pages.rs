//! The zygote's memory, laid out for its children: little to copy for a fork, and few pages that a worker writes to.

use std::fs;

/// The size of a large page, where the kernel has any: 2 MiB on x86-64, and on arm64 with pages of 4 KiB.
const LARGE: usize = 2 << 20;
/// The largest hole that matters: a worker's first allocations are small.
const LARGEST_HOLE: usize = 16 << 10;
/// Sizes of allocations differ by this much, on 64-bit machines.
const STEP: usize = 16;
/// What the allocator needs of each for itself.
const OVERHEAD: usize = 8;

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

/// Takes what is free between the allocations of this process, for good. A worker's first allocations would fill these
/// holes, and each in another page that it shares with all others; without them, they lie side by side at the end.
#[cfg(target_env = "gnu")]
pub fn fill() {
    // SAFETY: each only tells how memory is used, of a process with one thread.
    let (end, info) = unsafe { (libc::sbrk(0) as usize, libc::mallinfo2()) };
    let top = end - info.keepcost;
    for size in (1..=LARGEST_HOLE / STEP).rev().map(|steps| steps * STEP - OVERHEAD) {
        // SAFETY: what is allocated is not used; it is given back if it was no hole.
        unsafe {
            loop {
                let hole = libc::malloc(size);
                if hole.is_null() || hole as usize >= top {
                    libc::free(hole);
                    break;
                }
            }
        }
    }
}

/// Where another C library is used, its holes stay.
#[cfg(not(target_env = "gnu"))]
pub fn fill() {}
