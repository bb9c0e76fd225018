//! Remote workspaces.

mod broker;
mod client;
mod crowd;
mod daemon;
mod debugger;
mod golden;
mod pages;
mod pipe;
mod plots;
mod start;
mod table;
mod window;

pub use client::Broker;
