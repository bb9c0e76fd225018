//! R sessions as the supervisor sees them.
//!
//! [`manager`] opens, finds and closes them; each is driven by an [`actor`] task that owns its [`worker`];
//! [`pool`] keeps workers ready, and [`zygote`] has them forked. No dialect is known here, and no R value.
//!
//! Start reading at [`manager`].

pub mod actor;
pub mod console;
pub mod folder;
pub mod manager;
pub mod pool;
pub mod published;
mod rhome;
pub mod tombstone;
pub mod users;
pub mod worker;
pub mod zygote;

pub use actor::{Answer, OperationError, Session, Stop};
pub use manager::{Boundary, LookupError, OpenError, Opening, Sessions};
pub use tombstone::{Cause, Tombstone};
