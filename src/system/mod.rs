//! Linux. This room knows neither R nor sessions nor HTTP.
//!
//! [`users`] leases user ids, and [`leftovers`] finds things that users have left on the machine. [`folder`] opens files beneath a folder
//! that another user writes to, [`removal`] removes such folders, and [`janitor`] does this in a process of its own. [`processes`],
//! [`strays`] and [`orphans`] find processes and their owners, [`awaited`] those that a process waits for, [`cgroup`] makes groups of them, and [`usage`], [`memory`] and [`tree`]
//! measure the resources that they use. [`search`] knows which folders another user may search, and [`addresses`]
//! which machines are others. [`machine`] is this one, and [`listening`] finds who listens on it. [`sandbox`] is walls around a process that runs code of others, and [`environment`] keeps secrets from being read there.

pub mod addresses;
pub mod awaited;
pub mod cgroup;
#[expect(unsafe_code, reason = "what the environment was at the start is memory that Rust does not know")]
pub mod environment;
pub mod folder;
pub mod janitor;
#[expect(unsafe_code, reason = "System V objects and keyrings have system calls that no crate binds")]
pub mod leftovers;
pub mod listening;
#[expect(unsafe_code, reason = "locks of this kind have a system call that no crate binds")]
pub mod locks;
pub mod machine;
pub mod memory;
pub mod names;
pub mod orphans;
#[expect(unsafe_code, reason = "signals to all processes of a user are sent by a child that becomes that user")]
pub mod processes;
pub mod removal;
pub mod sandbox;
pub mod search;
pub mod strays;
pub mod tree;
pub mod usage;
pub mod users;
