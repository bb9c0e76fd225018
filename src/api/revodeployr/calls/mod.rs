//! What the calls do: each reads its parameters, asks the core, and fills in an answer.

mod download;
pub mod execute;
pub mod file;
pub mod object;
pub mod project;
pub mod repository;
mod run;
pub mod script;
pub mod session;
pub mod summary;
pub mod user;
