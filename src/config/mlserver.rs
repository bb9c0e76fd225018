//! The settings of R Server's API.

use serde::{Deserialize, Serialize};

/// Microsoft R Server's API.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct MlServer {
    /// Largest body in JSON, in MiB; more is answered with 413.
    pub body_mib: u64,
    /// Largest file or serialized object that can be uploaded, in MiB.
    pub upload_mib: u64,
    /// Seconds after which a session that was opened through this API ends if nobody uses it; 0 is never.
    pub idle_seconds: u64,
    /// Width and height of plots for which the code opens no device, in pixels.
    pub plot_pixels: u32,
}

impl Default for MlServer {
    fn default() -> Self {
        Self { body_mib: 256, upload_mib: 5120, idle_seconds: 4 * 3600, plot_pixels: 400 }
    }
}
