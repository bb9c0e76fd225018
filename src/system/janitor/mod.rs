//! The janitor: a process that cleans up after others, and the code by which this process controls it.
//!
//! An attacker may have made the files that the janitor removes. If they make it crash, another janitor is started, and nothing else is
//! affected. [`process`] is the code that runs in the janitor.

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

use process::{Task, TaskReport, Work};

/// The time between the end of a janitor and the start of the next.
const PAUSE: Duration = Duration::from_millis(200);
/// How long a janitor with tasks may be silent. Normally it takes moments between two signs of life.
const SILENCE: Duration = Duration::from_mins(1);
/// How many janitors get a task. If this many have ended with it, the task may be the cause.
const TRIES: usize = 3;

/// A handle on the janitor; cheap to clone.
#[derive(Debug, Clone)]
pub struct Janitor {
    tasks: mpsc::UnboundedSender<(Work, Answer)>,
}

type Answer = oneshot::Sender<Result<(), String>>;

impl Janitor {
    /// Starts the janitor, and keeps it running as long as a handle exists. `program` has to run [`process::run`] when it is given the
    /// command `janitor`.
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
    /// When some processes do not end.
    pub async fn kill(&self, user: u32) -> Result<(), String> {
        self.ask(Work::Kill(vec![user])).await
    }

    /// Kills the processes of users, and removes everything else that they have left on the machine.
    ///
    /// # Errors
    /// When some processes do not end.
    pub async fn clear(&self, users: Vec<u32>) -> Result<(), String> {
        self.ask(Work::Clear(users)).await
    }

    /// Removes a file or a folder. It is no error if there is none.
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

/// The task that controls the janitor.
struct Driver {
    program: PathBuf,
    silence: Duration,
    received: mpsc::UnboundedReceiver<(Work, Answer)>,
    /// The unfinished tasks, each with the number of janitors that have had it.
    given: HashMap<u64, (Work, Answer, usize)>,
    next: u64,
}

struct Running {
    child: Child,
    /// A task of its own writes these lines, because the driver has to read answers meanwhile.
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

    /// Passes on tasks and answers until the janitor has ended (false), or until all handles are gone (true).
    async fn drive(&mut self, running: &mut Running) -> bool {
        let again: Vec<u64> = self.given.keys().copied().collect();
        again.into_iter().for_each(|id| self.give(running, id));
        let mut heard = Instant::now();
        loop {
            tokio::select! {
                task = self.received.recv() => {
                    // The janitor finishes the tasks that it has by itself.
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
                    if let Ok(TaskReport { id, failure }) = serde_json::from_str(&line)
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

    /// Gives the janitor a task. If the janitor has ended, this is noticed by the missing answer.
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
        // In a group of its own, so that a signal of the terminal does not end it before it has finished its tasks.
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
        // The first janitor hangs, and the second does its tasks.
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
