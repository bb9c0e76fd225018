//! Servers to test, and clients to test them with.

mod client;
mod server;

pub use client::{Client, Reply, Session, read};
pub use server::{PASSWORD, Server, descendants, eventually};
