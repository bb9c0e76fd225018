//! The supervisor's control of the zygote.
//!
//! One thread owns the control socket. Async code sends it requests over a crossbeam channel and gets the answers over oneshots; a second
//! thread reads what the zygote reports. When the zygote dies, the first thread starts another one. Live workers go on without it.

use std::{
    io::{self, IoSlice},
    mem::MaybeUninit,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicI32, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender};
use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    io::Errno,
    net::{
        AddressFamily, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage, SendFlags, SocketFlags, SocketType, recv, sendmsg, socketpair,
    },
};
use tokio::sync::oneshot;

use super::{
    failure::{StartError, WorkerError},
    rhome,
    waiting::{ANSWER, Question, Waiting},
};
use crate::{
    config,
    link::{
        messages::{self, Exit, Fork, Namespace, Ready, Sandbox, Start, Walls, Wanted, ZygoteReply, ZygoteRequest},
        shared,
    },
    system::{processes, users::Users},
};

/// How long a zygote may take to end by itself.
const PATIENCE: Duration = Duration::from_secs(1);
/// How long it may take to start R and to load packages.
const START: Duration = Duration::from_mins(5);
/// The time between two looks at a zygote that is slow, and between the death of one and the start of the next, so that a zygote that
/// always dies at once does not use up the processor.
const PAUSE: Duration = Duration::from_millis(200);

/// A handle on the zygote; cheap to clone.
#[derive(Debug, Clone)]
pub struct Zygote {
    requests: Sender<Request>,
    pid: Arc<AtomicI32>,
    r_version: Arc<str>,
    walls: Arc<Walls>,
}

/// A forked worker.
#[derive(Debug)]
pub struct Forked {
    /// Its process id and process group.
    pub pid: i32,
    /// Receives how the worker ended; closed without a value if the zygote ended first.
    pub exit: oneshot::Receiver<Exit>,
}

type Answer = oneshot::Sender<Result<Forked, WorkerError>>;

#[derive(Debug)]
enum Request {
    Fork {
        spec: Box<Fork>,
        descriptors: [OwnedFd; 4],
        answer: Answer,
    },
    /// End the processes that keep this worker from being reaped.
    EndStrays(i32),
    Ping(oneshot::Sender<()>),
    /// The zygote of this generation is gone.
    Lost(u64),
    Halt(oneshot::Sender<()>),
    Start(oneshot::Sender<Result<(), StartError>>),
    End(oneshot::Sender<()>),
}

impl Zygote {
    /// Starts R, and returns when it can fork. R has its own temporary folder in `folder`.
    ///
    /// # Errors
    /// Why R did not start.
    pub async fn start(config: config::RSettings, sandbox: Sandbox, users: Users, folder: &Path) -> Result<Self, StartError> {
        let (requests, received) = crossbeam_channel::unbounded();
        let (started, answer) = oneshot::channel();
        let pid = Arc::new(AtomicI32::new(0));
        let owner = Owner {
            config,
            sandbox,
            users,
            folder: folder.to_owned(),
            requests: requests.clone(),
            waiting: Arc::default(),
            pid: Arc::clone(&pid),
            generation: 0,
            asked: 0,
            running: None,
        };
        // The thread lives as long as the program.
        let thread = thread::Builder::new().name("zygote".to_owned());
        thread.spawn(move || owner.run(&received, started))?;
        let ready = answer.await.map_err(|_| StartError::Stopping)??;
        Ok(Self { requests, pid, r_version: ready.r_version.into(), walls: ready.walls.into() })
    }

    /// The walls around sessions.
    #[must_use]
    pub fn walls(&self) -> &Walls {
        &self.walls
    }

    /// R's version, such as "4.2.2".
    #[must_use]
    pub fn r_version(&self) -> &str {
        &self.r_version
    }

    /// The process id of the running zygote; 0 while none can fork.
    #[must_use]
    pub fn pid(&self) -> i32 {
        self.pid.load(Ordering::Relaxed)
    }

    /// Forks a worker with these descriptors: the one from which it reads commands, the one to which it writes replies, the memory for its
    /// first large reply, and its console.
    ///
    /// # Errors
    /// Why there is none.
    pub async fn fork(&self, spec: Fork, descriptors: [OwnedFd; 4]) -> Result<Forked, WorkerError> {
        let (answer, forked) = oneshot::channel();
        let request = Request::Fork { spec: Box::new(spec), descriptors, answer };
        self.requests.send(request).map_err(|_| WorkerError::Stopping)?;
        forked.await.map_err(|_| WorkerError::ZygoteEnded)?
    }

