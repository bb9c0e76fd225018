//! Who is asking.
//!
//! [`accounts`] checks a name and a password against the store; [`logins`] remembers who has logged in, for
//! clients that keep a cookie; [`password`] is what is stored of a password.

pub mod accounts;
pub mod logins;
pub mod password;

pub use accounts::{Accounts, AuthError};
pub use logins::{Login, Logins};
