//! R sessions as the supervisor sees them.
//!
//! [`manager`] opens, finds and closes them; [`handle`] is one of them as callers have it, driven by an [`actor`]
//! task that owns its [`worker`]. Callers wait for an operation, or leave it to the session's [`commands`].
//! [`pool`] keeps workers ready, and [`zygote`] has them forked. No dialect is known here, and no R value.
//!
//! Start reading at [`manager`].

pub mod actor;
pub mod allowance;
pub mod commands;
pub mod console;
pub mod folder;
pub mod frames;
pub mod handle;
pub mod janitor;
pub mod live;
pub mod manager;
pub mod orphans;
pub mod pool;
pub mod published;
pub mod queue;
pub mod rhome;
pub mod tombstone;
pub mod usage;
pub mod users;
mod watch;
pub mod worker;
pub mod zygote;

pub use actor::{Answer, OperationError, Stop};
pub use commands::{Command, Done};
pub use handle::{Purpose, Session};
pub use manager::{Boundary, Found, LookupError, OpenError, Opening, Sessions};
pub use tombstone::{Cause, Tombstone};
