//! The RevoDeployR dialect: who may call what, and each exchange as it is on the wire.

mod access;
mod golden;
mod login;
mod transport;
