//! Microsoft R Server's API.

mod batches;
mod client;
mod clients;
mod description;
mod golden;
mod login;
mod prepared;
mod python;
mod services;
mod sessions;
mod snapshots;
mod swagger;

pub use client::Ml;
