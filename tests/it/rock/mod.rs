//! OBiBa Rock's dialect: who may make which call, each exchange as sent over the wire, and the habits of its clients.

mod access;
mod accounts;
mod clients;
mod commands;
mod evaluation;
mod files;
mod golden;
mod live;
mod packages;
mod plots;
mod server;
mod sessions;

pub use packages::repository;