    /// Whether the zygote answers within this time.
    pub async fn answers_within(&self, patience: Duration) -> bool {
        let (answer, answered) = oneshot::channel();
        self.requests.send(Request::Ping(answer)).is_ok() && matches!(tokio::time::timeout(patience, answered).await, Ok(Ok(())))
    }

    /// Tells the zygote to end the remaining processes of a worker that has ended and could not be reaped.
    pub fn end_strays(&self, worker: i32) {
        let _ = self.requests.send(Request::EndStrays(worker));
    }

    /// Ends the zygote and the remaining workers. Nothing can be forked until it is started again.
    pub async fn halt(&self) {
        let (done, halted) = oneshot::channel();
        if self.requests.send(Request::Halt(done)).is_ok() {
            let _ = halted.await;
        }
    }

    /// Starts the zygote again after [`Self::halt`].
    ///
    /// # Errors
    /// Why R did not start.
    pub async fn start_again(&self) -> Result<(), StartError> {
        let (done, started) = oneshot::channel();
        self.requests.send(Request::Start(done)).map_err(|_| StartError::Stopping)?;
        started.await.map_err(|_| StartError::Stopping)?
    }

    /// Ends the zygote and, with it, the remaining workers.
    pub async fn end(&self) {
        let (done, ended) = oneshot::channel();
        if self.requests.send(Request::End(done)).is_ok() {
            let _ = ended.await;
        }
    }
}

/// The program `offshoot-worker`.
///
/// # Errors
/// [`StartError::OwnProgram`]
pub fn program(config: &config::RSettings) -> Result<PathBuf, StartError> {
    if !config.worker.as_os_str().is_empty() {
        return Ok(config.worker.clone());
    }
    let own = std::env::current_exe().map_err(StartError::OwnProgram)?;
    Ok(own.with_file_name("offshoot-worker"))
}

/// The thread that owns the control socket.
struct Owner {
    config: config::RSettings,
    sandbox: Sandbox,
    users: Users,
    folder: PathBuf,
    requests: Sender<Request>,
    waiting: Arc<Waiting>,
    pid: Arc<AtomicI32>,
    /// The number of zygotes that were started.
    generation: u64,
    /// The number of questions that they were asked.
    asked: u64,
    running: Option<Running>,
}

struct Running {
    child: Child,
    control: Arc<OwnedFd>,
}

impl Owner {
    fn run(mut self, requests: &Receiver<Request>, started: oneshot::Sender<Result<Ready, StartError>>) {
        let first = self.start();
        let failed = first.is_err();
        if started.send(first).is_err() || failed {
            return;
        }
        loop {
            let request = match self.waiting.patience_ends(false) {
                None => requests.recv().map_err(|_| RecvTimeoutError::Disconnected),
                Some(end) => requests.recv_deadline(end.max(Instant::now() + PAUSE)),
            };
            let request = match request {
                Ok(request) => request,
                // The zygote may have answered everything meanwhile, or be slow with it.
                Err(RecvTimeoutError::Timeout) if !self.is_silent() => continue,
                Err(RecvTimeoutError::Timeout) => {
                    tracing::error!("the zygote does not answer, and is ended");
                    self.waiting.refuse(&WorkerError::Silent(ANSWER.as_secs()));
                    self.restart();
                    continue;
                }
                Err(RecvTimeoutError::Disconnected) => return,
            };
            match request {
                Request::Fork { spec, descriptors, answer } => self.fork(*spec, descriptors, answer),
                Request::Ping(answer) => self.ask(None, Question::Ping(answer)),
                Request::EndStrays(worker) => {
                    if let Some(running) = &self.running {
                        let _ = send(&running.control, &messages::encode(&ZygoteRequest::EndStrays(worker)), &[]);
                    }
                }
                Request::Lost(generation) if generation == self.generation => self.restart(),
                Request::Lost(_) => {}
                Request::Halt(done) => {
                    // With another generation, the end of this zygote does not count as a loss.
                    self.generation += 1;
                    self.stop();
                    self.waiting.forget();
                    let _ = done.send(());
                }
                Request::Start(done) => {
                    let started = if self.running.is_some() { Ok(()) } else { self.start().map(drop) };
                    if started.is_err() {
                        self.stop();
                    }
                    let _ = done.send(started);
                }
                Request::End(done) => {
                    self.stop();
                    let _ = done.send(());
                    return;
                }
            }
        }
    }

