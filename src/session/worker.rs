//! One worker process: how it is made, reached, and ended.

use std::{
    io,
    os::{
        fd::{AsFd, OwnedFd},
        unix::fs::DirBuilderExt,
    },
    path::PathBuf,
    time::Duration,
};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    io::Errno,
    process::{Pid, PidfdFlags, Signal, WaitId, WaitIdOptions, kill_process_group, pidfd_open, waitid},
};
use tokio::{net::unix::pipe, sync::oneshot};
use uuid::Uuid;

use super::{console::Stream, failure::WorkerError, frames::Frames, outbound, zygote::Zygote};
use crate::{
    link::{
        command::Reply,
        marks::{Mark, Tag},
        messages::{self, Exit, Limits, Network, RunAs},
    },
    system::{
        awaited,
        cgroup::{Cgroup, Delegated, Most},
        janitor::Janitor,
        processes,
        users::{User, Users},
    },
};

/// How long a forked worker may take to report that it is ready.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long to wait for the report of a worker's end, which usually takes a millisecond.
const SOON: Duration = Duration::from_millis(100);
/// How long the janitor may take to end the processes of a user.
const KILLED: Duration = Duration::from_secs(10);
/// How long to wait for the report after the processes that may have delayed it have been ended.
const REPORT: Duration = Duration::from_secs(2);

/// The folder, beside those of sessions, to which folders of ended sessions are moved.
pub const ASIDE: &str = "gone";

/// A worker and everything that belongs to it.
#[derive(Debug)]
pub struct Worker {
    /// Commands and replies.
    pub frames: Frames,
    /// The console pipe.
    pub console: Console,
    /// The folder of its session; removed by [`Worker::bury`].
    pub folder: PathBuf,
    /// R's `tempdir()`, below the folder.
    pub temporary: PathBuf,
    pid: Pid,
    pidfd: OwnedFd,
    exit: oneshot::Receiver<Exit>,
    /// The result of [`Worker::wait`].
    ended: Option<Option<Exit>>,
    /// The user and the group that its folders belong to; `None` for the server's.
    pub ids: Option<(u32, u32)>,
    /// Given back after the folder has been removed.
    user: Option<User>,
    /// The control group of its processes, if the server uses control groups.
    group: Option<Cgroup>,
    zygote: Zygote,
    janitor: Janitor,
}

/// Everything that is needed to make workers.
#[derive(Debug, Clone)]
pub struct WorkerFactory {
    /// Forks the workers.
    pub zygote: Zygote,
    /// The folder in which each worker gets a folder of its own.
    pub folder: PathBuf,
    /// The users that they run as.
    pub users: Users,
    /// The control group in which each gets one of its own, if there is one.
    pub groups: Option<Delegated>,
    /// Removes the files and processes that they leave.
    pub janitor: Janitor,
}

impl WorkerFactory {
    /// Forks a worker, which runs as this person or as a user of its own, and waits until it is ready. The worker is ended if the caller goes away.
    ///
    /// # Errors
    /// Why there is none, with the text that it printed.
    pub async fn worker(&self, limits: &Limits, run_as: Option<&RunAs>) -> Result<Worker, WorkerError> {
        let (factory, limits, run_as) = (self.clone(), limits.clone(), run_as.cloned());
        let (answer, made) = oneshot::channel();
        tokio::spawn(async move {
            // Whoever waits for it may go away at any moment, also when it is on its way.
            let _ = answer.send(factory.make(&limits, run_as).await.map(Unclaimed::new));
        });
        made.await.unwrap_or(Err(WorkerError::Stopping)).map(Unclaimed::claim)
    }

