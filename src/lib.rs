//! Offshoot serves R over HTTP: every session is a process forked from one warm R.
//!
//! Two programs share this library. `offshoot`, the supervisor: [`cli`], [`server`], the dialects in [`api`] over
//! [`app`], which puts [`auth`], [`store`] and [`session`] together. And `offshoot-worker`: [`worker`], [`r`] and
//! [`wire`]. ARCHITECTURE.md has the picture, and what is never there.

pub mod api;
pub mod app;
pub mod auth;
pub mod cli;
pub mod config;
pub mod foreign_hash;
pub mod link;
pub mod packages;
pub mod r;
pub mod server;
pub mod session;
pub mod site;
pub mod store;
pub mod system;
pub mod telemetry;
pub mod wire;
pub mod worker;

/// An error with its sources, as one line of text: `the store: the disk is full`.
#[must_use]
pub fn with_sources(error: &(dyn std::error::Error + 'static)) -> String {
    anyhow::Chain::new(error).map(ToString::to_string).collect::<Vec<_>>().join(": ")
}
