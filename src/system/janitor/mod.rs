//! The janitor: a process that cleans up after others, and this process's hold on it.
//!
//! What it is to remove may have been made by somebody who means harm. If that should be the janitor's end, another is
//! started, and nobody else is concerned. [`process`] is what runs in it.

pub mod process;

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines},
    process::{Child, ChildStdout, Command},
    sync::{mpsc, oneshot},
    time::{Instant, sleep_until},
};

use process::{Done, Task, Work};

/// Between the end of a janitor and the start of the next.
const PAUSE: Duration = Duration::from_millis(200);
/// How long one that has something to do may show nothing. What it does between two signs of life takes moments.
const SILENCE: Duration = Duration::from_mins(1);
/// How often a task is given to a janitor: one that has ended as many may be the reason.
const TRIES: usize = 3;

/// A handle on the janitor; cheap to clone.
#[derive(Debug, Clone)]
pub struct Janitor {
    tasks: mpsc::UnboundedSender<(Work, Answer)>,
}

type Answer = oneshot::Sender<Result<(), String>>;

impl Janitor {
    /// Starts the janitor, and keeps it running for as long as anybody has a handle on it. `program` is one that runs
    /// [`process::run`] when it is given the command `janitor`.
    #[must_use]
    pub fn start(program: PathBuf) -> Self {
        Self::with_patience(program, SILENCE)
    }

    fn with_patience(program: PathBuf, silence: Duration) -> Self {
        let (tasks, received) = mpsc::unbounded_channel();
        tokio::spawn(Driver { program, silence, received, given: HashMap::new(), next: 0 }.run());
        Self { tasks }
    }

    /// Kills all processes of a user.
    ///
    /// # Errors
    /// When some do not end.
    pub async fn kill(&self, user: u32) -> Result<(), String> {
        self.ask(Work::Kill(vec![user])).await
    }

    /// Removes what users have left on the machine, their processes included.
    ///
    /// # Errors
    /// When some of these do not end.
    pub async fn clear(&self, users: Vec<u32>) -> Result<(), String> {
        self.ask(Work::Clear(users)).await
    }

    /// Removes a file or a folder; that there is none is fine.
    ///
    /// # Errors
    /// What could not be removed, and why.
    pub async fn remove(&self, path: PathBuf) -> Result<(), String> {
        let shown = path.display().to_string();
        self.ask(Work::Remove(path)).await.map_err(|error| format!("{shown}: {error}"))
    }

    async fn ask(&self, work: Work) -> Result<(), String> {
        let (answer, done) = oneshot::channel();
        self.tasks.send((work, answer)).map_err(|_| "the server is stopping".to_owned())?;
        done.await.unwrap_or_else(|_| Err("the server is stopping".to_owned()))
    }
}

/// The task that talks with the janitor.
struct Driver {
    program: PathBuf,
    silence: Duration,
    received: mpsc::UnboundedReceiver<(Work, Answer)>,
    /// What the janitor has been given and has not done yet, with the number of janitors that have had it.
    given: HashMap<u64, (Work, Answer, usize)>,
    next: u64,
}

struct Running {
    child: Child,
    /// Written by a task of its own: whoever gives out tasks has to read answers meanwhile.
    input: mpsc::UnboundedSender<Vec<u8>>,
    output: Lines<BufReader<ChildStdout>>,
}

impl Driver {
    async fn run(mut self) {
        loop {
            match start(&self.program) {
                Ok(mut running) => {
                    if self.drive(&mut running).await {
                        return;
                    }
                    tracing::error!("the janitor ended, and is started again");
                }
                Err(error) => tracing::error!(%error, "the janitor cannot be started"),
            }
            let given_up = self.given.extract_if(|_, (_, _, tries)| *tries >= TRIES);
            for (_, (work, answer, _)) in given_up {
                tracing::error!(?work, "the janitor does not survive this");
                let _ = answer.send(Err("nobody survives this".to_owned()));
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Gives out tasks and takes answers until the janitor has ended (false), or nobody wants anything more (true).
    async fn drive(&mut self, running: &mut Running) -> bool {
        let again: Vec<u64> = self.given.keys().copied().collect();
        again.into_iter().for_each(|id| self.give(running, id));
        let mut heard = Instant::now();
        loop {
            tokio::select! {
                task = self.received.recv() => {
                    // What it has been given, the janitor does by itself.
                    let Some((work, answer)) = task else { return true };
                    if self.given.is_empty() {
                        heard = Instant::now();
                    }
                    let id = self.next;
                    self.next += 1;
                    self.given.insert(id, (work, answer, 0));
                    self.give(running, id);
                }
                line = running.output.next_line() => {
                    let Ok(Some(line)) = line else { return false };
                    heard = Instant::now();
                    if let Ok(Done { id, failure }) = serde_json::from_str(&line)
                        && let Some((_, answer, _)) = self.given.remove(&id)
                    {
                        let _ = answer.send(failure.map_or(Ok(()), Err));
                    }
                }
                () = sleep_until(heard + self.silence), if !self.given.is_empty() => {
                    tracing::error!("the janitor shows no sign of life, and is killed");
                    let _ = running.child.start_kill();
                    return false;
                }
            }
        }
    }

    /// Gives the janitor a task. That it has ended is seen by what it does not answer.
    fn give(&mut self, running: &Running, id: u64) {
        let Some((work, _, tries)) = self.given.get_mut(&id) else { return };
        *tries += 1;
        match serde_json::to_vec(&Task { id, work: work.clone() }) {
            Ok(mut line) => {
                line.push(b'\n');
                let _ = running.input.send(line);
            }
            Err(error) => {
                if let Some((_, answer, _)) = self.given.remove(&id) {
                    let _ = answer.send(Err(error.to_string()));
                }
            }
        }
    }
}

fn start(program: &Path) -> std::io::Result<Running> {
    let mut child = Command::new(program)
        .arg0("offshoot")
        .arg("janitor")
        .env_clear()
        .current_dir("/")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        // It ends when it has done what it has been given, whatever signal the terminal sends.
        .process_group(0)
        .spawn()?;
    let (Some(input), Some(output)) = (child.stdin.take(), child.stdout.take()) else { return Err(std::io::ErrorKind::BrokenPipe.into()) };
    let (lines, mut written) = mpsc::unbounded_channel::<Vec<u8>>();
    tokio::spawn(async move {
        let mut input = input;
        while let Some(line) = written.recv().await {
            if input.write_all(&line).await.is_err() {
                return;
            }
        }
    });
    Ok(Running { child, input: lines, output: BufReader::new(output).lines() })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[tokio::test]
    async fn a_janitor_that_hangs_is_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let (program, first) = (folder.path().join("janitor"), folder.path().join("first"));
        // The first hangs, the second does what it is asked.
        let script = format!(
            "#!/bin/sh\nif ! test -e {first}; then : > {first}; exec sleep 1000; fi\nread task\necho '{{\"id\":0,\"failure\":null}}'\ncat > /dev/null\n",
            first = first.display()
        );
        std::fs::write(&program, script).unwrap();
        std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o700)).unwrap();
        let janitor = Janitor::with_patience(program, Duration::from_secs(2));
        assert_eq!(janitor.remove(folder.path().join("what")).await, Ok(()));
        assert!(first.exists());
    }
}
