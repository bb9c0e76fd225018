//! Waiting for events, and for nothing else: a test does not fail because the machine is slow.

use std::{
    os::unix::fs::PermissionsExt,
    path::PathBuf,
    time::{Duration, Instant},
};

use tokio::{io::AsyncReadExt, net::unix::pipe};

/// Longer than anything takes, also on a machine that has much else to do: what takes longer never happens.
pub const PATIENCE: Duration = Duration::from_mins(2);

/// Between two looks at something that has no other way to be told.
const PAUSE: Duration = Duration::from_millis(5);

/// Code that waits, until somebody makes a file `go` in its working folder.
pub const UNTIL_GO: &str = "while (!file.exists('go')) Sys.sleep(0.01)";

/// Waits until `condition` holds: for events that have no other way to be told.
#[track_caller]
pub fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < deadline, "it never happened that {what}");
        std::thread::park_timeout(PAUSE);
    }
}

/// The same, where the server has to be asked.
pub async fn until(what: &str, mut condition: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !condition().await {
        assert!(Instant::now() < deadline, "it never happened that {what}");
        tokio::time::sleep(PAUSE).await;
    }
}

/// A point of R code that tells when R comes to it: by a pipe that has a name.
pub struct Point {
    pipe: pipe::Receiver,
    path: PathBuf,
    _folder: tempfile::TempDir,
}

impl Point {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("point");
        rustix::fs::mknodat(rustix::fs::CWD, &path, rustix::fs::FileType::Fifo, rustix::fs::Mode::empty(), 0).unwrap();
        // Sessions may have users of their own.
        std::fs::set_permissions(folder.path(), PermissionsExt::from_mode(0o711)).unwrap();
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o666)).unwrap();
        let pipe = pipe::OpenOptions::new().open_receiver(&path).unwrap();
        Self { pipe, path, _folder: folder }
    }

    /// The code that tells.
    pub fn code(&self) -> String {
        // `raw` says that it is known to be a pipe: R would warn.
        format!("local({{ pipe <- file('{}', 'w', raw = TRUE); cat('here', file = pipe); close(pipe) }})", self.path.display())
    }

    /// Waits until R is there.
    pub async fn reached(mut self) {
        let told = tokio::time::timeout(PATIENCE, self.pipe.read_u8()).await;
        told.expect("R never came to the point").expect("R says that it is there");
    }
}
