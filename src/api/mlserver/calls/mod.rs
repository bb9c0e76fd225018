//! What the calls do.

pub mod batch;
pub mod consume;
pub mod execute;
pub mod files;
pub mod login;
pub mod services;
pub mod sessions;
pub mod snapshots;
pub mod status;
pub mod swagger;
pub mod workspace;