    async fn make(&self, limits: &Limits, person: Option<RunAs>) -> Result<Worker, WorkerError> {
        let started = std::time::Instant::now();
        let most = limits.memory.and_then(|memory| usize::try_from(memory).ok()).unwrap_or(usize::MAX);
        let is_outbound = limits.network == Network::Outbound;
        let (frames, [commands, replies, memory]) = Frames::new(most, is_outbound)?;
        let (read, write) = io::pipe()?;
        let user = if person.is_some() { None } else { self.users.take().await.map_err(WorkerError::NoUser)? };
        let mut tag = [0; 16];
        getrandom::fill(&mut tag).map_err(io::Error::from)?;
        let most = Most { memory: limits.memory, processes: limits.processes };
        let group = self.groups.as_ref().map(|groups| groups.group(most)).transpose()?;
        let spec = messages::Fork {
            request: 0,
            folder: self.folder.join(Uuid::new_v4().to_string()),
            user: user.as_ref().map(User::id),
            person: person.map(Box::new),
            limits: limits.clone(),
            group: group.as_ref().map(Cgroup::members),
            tag,
        };
        let (folder, ids) = (spec.folder.clone(), spec.ids());
        let forked = self.zygote.fork(spec, [commands, replies, memory, write.into()]).await?;
        let pid = Pid::from_raw(forked.pid).ok_or(Errno::SRCH)?;
        let pidfd = pidfd_open(pid, PidfdFlags::empty())?;
        let console = Console::new(read.into(), &tag)?;
        let (zygote, janitor) = (self.zygote.clone(), self.janitor.clone());
        let mut worker = Worker {
            frames,
            console,
            folder,
            temporary: PathBuf::new(),
            pid,
            pidfd,
            exit: forked.exit,
            ended: None,
            ids,
            user,
            group,
            zygote,
            janitor,
        };
        match tokio::time::timeout(PATIENCE, worker.frames.receive()).await {
            Ok(Ok(Some((Reply::Hello { temporary }, _)))) => {
                if is_outbound && let Err(error) = outbound::connect(pid, worker.frames.take_descriptor()) {
                    worker.bury().await;
                    return Err(error);
                }
                metrics::histogram!("offshoot_fork_seconds").record(started.elapsed());
                return Ok(Worker { temporary, ..worker });
            }
            Ok(_) => {}
            Err(_) => worker.signal(Signal::KILL),
        }
        let mut said = Vec::new();
        worker.console.finish(|_, text| said.extend_from_slice(text));
        worker.bury().await;
        Err(WorkerError::NotReady(String::from_utf8_lossy(&said).trim().to_owned()))
    }
}

/// A worker that nobody has taken yet. It is ended if that never happens.
#[derive(Debug)]
pub(super) struct Unclaimed(Option<Worker>);

impl Unclaimed {
    pub(super) fn new(worker: Worker) -> Self {
        Self(Some(worker))
    }

    pub(super) fn claim(mut self) -> Worker {
        self.0.take().expect("invariant: it is there until it is claimed, which is once")
    }
}

impl Drop for Unclaimed {
    fn drop(&mut self) {
        if let Some(worker) = self.0.take() {
            tokio::spawn(worker.bury());
        }
    }
}

impl Worker {
    /// The worker's process id.
    #[must_use]
    pub fn pid(&self) -> i32 {
        self.pid.as_raw_nonzero().get()
    }

    /// Sends a signal to the worker and to the processes it started.
    pub fn signal(&self, signal: Signal) {
        // The number belongs to this group as long as the worker exists, and its pidfd tells whether it does.
        if !self.has_ended() {
            let _ = kill_process_group(self.pid, signal);
        }
    }

    /// Interrupts the worker, the processes it started, and those that have left its group and that it waits for. Returns whether the worker
    /// has heard it: it neither ignores interrupts nor holds them back, as it does between two commands.
    pub fn interrupt(&self) -> bool {
        let did_hear = !processes::blocks(self.pid(), Signal::INT) && !self.ignores_interrupts();
        let awaited = awaited::groups(self.pid());
        self.signal(Signal::INT);
        for group in awaited.into_iter().filter_map(Pid::from_raw) {
            let _ = kill_process_group(group, Signal::INT);
        }
        // It may have begun to wait for a program in between. Its handler of the signal holds others back, for a moment.
        did_hear && !self.ignores_interrupts()
    }

    /// Whether the worker ignores interrupts, as R does while it waits for a program.
    #[must_use]
    pub fn ignores_interrupts(&self) -> bool {
        processes::ignores(self.pid(), Signal::INT)
    }

    /// Kills the worker and the processes it started, as far as they can be found at once.
    pub fn kill(&self) {
        self.signal(Signal::KILL);
        if let Some(group) = &self.group {
            group.kill();
        }
    }

    /// Whether a process was killed because the control group exceeded its limit on memory.
    #[must_use]
    pub fn ran_out_of_memory(&self) -> bool {
        self.group.as_ref().is_some_and(Cgroup::ran_out_of_memory)
    }

    /// Whether the process has ended, reaped or not: its pidfd is then readable.
    fn has_ended(&self) -> bool {
        let mut ready = [PollFd::new(&self.pidfd, PollFlags::IN)];
        let now = Timespec { tv_sec: 0, tv_nsec: 0 };
        poll(&mut ready, Some(&now)).is_ok_and(|count| count > 0)
    }

    /// Whether the process still exists.
    #[must_use]
    pub fn is_alive(&self) -> bool {
        !self.has_ended()
    }

    /// Waits for the end of a worker that was killed, or whose pipe has closed. Returns how it ended.
    pub async fn wait(&mut self) -> Option<Exit> {
        if let Some(ended) = self.ended {
            return ended;
        }
        let mut ended = tokio::time::timeout(SOON, &mut self.exit).await;
        if ended.is_err() {
            // A child may prevent that the worker is reaped, by tracing it.
            self.end_others().await;
            ended = tokio::time::timeout(REPORT, &mut self.exit).await;
        }
        let ended = match ended {
            Ok(Ok(exit)) => Some(exit),
            // The zygote ended before the worker, so this process has inherited the worker and its children.
            _ => {
                self.kill_unreaped_group();
                self.reap().await
            }
        };
        *self.ended.insert(ended)
    }

