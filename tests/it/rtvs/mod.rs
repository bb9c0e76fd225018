//! Remote workspaces.

mod broker;
mod client;
mod console;
mod crowd;
mod daemon;
mod debugger;
mod describe;
mod files;
mod golden;
mod pages;
mod pipe;
mod plots;
mod start;
mod table;
mod window;

pub use client::Broker;
