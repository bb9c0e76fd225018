//! Servers to test, and clients to test them with.

mod client;
mod demonstration;
mod rock;
mod server;

pub use client::{Client, Reply, Session, read};
pub use demonstration::Demonstration;
pub use rock::{Rock, RockSession};
pub use server::{PASSWORD, Server, descendants, eventually};
