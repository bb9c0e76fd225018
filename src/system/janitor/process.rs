//! The code that runs in the janitor: it kills the processes of users, and removes what they have left.
//!
//! Tasks are lines of JSON on standard input, and each is answered on standard output when it is done. The janitor works on all tasks in
//! turns, so that one that takes long does not delay the others; empty lines in between show that it is alive. When its input ends, it
//! finishes its tasks, and then ends.

use std::{
    collections::{HashSet, VecDeque},
    io::{self, Write},
    path::PathBuf,
    time::{Duration, Instant},
};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    io::Errno,
};
use serde::{Deserialize, Serialize};

use crate::system::{leftovers, removal::Removal};

/// How many entries are removed before it is the next task's turn.
const TURN: usize = 500;
/// How often the janitor writes an empty line to show that it is alive.
const BEAT: Duration = Duration::from_secs(1);
/// The time between two checks whether killed processes have ended.
const PAUSE: Duration = Duration::from_millis(2);
/// How long processes may take to end. A process that waits for a device may never end.
const PATIENCE: Duration = Duration::from_secs(5);

/// A task for the janitor.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Task {
    /// Names the answer.
    pub id: u64,
    /// What to do.
    pub work: Work,
}

/// The work of a task.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Work {
    /// Kill all processes of these users, and wait for their end.
    Kill(Vec<u32>),
    /// Kill all processes of these users, and remove what they have left in places that are open to everybody.
    Clear(Vec<u32>),
    /// Remove a file or a folder.
    Remove(PathBuf),
}

/// The answer to a task.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskReport {
    /// From [`Task::id`].
    pub id: u64,
    /// Why the task failed, completely or in part.
    pub failure: Option<String>,
}

/// Carries out tasks from standard input, until the input ends.
///
/// # Errors
/// When standard input cannot be read.
pub fn run() -> io::Result<()> {
    // Started through `/proc/self/exe`, the process would have a name that says nothing.
    let _ = rustix::thread::set_name(c"janitor");
    let mut input = Input::default();
    let mut running = VecDeque::new();
    let mut beat = Instant::now();
    loop {
        running.extend(input.tasks().map(Running::new));
        if running.is_empty() {
            if input.is_over {
                return Ok(());
            }
            input.read(None)?;
            continue;
        }
        let mut is_waiting = true;
        for _ in 0..running.len() {
            let Some(mut task) = running.pop_front() else { break };
            let step = task.step();
            is_waiting &= matches!(step, Step::Wait);
            match step {
                // If nobody reads the answers any more, the remaining tasks are still done.
                Step::Done(failure) => drop(answer(&TaskReport { id: task.id, failure })),
                Step::More | Step::Wait => running.push_back(task),
            }
        }
        if beat.elapsed() >= BEAT {
            let _ = write(b"\n");
            beat = Instant::now();
        }
        input.read(Some(if is_waiting { PAUSE } else { Duration::ZERO }))?;
    }
}

/// Standard input. It is read without a thread, because this process forks.
#[derive(Default)]
struct Input {
    bytes: Vec<u8>,
    is_over: bool,
}

impl Input {
    /// Reads once, if data arrives within this time.
    fn read(&mut self, patience: Option<Duration>) -> io::Result<()> {
        let stdin = rustix::stdio::stdin();
        let patience = patience.map(|patience| Timespec { tv_sec: 0, tv_nsec: patience.subsec_nanos().into() });
        if self.is_over {
            if let Some(Timespec { tv_nsec: 1.., .. }) = patience {
                std::thread::sleep(PAUSE);
            }
            return Ok(());
        }
        match poll(&mut [PollFd::new(&stdin, PollFlags::IN)], patience.as_ref()) {
            Ok(0) | Err(Errno::INTR) => return Ok(()),
            Ok(_) => {}
            Err(error) => return Err(error.into()),
        }
        let mut bytes = [0; 4096];
        let count = rustix::io::retry_on_intr(|| rustix::io::read(stdin, &mut bytes))?;
        self.bytes.extend_from_slice(&bytes[..count]);
        self.is_over = count == 0;
        Ok(())
    }

    /// The tasks whose lines are complete.
    fn tasks(&mut self) -> impl Iterator<Item = Task> {
        let whole = self.bytes.iter().rposition(|&byte| byte == b'\n').map_or(0, |at| at + 1);
        let lines: Vec<u8> = self.bytes.drain(..whole).collect();
        let tasks: Vec<Task> = lines.split(|&byte| byte == b'\n').filter_map(|line| serde_json::from_slice(line).ok()).collect();
        tasks.into_iter()
    }
}

fn answer(done: &TaskReport) -> io::Result<()> {
    let mut line = serde_json::to_vec(done)?;
    line.push(b'\n');
    write(&line)
}

fn write(line: &[u8]) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(line)?;
    out.flush()
}

/// A task in progress.
struct Running {
    id: u64,
    begun: Instant,
    stage: Stage,
}

enum Stage {
    Killing { users: Vec<u32>, clear: bool },
    Removing { removals: Vec<Removal>, failure: Option<String> },
}

enum Step {
    Done(Option<String>),
    /// The task can go on at once.
    More,
    /// The task has to wait.
    Wait,
}

impl Running {
    fn new(task: Task) -> Self {
        let stage = match task.work {
            Work::Kill(users) => Stage::Killing { users, clear: false },
            Work::Clear(users) => Stage::Killing { users, clear: true },
            Work::Remove(path) => Stage::Removing { removals: vec![Removal::new(path)], failure: None },
        };
        Self { id: task.id, begun: Instant::now(), stage }
    }

    fn step(&mut self) -> Step {
        match &mut self.stage {
            Stage::Killing { users, clear } => {
                let (ended, left): (Vec<u32>, Vec<u32>) = users.iter().partition(|&&user| leftovers::kill(user));
                if !left.is_empty() && self.begun.elapsed() < PATIENCE {
                    return Step::Wait;
                }
                let failure = (!left.is_empty()).then(|| format!("processes of the users {left:?} do not end"));
                if !*clear {
                    return Step::Done(failure);
                }
                let paths = leftovers::clear(&HashSet::from_iter(ended));
                self.stage = Stage::Removing { removals: paths.into_iter().map(Removal::new).collect(), failure };
                Step::More
            }
            Stage::Removing { removals, failure } => {
                let Some(removal) = removals.last_mut() else { return Step::Done(failure.take()) };
                match removal.step(TURN) {
                    Ok(false) => return Step::More,
                    Ok(true) => {}
                    Err(error) => drop(failure.get_or_insert(error.to_string())),
                }
                removals.pop();
                if removals.is_empty() { Step::Done(failure.take()) } else { Step::More }
            }
        }
    }
}
