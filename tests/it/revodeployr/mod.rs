//! The RevoDeployR dialect: who may call what, and each exchange as it is on the wire.

mod access;
mod clients;
mod files;
mod golden;
mod golden_rest;
mod guide;
mod login;
mod projects;
mod repository;
mod roles;
mod scripts;
mod transport;
