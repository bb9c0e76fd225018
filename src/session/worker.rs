//! One worker process: made, spoken to, and ended.

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

use super::{console::Stream, failure::WorkerError, frames::Frames, zygote::Zygote};
use crate::{
    link::{
        command::Reply,
        marks::{Mark, Tag},
        messages::{self, Exit, Limits},
    },
    system::{
        cgroup::{Delegated, Group, Most},
        janitor::Janitor,
        processes,
        users::{User, Users},
    },
};

/// How long a fork may take to say that it is ready.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long the report of a worker's end may take, which comes in a millisecond most often.
const SOON: Duration = Duration::from_millis(100);
/// What the janitor gets to end the processes of a user.
const KILLED: Duration = Duration::from_secs(10);
/// And when what may have kept it from being reaped has been ended.
const REPORT: Duration = Duration::from_secs(2);

/// The folder beside those of sessions for what is left of them.
pub const ASIDE: &str = "gone";

/// A worker and all that belongs to it.
#[derive(Debug)]
pub struct Worker {
    /// Commands and replies.
    pub frames: Frames,
    /// What it prints.
    pub console: Console,
    /// The folder of its session; removed by [`Worker::bury`].
    pub folder: PathBuf,
    /// R's `tempdir()`, below the folder.
    pub temporary: PathBuf,
    pid: Pid,
    pidfd: OwnedFd,
    exit: oneshot::Receiver<Exit>,
    /// What [`Worker::wait`] has found out.
    ended: Option<Option<Exit>>,
    /// Given back after the folder is gone.
    user: Option<User>,
    /// The control group of its processes, where there are such.
    group: Option<Group>,
    zygote: Zygote,
    janitor: Janitor,
}

/// How workers are made.
#[derive(Debug, Clone)]
pub struct WorkerFactory {
    /// Forks them.
    pub zygote: Zygote,
    /// The folder in which each gets one of its own.
    pub folder: PathBuf,
    /// As whom they run.
    pub users: Users,
    /// Where each has a control group of its own.
    pub groups: Option<Delegated>,
    /// Removes what they leave.
    pub janitor: Janitor,
}

impl WorkerFactory {
    /// Forks a worker and waits until it is ready. When whoever waits goes away, it is ended.
    ///
    /// # Errors
    /// Why there is none, with what it printed.
    pub async fn worker(&self, limits: &Limits) -> Result<Worker, WorkerError> {
        let (factory, limits) = (self.clone(), limits.clone());
        let (answer, made) = oneshot::channel();
        tokio::spawn(async move {
            if let Err(Ok(unwanted)) = answer.send(factory.make(&limits).await) {
                unwanted.bury().await;
            }
        });
        made.await.unwrap_or(Err(WorkerError::Stopping))
    }

