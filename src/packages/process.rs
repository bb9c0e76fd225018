//! R in a process of its own, installing packages.

use std::{collections::VecDeque, io, path::Path, process::Stdio, time::Duration};

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::{
    io::{AsyncBufReadExt, AsyncRead, AsyncWriteExt, BufReader},
    process::{Child, Command},
};

use super::PackageError;
use crate::{
    config,
    link::messages::{self, Confinement, Sandbox, Wanted},
    session::{rhome, zygote},
    system::janitor::Janitor,
    worker::confined,
};

/// The folder that packages are installed into, below the stage.
pub(super) const LIBRARY: &str = "library";
/// R's temporary folder and home.
pub(super) const TEMPORARY: &str = "tmp";
/// The script.
const SCRIPT: &str = include_str!("install.R");
/// How many of R's last lines an error shows.
const LINES: usize = 30;
/// Longer lines are cut, in bytes.
const LINE: usize = 500;

/// One run of the script.
pub(super) struct ScriptRun<'a> {
    pub r: &'a config::RSettings,
    /// The folder to install in, which nobody else uses.
    pub stage: &'a Path,
    /// Libraries with what is installed already; R looks there after the stage.
    pub library: &'a Path,
    /// The user that R runs as.
    pub user: Option<u32>,
    /// How long it may take; zero is no limit.
    pub limit: Duration,
    /// Ends what R has left running.
    pub janitor: &'a Janitor,
    /// The walls around R, which runs code of the packages; none, if sessions have none.
    pub sandbox: &'a Sandbox,
}

impl ScriptRun<'_> {
    /// Runs the script with these arguments.
    pub(super) async fn run(&self, arguments: &[&str]) -> Result<(), PackageError> {
        let mut child = self.start(arguments).await?;
        let group = child.id().and_then(|pid| Pid::from_raw(pid.cast_signed()));
        let mut last = VecDeque::new();
        let (output, errors) = (child.stdout.take(), child.stderr.take());
        let done = async {
            let mut output = output.map(Lines::new);
            let mut errors = errors.map(Lines::new);
            loop {
                let line = tokio::select! {
                    Some(line) = next(&mut output) => line,
                    Some(line) = next(&mut errors) => line,
                    else => break,
                };
                tracing::info!(target: "offshoot::packages", "R: {line}");
                last.push_back(line);
                if last.len() > LINES {
                    last.pop_front();
                }
            }
            child.wait().await
        };
        let limit = if self.limit.is_zero() { Duration::MAX } else { self.limit };
        let ended = tokio::time::timeout(limit, done).await;
        // Processes that R has started end with it.
        if let Some(group) = group {
            let _ = kill_process_group(group, Signal::KILL);
        }
        let _ = child.wait().await;
        if let Some(user) = self.user {
            self.janitor.kill(user).await.map_err(io::Error::other)?;
        }
        let text = || last.iter().map(String::as_str).collect::<Vec<_>>().join("\n");
        match ended {
            Ok(Ok(status)) if status.success() => Ok(()),
            Ok(Ok(_)) => Err(PackageError::Failed(text())),
            Ok(Err(error)) => Err(error.into()),
            Err(_) => Err(PackageError::TimeLimit(self.limit.as_secs(), text())),
        }
    }

    async fn start(&self, arguments: &[&str]) -> Result<Child, PackageError> {
        let script = self.stage.join("install.R");
        std::fs::write(&script, SCRIPT)?;
        let (library, temporary) = (self.stage.join(LIBRARY), self.stage.join(TEMPORARY));
        let mut search = vec![library.clone(), self.library.to_owned()];
        search.extend(self.r.libraries.iter().cloned());
        let search = std::env::join_paths(search).map_err(io::Error::other)?;
        let (action, rest) = arguments.split_first().ok_or(io::Error::from(io::ErrorKind::InvalidInput))?;
        let program = self.r.home.join("bin/R");
        let is_confined = self.sandbox.wanted != Wanted::None;
        let mut command =
            if is_confined { Command::new(zygote::program(self.r).map_err(io::Error::other)?) } else { Command::new(&program) };
        if is_confined {
            command.arg(confined::WORD).arg(&program);
        }
        command
            .args(["--no-echo", "--no-save", "--no-restore", "--no-site-file", "--no-init-file", "-f"])
            .arg(&script)
            .args(["--args", action])
            .arg(&library)
            .args(rest)
            .args(&self.r.repositories)
            .env_clear()
            .envs(rhome::environment(self.r, self.user.is_some()).map_err(io::Error::other)?)
            .env("R_LIBS", search)
            .env("HOME", &temporary)
            .env("TMPDIR", &temporary)
            .current_dir(&temporary)
            .stdin(if is_confined { Stdio::piped() } else { Stdio::null() })
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true);
        if let Some(user) = self.user {
            // This also gives up all supplementary groups of the server.
            command.uid(user).gid(user);
            std::os::unix::fs::chown(&script, Some(user), Some(user))?;
        }
        let mut child = command.spawn()?;
        if let Some(mut input) = child.stdin.take() {
            let mut sandbox = self.sandbox.clone();
            sandbox.readable.extend([self.r.home.clone(), self.library.to_owned()]);
            sandbox.readable.extend(self.r.libraries.iter().cloned());
            sandbox.read_repositories(&self.r.repositories);
            let confinement = Confinement { sandbox, folder: self.stage.to_owned(), temporary };
            input.write_all(&messages::encode(&confinement)).await?;
        }
        Ok(child)
    }
}

/// Reads a pipe line by line, in the form in which errors show the lines.
struct Lines<T> {
    pipe: BufReader<T>,
    /// The beginning of the next line; what exceeds the limit is not kept.
    line: Vec<u8>,
}

impl<T: AsyncRead + Unpin> Lines<T> {
    fn new(pipe: T) -> Self {
        Self { pipe: BufReader::new(pipe), line: Vec::new() }
    }

    /// The next line, whatever its encoding; `None` at the end. Nothing is lost if the future is dropped.
    async fn next(&mut self) -> Option<String> {
        loop {
            let read = self.pipe.fill_buf().await.unwrap_or_default();
            if read.is_empty() && self.line.is_empty() {
                return None;
            }
            let end = memchr::memchr(b'\n', read);
            let piece = &read[..end.unwrap_or(read.len())];
            self.line.extend_from_slice(&piece[..piece.len().min(LINE - self.line.len().min(LINE))]);
            let is_over = read.is_empty();
            let count = end.map_or(read.len(), |end| end + 1);
            self.pipe.consume(count);
            if end.is_some() || is_over {
                let line = std::mem::take(&mut self.line);
                return Some(String::from_utf8_lossy(&line).trim_end().to_owned());
            }
        }
    }
}

/// The next line; `None` at the end, and from then on always.
async fn next<T: AsyncRead + Unpin>(lines: &mut Option<Lines<T>>) -> Option<String> {
    let line = lines.as_mut()?.next().await;
    if line.is_none() {
        *lines = None;
    }
    line
}
