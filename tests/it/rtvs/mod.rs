//! Remote workspaces.

mod broker;
mod client;
mod pages;
mod pipe;
mod start;
mod table;
