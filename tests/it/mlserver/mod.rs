//! Microsoft R Server's API.

mod client;
mod golden;
mod login;
mod services;
mod sessions;
mod snapshots;