    /// Whether the zygote has taken too long for its next answer.
    fn is_silent(&self) -> bool {
        let is_at_work = processes::is_at_work(self.pid.load(Ordering::Relaxed));
        self.waiting.patience_ends(is_at_work).is_some_and(|end| end <= Instant::now())
    }

    /// Starts a zygote and waits until it is ready.
    fn start(&mut self) -> Result<Ready, StartError> {
        self.generation += 1;
        let (ours, theirs) = socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)
            .map_err(|error| StartError::Control(error.into()))?;
        let program = program(&self.config)?;
        // Written before the zygote is started, which reads it first.
        let own = &self.config.namespaces;
        let named =
            |own: &config::RNamespace| Namespace { name: own.name.to_owned(), version: own.version.to_owned(), length: own.code.len() };
        let start = Start {
            preload: self.config.preload.clone(),
            repositories: self.config.repositories.clone(),
            sandbox: self.sandbox.clone(),
            namespaces: own.iter().map(named).collect(),
        };
        let code: String = own.iter().map(|own| own.code.as_str()).collect();
        let code = if code.is_empty() { None } else { Some(shared::sealed(code.as_bytes()).map_err(StartError::Control)?) };
        let descriptors: Vec<_> = code.iter().map(AsFd::as_fd).chain(self.users.reservations()).collect();
        send(&ours, &messages::encode(&start), &descriptors).map_err(|error| StartError::Control(error.into()))?;
        let mut command = Command::new(&program);
        command
            .env_clear()
            .envs(rhome::environment(&self.config, self.users.reservations().is_some())?)
            .env("TMPDIR", &self.folder)
            .stdin(Stdio::from(theirs))
            // Text that R prints before there are sessions goes to the server's log.
            .stdout(Stdio::from(io::stderr().as_fd().try_clone_to_owned()?))
            .current_dir("/");
        let child = command.spawn().map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => StartError::NoProgram(program.clone()),
            _ => StartError::Program(program.clone(), error),
        })?;
        drop(command);
        let control = Arc::new(ours);
        let running = self.running.insert(Running { child, control: Arc::clone(&control) });

        if !is_readable_within(&control, START) {
            return Err(StartError::Late(START.as_secs()));
        }
        let ready = match receive(&control) {
            Some(ZygoteReply::Ready(ready)) => ready,
            Some(ZygoteReply::Broken(message)) => return Err(StartError::R(message)),
            _ => {
                let status = running.child.wait()?;
                return Err(StartError::Ended { program, status });
            }
        };
        self.pid.store(running.child.id().cast_signed(), Ordering::Relaxed);
        metrics::counter!("offshoot_zygote_starts_total").increment(1);
        for warning in &ready.warnings {
            tracing::warn!("{warning}");
        }
        for note in &ready.notes {
            tracing::info!("{note}");
        }
        tell_of(&ready.walls, self.sandbox.wanted);
        let reader = Reader { control, waiting: Arc::clone(&self.waiting), owner: self.requests.clone(), generation: self.generation };
        let thread = thread::Builder::new().name("zygote-reports".to_owned());
        thread.spawn(move || reader.run())?;
        Ok(ready)
    }

    fn fork(&mut self, spec: Fork, descriptors: [OwnedFd; 4], answer: Answer) {
        // The caller may have gone while there was no zygote.
        if !answer.is_closed() {
            self.ask(Some((spec, descriptors)), Question::Fork(answer));
        }
    }

    /// Asks the zygote to fork a worker, or only to answer.
    fn ask(&mut self, fork: Option<(Fork, [OwnedFd; 4])>, answer: Question) {
        let Some(running) = &self.running else {
            return answer.refuse(WorkerError::NotRunning);
        };
        self.asked += 1;
        let number = self.asked;
        self.waiting.ask(number, answer);
        let sent = match fork {
            Some((spec, descriptors)) => {
                let request = ZygoteRequest::Fork(Fork { request: number, ..spec });
                send(&running.control, &messages::encode(&request), &descriptors.each_ref().map(AsFd::as_fd))
            }
            None => send(&running.control, &messages::encode(&ZygoteRequest::Ping(number)), &[]),
        };
        if let Err(error) = sent
            && let Some(question) = self.waiting.answered(number)
        {
            question.refuse(WorkerError::Unreachable(error));
        }
    }

    fn restart(&mut self) {
        self.stop();
        tracing::error!("the zygote ended; R is started again, and live sessions go on");
        self.waiting.forget();
        if let Err(error) = self.start() {
            tracing::error!(error = &error as &dyn std::error::Error, "R could not be started again");
            self.stop();
            let (requests, generation) = (self.requests.clone(), self.generation);
            let later = thread::Builder::new().name("zygote-pause".to_owned());
            let _ = later.spawn(move || {
                thread::sleep(PAUSE);
                let _ = requests.send(Request::Lost(generation));
            });
        }
    }

    fn stop(&mut self) {
        if let Some(Running { mut child, control }) = self.running.take() {
            // The reading thread has a copy of the socket, so dropping ours would not close it; the zygote notices the shutdown.
            let _ = rustix::net::shutdown(&*control, rustix::net::Shutdown::Both);
            if !ends_within(&mut child, PATIENCE) {
                tracing::warn!("the zygote did not end, and is killed");
                let _ = child.kill();
                let _ = child.wait();
            }
            self.pid.store(0, Ordering::Relaxed);
        }
    }
}

