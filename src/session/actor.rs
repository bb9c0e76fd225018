//! The task that drives the worker of a session.
//!
//! The task owns the worker, so an operation that has begun goes on when its caller goes away, and the next one starts when it has ended.
//! Interrupts and time limits are signals, because R reads no messages while it computes.

use std::{
    io,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use bytes::Bytes;
use futures_util::FutureExt;
use rustix::process::Signal;
use tokio::{
    sync::{mpsc, oneshot},
    time::{Instant, sleep_until},
};

use super::{
    allowance::Allowance,
    handle::Session,
    queue::{Job, Message, Work},
    terms::{Completion, OperationError, Stop},
    tombstone::{Cause, Tombstone},
    worker::{Unclaimed, Worker},
};
use crate::link::{
    channel::Payload,
    command::{Reply, Request},
    marks::Mark,
    messages,
};

/// The time between interrupts that R has not heard.
const REPEAT: Duration = Duration::from_millis(50);
/// How long a waiting worker may take to receive a command.
const TAKEN: Duration = Duration::from_secs(10);
/// The time between the last SIGINT, SIGTERM and SIGKILL.
const LAST_CHANCE: Duration = Duration::from_millis(500);

/// Why there is no answer to an operation.
enum Failure {
    /// The worker has ended.
    Ended(Cause),
    /// There is no room for the answer, which has this many bytes.
    Unread(usize),
}

/// Why the task has nothing more to do.
pub(super) enum End {
    /// The session is closed.
    Closed,
    /// Its worker has ended.
    Died(Cause),
    /// Its worker is to go on in another session, which waits for it.
    PassedOn(oneshot::Sender<Unclaimed>),
}

impl From<Cause> for Failure {
    fn from(cause: Cause) -> Self {
        Self::Ended(cause)
    }
}

/// The task.
pub(super) struct Actor {
    pub session: Arc<Session>,
    pub worker: Worker,
    pub messages: mpsc::UnboundedReceiver<Message>,
    /// How much memory answers that are on their way may take.
    pub unread: Allowance,
    /// How long an operation may take, in seconds.
    pub limit: Option<u64>,
    /// How long R may take to stop.
    pub grace: Duration,
}

impl Actor {
    /// Runs until the session has ended.
    pub(super) async fn run(mut self) {
        let end = self.serve().await;
        if let End::Died(cause) = &end {
            self.entomb(cause.clone());
        }
        // Tells waiting callers why they will get no answer.
        self.session.closing.cancel();
        self.messages.close();
        let error = self.session.gone();
        while let Ok(message) = self.messages.try_recv() {
            if let Message::Operate(job) = message {
                let _ = job.answer.send(Err(error.clone()));
            }
        }
        if let End::PassedOn(heir) = end {
            // Whoever has asked for it may have gone away.
            let Err(worker) = heir.send(Unclaimed::new(self.worker)) else { return };
            self.worker = worker.claim();
        }
        if self.session.tombstone().is_none() && !self.session.condemned.load(Ordering::Acquire) {
            self.end().await;
        }
        self.worker.bury().await;
    }

    fn entomb(&self, cause: Cause) -> Tombstone {
        let made = || {
            metrics::counter!("offshoot_worker_deaths_total", "cause" => cause.label()).increment(1);
            Tombstone { cause, last_output: self.session.last_output() }
        };
        self.session.tombstone.get_or_init(made).clone()
    }

    /// Does what it is asked to, until there is nothing more to do.
    async fn serve(&mut self) -> End {
        loop {
            let session = Arc::clone(&self.session);
            tokio::select! {
                biased;
                () = session.closing.cancelled() => return End::Closed,
                message = self.messages.recv() => {
                    let Job { runs_code, is_answered_by, answer, ticket } = match message {
                        Some(Message::Operate(job)) => job,
                        Some(Message::PassOn(heir)) => return End::PassedOn(heir),
                        Some(Message::Host(ends)) => return self.relay(*ends).await,
                        None => return End::Closed,
                    };
                    session.waiting.fetch_sub(1, Ordering::AcqRel);
                    let Some(Work { header, payload }) = ticket.begin() else { continue };
                    session.touch();
                    let outcome = self.operate(runs_code, is_answered_by, &header, &payload).await;
                    session.touch();
                    // An interrupt that came too late must not stop the next operation.
                    let _ = session.interrupted.notified().now_or_never();
                    let end = match &outcome {
                        Ok(done) if done.stopped == Some(Stop::Close) => Some(End::Closed),
                        Err(Failure::Ended(cause)) => Some(End::Died(cause.clone())),
                        Ok(_) | Err(Failure::Unread(_)) => None,
                    };
                    let outcome = match outcome {
                        // The operation was cut short by the close, not by R.
                        Ok(done) if done.stopped == Some(Stop::Close) && done.reply.was_cut_short() => Err(session.gone()),
                        outcome => outcome.map_err(|failure| match failure {
                            Failure::Ended(cause) => OperationError::Dead(self.entomb(cause)),
                            Failure::Unread(size) => OperationError::Unread(size),
                        }),
                    };
                    ticket.end();
                    let _ = answer.send(outcome);
                    if let Some(end) = end {
                        return end;
                    }
                }
                received = self.worker.frames.receive() => {
                    return End::Died(self.cause(received, None, |_, text| session.console.push(text)).await);
                }
                () = self.worker.console.readable() => {
                    self.worker.console.drain(|_, text| session.console.push(text));
                }
            }
        }
    }

    /// Sends one command and waits for its reply.
    async fn operate(
        &mut self,
        runs_code: bool,
        is_answered_by: fn(&Reply) -> bool,
        header: &[u8],
        payload: &Bytes,
    ) -> Result<Completion<Reply>, Failure> {
        let started = Instant::now();
        // A look at what an operation has left keeps that operation's console.
        if runs_code {
            self.session.console.begin();
        }
        let outcome = self.carry_out(is_answered_by, header, payload).await;
        match &outcome {
            Ok(Completion { reply: Reply::Execute(_) | Reply::Evaluate(_), .. }) => {
                metrics::histogram!("offshoot_evaluation_seconds").record(started.elapsed());
            }
            Ok(_) | Err(Failure::Unread(_)) => {}
            Err(Failure::Ended(_)) => drop(self.session.console.end()),
        }
        outcome
    }

    async fn carry_out(
        &mut self,
        is_answered_by: fn(&Reply) -> bool,
        header: &[u8],
        payload: &Bytes,
    ) -> Result<Completion<Reply>, Failure> {
        let session = Arc::clone(&self.session);
        let sent = tokio::select! {
            biased;
            sent = tokio::time::timeout(TAKEN, self.worker.frames.send(header, payload)) => matches!(sent, Ok(Ok(()))),
            () = session.closing.cancelled() => false,
        };
        if !sent {
            // The worker has only a part of the command, which is useless.
            self.worker.kill();
            return Err(self.cause(Ok(None), None, |_, text| session.console.push(text)).await.into());
        }
        let deadline = self.limit.map(|seconds| (Stop::TimeLimit(seconds), Instant::now() + Duration::from_secs(seconds)));
        let mut stopping: Option<Stopping> = None;
        loop {
            let reason = tokio::select! {
                biased;
                received = self.worker.frames.receive() => {
                    let stopped = stopping.as_ref().map(|stopping| stopping.reason);
                    return match received {
                        Ok(Some((reply, payload))) if is_answered_by(&reply) => {
                            self.worker.console.finish(|_, text| session.console.push(text));
                            let console = session.console.end();
                            if matches!(reply, Reply::Execute(_) | Reply::Evaluate(_)) {
                                session.record.set_output(&console);
                            }
                            let payload = self.counted(payload).map_err(Failure::Unread)?;
                            Ok(Completion { reply, payload, console, stopped })
                        }
                        ended => {
                            let killed_for = stopping.filter(|stopping| stopping.killed).map(|stopping| stopping.reason);
                            Err(self.cause(ended, killed_for, |_, text| session.console.push(text)).await.into())
                        }
                    };
                }
                () = session.interrupted.notified() => match &mut stopping {
                    None => Stop::Interrupt,
                    // As when somebody presses Ctrl-C again.
                    Some(stopping) => {
                        stopping.interrupt(&self.worker);
                        continue;
                    }
                },
                () = session.closing.cancelled(), if !matches!(stopping, Some(Stopping { reason: Stop::Close, .. })) => Stop::Close,
                () = until(deadline), if stopping.is_none() && deadline.is_some() => deadline.map_or(Stop::Interrupt, |(stop, _)| stop),
                () = sleep_until(stopping.as_ref().map_or_else(Instant::now, |stopping| stopping.next)), if stopping.is_some() => {
                    if let Some(stopping) = &mut stopping {
                        stopping.escalate(&self.worker);
                    }
                    continue;
                }
                // Last, because there may always be more to read.
                () = self.worker.console.readable() => {
                    self.worker.console.drain(|_, text| session.console.push(text));
                    continue;
                }
            };
            if session.condemned.load(Ordering::Acquire) {
                self.worker.kill();
            }
            stopping.get_or_insert_with(|| Stopping::start(reason, self.grace, &self.worker)).reason = reason;
        }
    }

    /// The payload of an answer, counted to the allowance; its size when there is no room for it.
    fn counted(&self, payload: Payload) -> Result<Bytes, usize> {
        match payload {
            Payload::Inline(bytes) => Ok(bytes.into()),
            Payload::Shared(memory) => {
                let size = memory.len();
                self.unread.take(size).map(|share| share.of(memory)).ok_or(size)
            }
        }
    }

    /// How the worker ended; `last` is the last that was received from it, and what it has printed goes to `each`. A worker that sends an
    /// unexpected reply, or bytes that are not a reply, is broken, and is killed.
    pub(super) async fn cause(
        &mut self,
        last: io::Result<Option<(Reply, Payload)>>,
        killed_for: Option<Stop>,
        each: impl FnMut(Mark, &[u8]),
    ) -> Cause {
        let is_broken = match &last {
            Ok(last) => last.as_ref().is_some_and(|(reply, _)| !matches!(reply, Reply::Quit(_))),
            Err(error) => error.kind() != io::ErrorKind::ConnectionReset,
        };
        if is_broken {
            self.worker.kill();
        }
        let exit = self.worker.wait().await;
        let session = &self.session;
        self.worker.console.finish(each);
        if session.condemned.load(Ordering::Acquire)
            && let Some(tombstone) = session.reason()
        {
            return tombstone.cause.clone();
        }
        match (last, killed_for) {
            _ if is_broken => Cause::Broken,
            _ if self.worker.ran_out_of_memory() => Cause::Exceeded("it took more memory than it may".to_owned()),
            (Ok(Some((Reply::Quit(status), _))), _) => Cause::Quit(status),
            (_, Some(stop)) => Cause::Unstoppable(stop),
            _ => exit.into(),
        }
    }

    /// Ends the worker in such a way that R runs `.Last` and its finalizers.
    async fn end(&mut self) {
        let ended = async {
            if self.worker.frames.send(&messages::encode(&Request::End), &Bytes::new()).await.is_err() {
                return;
            }
            loop {
                tokio::select! {
                    received = self.worker.frames.receive() => if !matches!(received, Ok(Some(_))) { break },
                    () = self.worker.console.readable() => self.worker.console.drain(|_, _| ()),
                }
            }
        };
        let _ = tokio::time::timeout(self.grace, ended).await;
    }
}

/// Stops an operation, with all processes that the worker has started: sends SIGINT until the worker has heard it. What R does when
/// it is interrupted may take the time of grace. Then SIGINT comes once more, then SIGTERM, then SIGKILL.
struct Stopping {
    reason: Stop,
    /// The end of the time of grace.
    grace: Instant,
    next: Instant,
    /// Whether the worker has heard the last interrupt.
    has_heard: bool,
    /// What is sent next after the time of grace.
    last: Signal,
    killed: bool,
}

impl Stopping {
    fn start(reason: Stop, grace: Duration, worker: &Worker) -> Self {
        let now = Instant::now();
        let mut this = Self { reason, grace: now + grace, next: now, has_heard: false, last: Signal::INT, killed: false };
        this.interrupt(worker);
        this
    }

    /// Interrupts the worker, and looks after a moment whether it has to do so again.
    fn interrupt(&mut self, worker: &Worker) {
        let now = Instant::now();
        if now < self.grace {
            self.has_heard = worker.interrupt();
            self.next = self.grace.min(now + REPEAT);
        }
    }

    fn escalate(&mut self, worker: &Worker) {
        if Instant::now() < self.grace {
            // R may have begun to wait for a program before it has looked at an interrupt that it has heard.
            if self.has_heard && !worker.ignores_interrupts() {
                self.next = self.grace;
            } else {
                self.interrupt(worker);
            }
            return;
        }
        if self.last == Signal::INT {
            worker.interrupt();
        } else {
            worker.signal(self.last);
        }
        self.killed = self.last != Signal::INT;
        self.last = if self.last == Signal::INT { Signal::TERM } else { Signal::KILL };
        self.next = Instant::now() + LAST_CHANCE;
    }
}

async fn until(deadline: Option<(Stop, Instant)>) {
    match deadline {
        Some((_, instant)) => sleep_until(instant).await,
        None => std::future::pending().await,
    }
}
