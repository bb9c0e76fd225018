//! R sessions as the supervisor sees them.
//!
//! [`manager`] opens and closes sessions, and `registry` is the table of them. [`handle`] is a session as its callers see it; an [`actor`]
//! task drives it and owns its [`worker`]. If its R is interactive, `relay` does so instead, between the worker and a
//! [`host::Host`]. `terms` defines the types that these share. Callers wait for an operation, or leave it to the
//! session: [`deferred`]. [`pool`] keeps workers ready, and [`zygote`] forks them. This room knows no dialect and no R value.
//!
//! Start reading at [`manager`].

pub mod actor;
pub mod allowance;
pub mod console;
pub mod deferred;
pub mod failure;
pub mod frames;
pub mod handle;
pub mod host;
pub mod live;
pub mod manager;
mod outbound;
pub mod pool;
pub mod published;
pub mod queue;
pub mod record;
mod registry;
mod relay;
pub mod rhome;
mod setup;
mod terms;
pub mod tombstone;
mod waiting;
mod watch;
pub mod worker;
pub mod zygote;

pub use deferred::{Deferred, Done, Operation};
pub use failure::{StartError, WorkerError};
pub use handle::Session;
pub use host::{Hearer, Host, HostGone, Said, Teller, Terms};
pub use manager::Sessions;
pub use setup::{clear, sandbox};
pub use terms::{Admission, Completion, Found, LimitOverrides, LookupError, OpenError, Opening, OperationError, Purpose, Stop};
pub use tombstone::{Cause, Tombstone};
