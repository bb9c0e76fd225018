//! Linux, knowing neither R nor sessions nor HTTP.
//!
//! [`users`] leases user ids, and [`leftovers`] finds what is left on the machine under one. [`folder`] opens files beneath
//! a folder that somebody else writes in, [`removal`] takes such folders away, and [`janitor`] does that in a process of
//! its own. [`processes`], [`strays`] and [`orphans`] know whose processes there are, [`cgroup`] makes groups of them, and
//! [`usage`], [`memory`] and [`tree`] say how much there is of what they take.

pub mod cgroup;
pub mod folder;
pub mod janitor;
#[expect(unsafe_code, reason = "System V objects and keyrings have system calls that no crate binds")]
pub mod leftovers;
#[expect(unsafe_code, reason = "locks of this kind have a system call that no crate binds")]
pub mod locks;
pub mod memory;
pub mod orphans;
#[expect(unsafe_code, reason = "signals to all processes of a user are sent by a child that becomes that user")]
pub mod processes;
pub mod removal;
pub mod strays;
pub mod tree;
pub mod usage;
pub mod users;
