//! What the calls do: each reads its parameters, asks the core, and fills in an answer.

pub mod execute;
pub mod file;
pub mod object;
pub mod session;
pub mod user;
