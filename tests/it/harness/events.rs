//! Tests wait for events and not for times, so that none fails because the machine is slow.

use std::{
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    sync::OnceLock,
    time::{Duration, Instant},
};

use tokio::{io::AsyncReadExt, net::unix::pipe};

use super::server::folder_for_all_tests;

/// Longer than any event takes, even on a busy machine: if it has not happened by then, it never will.
pub const PATIENCE: Duration = Duration::from_mins(2);

/// The time between two checks of a condition that cannot be waited for otherwise.
const PAUSE: Duration = Duration::from_millis(5);

/// Code that waits until somebody makes a file `go` in its working folder.
pub const UNTIL_GO: &str = "while (!file.exists('go')) Sys.sleep(0.01)";

/// Waits until `condition` holds, for events that cannot be waited for otherwise.
#[track_caller]
pub fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < deadline, "it never happened that {what}");
        std::thread::park_timeout(PAUSE);
    }
}

/// Waits until a condition holds that only the server can tell.
pub async fn until(what: &str, mut condition: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !condition().await {
        assert!(Instant::now() < deadline, "it never happened that {what}");
        tokio::time::sleep(PAUSE).await;
    }
}

/// The folder of all points. Sessions may write to it, besides their own folders.
pub fn points() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| folder_for_all_tests().keep())
}

/// A point in R code. A named pipe tells the test when R reaches it.
pub struct Point {
    pipe: pipe::Receiver,
    path: PathBuf,
    _folder: tempfile::TempDir,
}

impl Point {
    pub fn new() -> Self {
        let folder = tempfile::tempdir_in(points()).unwrap();
        let path = folder.path().join("point");
        rustix::fs::mknodat(rustix::fs::CWD, &path, rustix::fs::FileType::Fifo, rustix::fs::Mode::empty(), 0).unwrap();
        // Sessions may have users of their own.
        std::fs::set_permissions(folder.path(), PermissionsExt::from_mode(0o711)).unwrap();
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o666)).unwrap();
        let pipe = pipe::OpenOptions::new().open_receiver(&path).unwrap();
        Self { pipe, path, _folder: folder }
    }

    /// The code for the point.
    pub fn code(&self) -> String {
        // Without `raw`, R would warn that this is a pipe.
        format!("local({{ pipe <- file('{}', 'w', raw = TRUE); cat('here', file = pipe); close(pipe) }})", self.path.display())
    }

    /// Waits until R has reached the point.
    pub async fn reached(mut self) {
        let told = tokio::time::timeout(PATIENCE, self.pipe.read_u8()).await;
        told.expect("R never came to the point").expect("R says that it is there");
    }
}
