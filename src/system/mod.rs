//! Linux, knowing neither R nor sessions nor HTTP.
//!
//! [`removal`] takes away folders, whatever somebody has made of them; [`leftovers`] finds what a user id has left on the
//! machine; [`janitor`] does both in a process of its own. [`processes`] reads `/proc`, and
//! [`cgroup`] makes groups of processes. [`memory`] and [`tree`] say how much
//! there is of what no limit of the kernel counts.

pub mod cgroup;
pub mod janitor;
#[expect(unsafe_code, reason = "System V objects and keyrings have system calls that no crate binds")]
pub mod leftovers;
pub mod memory;
pub mod processes;
pub mod removal;
pub mod tree;
