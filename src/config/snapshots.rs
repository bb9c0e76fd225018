//! The settings of snapshots.

use serde::{Deserialize, Serialize};

/// Snapshots of sessions, which their owners keep until they remove them. 0 is no limit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Snapshots {
    /// How many snapshots one user may have.
    pub count: u64,
    /// Size of all snapshots of one user together, in MiB. Snapshots of the same content count once.
    pub mib: u64,
}

impl Default for Snapshots {
    fn default() -> Self {
        Self { count: 100, mib: 10_240 }
    }
}
