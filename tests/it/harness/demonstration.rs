//! Demonstrations, whose passwords are known.

use std::{
    io::{BufRead, BufReader},
    os::unix::fs::PermissionsExt,
    process::{Child, Stdio},
};

use super::Server;

/// A demonstration, as `offshoot serve --demo` starts it.
pub struct Demonstration {
    server: Child,
    /// `http://127.0.0.1:port`
    pub address: String,
    /// A folder to work in, which is removed with this value.
    pub folder: tempfile::TempDir,
}

impl Demonstration {
    pub fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::set_permissions(folder.path(), PermissionsExt::from_mode(0o711)).unwrap();
        let mut command = Server::command();
        command.args(["serve", "--demo", "--listen", "127.0.0.1:0"]).env("TMPDIR", folder.path());
        let mut server = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(server.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        let address = line.trim().strip_prefix("listening on ").unwrap().to_owned();
        Self { server, address, folder }
    }

    /// Stops it in an orderly way.
    pub fn stop(mut self) {
        self.terminate();
        assert!(self.server.wait().unwrap().success());
    }

    fn terminate(&self) {
        let _ = rustix::process::kill_process(rustix::process::Pid::from_child(&self.server), rustix::process::Signal::TERM);
    }
}

impl Drop for Demonstration {
    fn drop(&mut self) {
        // It is still running if the test has failed.
        if matches!(self.server.try_wait(), Ok(None)) {
            self.terminate();
            let _ = self.server.wait();
        }
    }
}
