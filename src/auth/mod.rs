//! Who is asking, and what they may do.

pub mod accounts;
pub mod authentication;
mod authorities;
pub mod certificate;
pub mod error;
pub mod gate;
pub mod guessing;
pub mod hashing;
pub mod inquiry;
pub mod issuers;
pub mod logins;
pub mod origin;
pub mod password;
pub mod permissions;
pub mod principal;
pub mod remembered;
pub mod rules;
mod shared;
pub mod sources;
pub mod strength;
pub mod tokens;

pub use crate::{foreign_hash::ForeignHash, store::ChangeError};
pub use accounts::{Accounts, NewAccount};
pub use authentication::Offered;
pub use certificate::ClientCertificate;
pub use error::{AuthError, TokenFault};
pub use gate::{Arrival, Gate, Refused};
pub use inquiry::Whose;
pub use issuers::Issuers;
pub use logins::{Login, Logins};
pub use permissions::{Permission, ServiceRight};
pub use principal::{Principal, Proof};
pub use rules::LiveRules;
pub use tokens::Tokens;