/// Tells the log and the measurements which walls sessions have.
fn tell_of(walls: &Walls, wanted: Wanted) {
    for (name, is_there) in walls.named() {
        metrics::gauge!("offshoot_sandbox", "wall" => name).set(if is_there { 1.0 } else { 0.0 });
    }
    if wanted == Wanted::None {
        return tracing::warn!("sessions.sandbox is off: sessions reach all that their user does");
    }
    tracing::info!(walls = walls.present().join(" "), "sessions have walls around them");
    for missing in &walls.missing {
        tracing::warn!("{missing}");
    }
}

/// Whether a process ends by itself within this time.
fn ends_within(child: &mut Child, patience: Duration) -> bool {
    let deadline = Instant::now() + patience;
    while matches!(child.try_wait(), Ok(None)) {
        if Instant::now() >= deadline {
            return false;
        }
        thread::sleep(Duration::from_millis(2));
    }
    true
}

/// The thread that reads what one zygote reports.
struct Reader {
    control: Arc<OwnedFd>,
    waiting: Arc<Waiting>,
    owner: Sender<Request>,
    generation: u64,
}

impl Reader {
    fn run(self) {
        while let Some(reply) = receive(&self.control) {
            match reply {
                ZygoteReply::Forked { request, pid } => {
                    let forked = self.waiting.forked(pid);
                    if let Some(Question::Fork(answer)) = self.waiting.answered(request) {
                        let _ = answer.send(Ok(forked));
                    }
                }
                ZygoteReply::NotForked { request, reason } => {
                    if let Some(question) = self.waiting.answered(request) {
                        question.refuse(WorkerError::NotForked(reason));
                    }
                }
                ZygoteReply::Here(request) => {
                    if let Some(Question::Ping(answer)) = self.waiting.answered(request) {
                        let _ = answer.send(());
                    }
                }
                ZygoteReply::Exited { pid, exit } => {
                    self.waiting.exited(pid, exit);
                }
                ZygoteReply::Ready(_) | ZygoteReply::Broken(_) => {}
            }
        }
        let _ = self.owner.send(Request::Lost(self.generation));
    }
}

/// Whether data arrives on a socket within this time.
fn is_readable_within(socket: &OwnedFd, patience: Duration) -> bool {
    let deadline = Instant::now() + patience;
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let left = Timespec { tv_sec: left.as_secs().cast_signed(), tv_nsec: left.subsec_nanos().into() };
        match poll(&mut [PollFd::new(socket, PollFlags::IN)], Some(&left)) {
            Err(Errno::INTR) => {}
            ready => return ready.is_ok_and(|count| count > 0),
        }
    }
}

/// Sends a message with at most four descriptors. Does not block if the receiver reads nothing.
fn send(control: &OwnedFd, message: &[u8], descriptors: &[BorrowedFd<'_>]) -> rustix::io::Result<()> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(4))];
    let mut ancillary = SendAncillaryBuffer::new(&mut space);
    if !descriptors.is_empty() {
        ancillary.push(SendAncillaryMessage::ScmRights(descriptors));
    }
    sendmsg(control, &[IoSlice::new(message)], &mut ancillary, SendFlags::NOSIGNAL | SendFlags::DONTWAIT).map(drop)
}

fn receive(control: &OwnedFd) -> Option<ZygoteReply> {
    let mut bytes = vec![0; 64 << 10];
    loop {
        match recv(control, bytes.as_mut_slice(), RecvFlags::empty()) {
            Ok((_, 0)) => return None,
            Ok((_, length)) => return messages::decode(&bytes[..length]),
            Err(Errno::INTR) => {}
            Err(_) => return None,
        }
    }
}
