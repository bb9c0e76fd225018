//! Who is asking, and what they may do.

pub mod accounts;
pub mod gate;
pub mod hashing;
pub mod logins;
pub mod origin;
pub mod password;
pub mod permissions;
pub mod principal;
pub mod remembered;
pub mod rules;

pub use crate::{foreign_hash::ForeignHash, store::ChangeError};
pub use accounts::{Accounts, AuthError, NewAccount};
pub use gate::{Arrival, Gate, Refused};
pub use logins::{Login, Logins};
pub use permissions::Permission;
pub use principal::{Principal, Proof};
pub use rules::LiveRules;
