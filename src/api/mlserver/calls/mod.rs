//! What the calls do.

pub mod login;
