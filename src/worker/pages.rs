//! Lays out the zygote's memory such that a fork has little to copy, and that workers write to few of its pages.

use std::fs;

/// The size of a large page, where the kernel has any: 2 MiB on x86-64, and on arm64 with pages of 4 KiB.
const LARGE: usize = 2 << 20;
/// The largest hole that is filled: a worker's first allocations are small.
const LARGEST_HOLE: usize = 16 << 10;
/// The allocator rounds sizes up to multiples of this, on 64-bit machines.
const STEP: usize = 16;
/// The part of each that the allocator needs for itself.
const OVERHEAD: usize = 8;

/// Puts the heap of this process into large pages, as far as the kernel can. Per large page, a fork then copies one entry
/// of the page table instead of 512, and the end of a worker clears one. When a worker writes to a large page, the kernel
/// still copies no more than 4 KiB of it.
pub fn gather() {
    let Ok(maps) = fs::read_to_string("/proc/self/maps") else { return };
    let heaps = maps.lines().filter(|line| line.ends_with("[heap]")).filter_map(|line| {
        let (start, end) = line.split_once(' ')?.0.split_once('-')?;
        Some((usize::from_str_radix(start, 16).ok()?, usize::from_str_radix(end, 16).ok()?))
    });
    for (start, end) in heaps {
        let (start, end) = (start.next_multiple_of(LARGE), end / LARGE * LARGE);
        if start < end {
            // SAFETY: a hint to the kernel; the contents of the memory do not change.
            unsafe { libc::madvise(start as *mut libc::c_void, end - start, libc::MADV_COLLAPSE) };
        }
    }
}

/// Fills the holes between the allocations of this process, for good. A worker's first allocations would go there, each
/// to another page that it shares with the zygote until then. Without holes, they lie side by side at the end of the heap.
#[cfg(target_env = "gnu")]
pub fn fill() {
    // SAFETY: both only tell how memory is used.
    let (end, info) = unsafe { (libc::sbrk(0) as usize, libc::mallinfo2()) };
    let top = end - info.keepcost;
    for size in (1..=LARGEST_HOLE / STEP).rev().map(|steps| steps * STEP - OVERHEAD) {
        // SAFETY: nothing is written to the allocations. One that is beyond the holes is given back.
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

/// With another C library than glibc, the holes stay: its functions that tell about memory are not there.
#[cfg(not(target_env = "gnu"))]
pub fn fill() {}