    async fn make(&self, limits: &Limits) -> Result<Worker, WorkerError> {
        let started = std::time::Instant::now();
        let most = limits.memory.and_then(|memory| usize::try_from(memory).ok()).unwrap_or(usize::MAX);
        let (frames, [commands, replies, memory]) = Frames::new(most)?;
        let (read, write) = io::pipe()?;
        let user = self.users.take().await.map_err(WorkerError::NoUser)?;
        let mut tag = [0; 16];
        getrandom::fill(&mut tag).map_err(io::Error::from)?;
        let most = Most { memory: limits.memory, processes: limits.processes };
        let group = self.groups.as_ref().map(|groups| groups.group(most)).transpose()?;
        let spec = messages::Fork {
            request: 0,
            folder: self.folder.join(Uuid::new_v4().to_string()),
            user: user.as_ref().map(User::id),
            limits: limits.clone(),
            group: group.as_ref().map(Group::members),
            tag,
        };
        let folder = spec.folder.clone();
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
            user,
            group,
            zygote,
            janitor,
        };
        match tokio::time::timeout(PATIENCE, worker.frames.receive()).await {
            Ok(Ok(Some((Reply::Hello { temporary }, _)))) => {
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

impl Worker {
    /// The worker's process id.
    #[must_use]
    pub fn pid(&self) -> i32 {
        self.pid.as_raw_nonzero().get()
    }

    /// Sends a signal to the worker and to the processes it started.
    pub fn signal(&self, signal: Signal) {
        // The number names this group for as long as the worker is there, which its pidfd tells for certain.
        if !self.has_ended() {
            let _ = kill_process_group(self.pid, signal);
        }
    }

    /// Kills the worker and the processes it started, as far as they can be found at once.
    pub fn kill(&self) {
        self.signal(Signal::KILL);
        if let Some(group) = &self.group {
            group.kill();
        }
    }

    /// Whether a process was killed because all together took more memory than they may.
    #[must_use]
    pub fn ran_out_of_memory(&self) -> bool {
        self.group.as_ref().is_some_and(Group::ran_out_of_memory)
    }

    /// A pidfd is readable from the moment its process has ended, reaped or not.
    fn has_ended(&self) -> bool {
        let mut ready = [PollFd::new(&self.pidfd, PollFlags::IN)];
        let now = Timespec { tv_sec: 0, tv_nsec: 0 };
        poll(&mut ready, Some(&now)).is_ok_and(|count| count > 0)
    }

    /// Whether the process is still there.
    #[must_use]
    pub fn is_alive(&self) -> bool {
        !self.has_ended()
    }

    /// Waits for the end of a worker whose pipe has closed, or that was killed; tells how it ended.
    pub async fn wait(&mut self) -> Option<Exit> {
        if let Some(ended) = self.ended {
            return ended;
        }
        let mut ended = tokio::time::timeout(SOON, &mut self.exit).await;
        if ended.is_err() {
            // One of its children may keep it from being reaped, by tracing it.
            self.end_others().await;
            ended = tokio::time::timeout(REPORT, &mut self.exit).await;
        }
        let ended = match ended {
            Ok(Ok(exit)) => Some(exit),
            // Its zygote ended first, and this process has inherited it, and what it has left.
            _ => {
                self.kill_unreaped_group();
                self.reap().await
            }
        };
        *self.ended.insert(ended)
    }

    /// Kills the group of a worker that this process is to reap: until then, the number is that group's.
    fn kill_unreaped_group(&self) {
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        if matches!(waitid(WaitId::PidFd(self.pidfd.as_fd()), options), Ok(Some(_))) {
            let _ = kill_process_group(self.pid, Signal::KILL);
        }
    }

    /// Ends the processes of the session, wherever they have hidden.
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

    /// The user that it runs as; `None` for the server's.
    #[must_use]
    pub fn user(&self) -> Option<u32> {
        self.user.as_ref().map(User::id)
    }

    /// Kills what is left of the session's processes, and removes its folder.
    pub async fn bury(mut self) {
        self.kill();
        self.wait().await;
        // The zygote has ended them with the worker, unless there was none any more.
        if self.user().is_some_and(processes::has_processes) {
            self.end_others().await;
        }
        let Self { folder, user, group, janitor, .. } = self;
        if group.is_some() {
            let _ = tokio::task::spawn_blocking(|| drop(group)).await;
        }
        if let Err(error) = janitor.remove(folder.clone()).await {
            tracing::warn!(error, "a session's folder could not be removed");
            // Whoever has its user next must not find it.
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

    /// Waits until there is something to [`drain`](Self::drain).
    pub async fn readable(&self) {
        if self.ended || self.pipe.readable().await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// Hands out what is in the pipe now. A pipe holds no more than its capacity, so that a process that
    /// prints without end does not keep this from returning.
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

    /// The same, when the worker has replied or ended: nothing is kept back for what may follow.
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
        // The runtime may not have heard yet of what is there: what was printed before a reply is in the pipe
        // when the reply has come, and has to be found.
        answer.unwrap_or_else(|| Ok(rustix::io::read(&self.pipe, bytes)?))
    }
}
