//! Remote workspaces.

mod broker;
mod client;
mod crowd;
mod pages;
mod pipe;
mod start;
mod table;
