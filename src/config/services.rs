//! The settings of web services.

use serde::{Deserialize, Serialize};

/// Web services, and what each user may publish. 0 is no limit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Services {
    /// How many versions of services one user may have.
    pub count: u64,
    /// Size in MiB of all services of one user: their code, and the objects and files that they run with.
    pub mib: u64,
    /// Size in MiB of all files that one call of a service may give back.
    pub files_mib: u64,
    /// How many batches one user may have: those under way, and those whose results are kept.
    pub batches: u64,
    /// Size in MiB of all batches of one user: inputs, results and files.
    pub batch_mib: u64,
    /// How many calls one batch may have.
    pub batch_items: u64,
    /// How many calls of one batch may run at the same time.
    pub batch_parallel: u64,
    /// Days for which the results of a batch are kept after its end.
    pub batch_days: u64,
    /// How many sessions may be kept ready for calls of services, with the image of the service in them and the code before each call done, so
    /// that a call waits for neither. Versions that are called often get them, each for one call. 0 is none.
    pub prepared: usize,
    /// Seconds for which such a session is kept. The code before a call may have been run that long before the call.
    pub prepared_seconds: u64,
    /// Width and height in pixels of plots for which the code of a service opens no device.
    pub plot_pixels: u32,
    /// Whether the roles SERVICE_OWNER, SERVICE_CONTRIBUTOR and SERVICE_READER decide who may do what. Otherwise everybody with an account
    /// may call services, and those who may run code of their own may publish some.
    pub roles: bool,
}

impl Default for Services {
    fn default() -> Self {
        Self {
            count: 1000,
            mib: 10_240,
            files_mib: 64,
            batches: 100,
            batch_mib: 10_240,
            batch_items: 10_000,
            batch_parallel: 10,
            batch_days: 7,
            prepared: 8,
            prepared_seconds: 60,
            plot_pixels: 400,
            roles: false,
        }
    }
}