    /// Kills the group of a worker that this process has to reap. Until then, the number cannot belong to another group.
    fn kill_unreaped_group(&self) {
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        if matches!(waitid(WaitId::PidFd(self.pidfd.as_fd()), options), Ok(Some(_))) {
            let _ = kill_process_group(self.pid, Signal::KILL);
        }
    }

    /// Ends all other processes of the session, also those that have left its process group.
    async fn end_others(&self) {
        let Some(user) = self.user() else { return self.zygote.end_strays(self.pid()) };
        let killed = tokio::time::timeout(KILLED, self.janitor.kill(user)).await;
        if let Err(error) = killed.unwrap_or_else(|_| Err("the janitor does not answer".to_owned())) {
            tracing::warn!(error, "a session is left with processes");
        }
    }

    async fn reap(&self) -> Option<Exit> {
        for _ in 0..200 {
            let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG;
            match waitid(WaitId::PidFd(self.pidfd.as_fd()), options) {
                Ok(Some(status)) => {
                    let signal = status.terminating_signal().map(Exit::Signal);
                    return signal.or(status.exit_status().map(Exit::Status));
                }
                Ok(None) => tokio::time::sleep(Duration::from_millis(10)).await,
                Err(_) => return None,
            }
        }
        None
    }

    /// The user that the worker runs as; `None` for the server's.
    #[must_use]
    pub fn user(&self) -> Option<u32> {
        self.user.as_ref().map(User::id)
    }

    /// Kills the remaining processes of the session, and removes its folder.
    pub async fn bury(mut self) {
        self.kill();
        self.wait().await;
        // The zygote has ended them with the worker, unless there was no zygote any more.
        if self.user().is_some_and(processes::has_processes) {
            self.end_others().await;
        }
        let Self { folder, user, group, janitor, .. } = self;
        if group.is_some() {
            let _ = tokio::task::spawn_blocking(|| drop(group)).await;
        }
        if let Err(error) = janitor.remove(folder.clone()).await {
            tracing::warn!(error, "a session's folder could not be removed");
            // Moved away, because the next session with the same user must not find it.
            let aside = folder.with_file_name(ASIDE);
            let _ = std::fs::DirBuilder::new().mode(0o700).create(&aside);
            let _ = std::fs::rename(&folder, aside.join(Uuid::new_v4().to_string()));
        }
        drop(user);
    }
}

/// The console pipe.
#[derive(Debug)]
pub struct Console {
    pipe: pipe::Receiver,
    stream: Stream,
    ended: bool,
}

impl Console {
    fn new(pipe: OwnedFd, tag: &Tag) -> io::Result<Self> {
        Ok(Self { pipe: pipe::Receiver::from_owned_fd(pipe)?, stream: Stream::new(tag), ended: false })
    }

    /// Waits until there is text to [`drain`](Self::drain).
    pub async fn readable(&self) {
        if self.ended || self.pipe.readable().await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// Passes on the text that is in the pipe now. It stops after the capacity of the pipe, so that it returns even if a process prints
    /// without end.
    pub fn drain(&mut self, mut each: impl FnMut(Mark, &[u8])) {
        const CAPACITY: usize = 64 << 10;
        let mut bytes = [0; 8 << 10];
        let mut total = 0;
        while total <= CAPACITY {
            match self.read(&mut bytes) {
                Ok(length) if length > 0 => {
                    total += length;
                    self.stream.push(&bytes[..length], &mut each);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                _ => {
                    self.ended = true;
                    return;
                }
            }
        }
    }

    /// Passes on all text, when the worker has replied or ended: nothing is held back as the possible beginning of a mark.
    pub fn finish(&mut self, mut each: impl FnMut(Mark, &[u8])) {
        self.drain(&mut each);
        self.stream.flush(each);
    }

    fn read(&self, bytes: &mut [u8]) -> io::Result<usize> {
        let mut answer = None;
        let _ = self.pipe.try_io(|| {
            let read = rustix::io::read(&self.pipe, &mut *bytes).map_err(io::Error::from);
            let blocked = read.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock);
            answer = Some(read);
            if blocked { Err(io::ErrorKind::WouldBlock.into()) } else { Ok(()) }
        });
        // Reads even if the runtime has not noticed the text yet: text that was printed before a reply is in the pipe when the reply
        // arrives, and must not be missed.
        answer.unwrap_or_else(|| Ok(rustix::io::read(&self.pipe, bytes)?))
    }
}
