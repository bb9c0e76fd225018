//! The RevoDeployR dialect: who may make which call, and each exchange as sent over the wire.

mod access;
mod autosave;
mod clients;
mod files;
mod golden;
mod golden_rest;
mod guide;
mod lenient;
mod login;
pub mod projects;
mod repository;
mod roles;
mod scripts;
mod transport;
