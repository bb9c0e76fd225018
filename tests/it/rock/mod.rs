//! OBiBa Rock's dialect: who may call what, each exchange as it is on the wire, and its clients' habits.

mod access;
mod accounts;
mod clients;
mod commands;
mod evaluation;
mod files;
mod golden;
mod live;
mod packages;
mod server;
mod sessions;
