//! Remote workspaces.

mod broker;
mod client;
mod crowd;
mod daemon;
mod golden;
mod pages;
mod pipe;
mod start;
mod table;

pub use client::Broker;
