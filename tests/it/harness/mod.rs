//! Servers to test, and clients to test them with.

mod client;
mod rock;
mod server;

pub use client::{Client, Reply, Session, read};
pub use rock::{Rock, RockSession};
pub use server::{PASSWORD, Server, descendants, eventually};
