//! Remote workspaces.

mod broker;
mod client;
mod pages;
mod pipe;
