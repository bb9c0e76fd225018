//! What the calls do: each reads its parameters, asks the core, and answers.

pub mod commands;
pub mod evaluate;
pub mod files;
pub mod live;
pub mod packages;
pub mod server;
pub mod service;
pub mod sessions;
