//! Keeps workers ready, so that opening a session need not wait for a fork.

use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::{
    failure::WorkerError,
    worker::{Worker, WorkerFactory},
};
use crate::{
    link::messages::{Limits, RunAs},
    system::users::Users,
};

/// How long to wait after a failed fork.
const PAUSE: Duration = Duration::from_millis(500);

/// How long to wait after a worker was taken, if enough are left: a fork would take the processor from the session that is just being
/// opened.
const COURTESY: Duration = Duration::from_millis(2);

/// The ready workers, and the task that replaces those that are taken.
#[derive(Debug)]
pub struct Pool {
    factory: WorkerFactory,
    limits: Limits,
    size: usize,
    ready: Mutex<VecDeque<Worker>>,
    /// Whether no workers are wanted at the moment.
    paused: AtomicBool,
    taken: Notify,
    closed: CancellationToken,
}

impl Pool {
    /// A pool that keeps `size` workers with these limits ready from now on.
    #[must_use]
    pub fn new(factory: WorkerFactory, limits: Limits, size: usize) -> Arc<Self> {
        let pool = Arc::new(Self {
            factory,
            limits,
            size,
            ready: Mutex::default(),
            paused: AtomicBool::new(false),
            taken: Notify::new(),
            closed: CancellationToken::new(),
        });
        tokio::spawn(Arc::clone(&pool).keep_filled());
        pool
    }

    /// Takes a ready worker, or forks one if none with these limits is ready, or if it is to run as somebody.
    ///
    /// # Errors
    /// Why there is none.
    pub async fn take(&self, limits: &Limits, run_as: Option<&RunAs>) -> Result<Worker, WorkerError> {
        if run_as.is_some() || *limits != self.limits {
            return self.factory.worker(limits, run_as).await;
        }
        let ready = self.lock().pop_front();
        self.taken.notify_one();
        match ready {
            Some(worker) if worker.is_alive() => Ok(worker),
            Some(dead) => {
                tokio::spawn(dead.bury());
                self.factory.worker(&self.limits, None).await
            }
            None => self.factory.worker(&self.limits, None).await,
        }
    }

    /// How many workers are ready.
    #[must_use]
    pub fn ready(&self) -> usize {
        self.lock().len()
    }

    /// The users that its workers run as.
    #[must_use]
    pub fn users(&self) -> &Users {
        &self.factory.users
    }

    /// Checks that a worker is ready or can be made. A worker made for this check is kept.
    ///
    /// # Errors
    /// Why there is none.
    pub async fn probe(&self) -> Result<(), WorkerError> {
        if self.lock().iter().any(Worker::is_alive) {
            return Ok(());
        }
        let worker = self.factory.worker(&self.limits, None).await?;
        self.keep(worker).await;
        Ok(())
    }

    /// Ends the ready workers, and makes no more until [`Self::resume`].
    pub async fn pause(&self) {
        self.paused.store(true, Ordering::Release);
        self.empty().await;
    }

    /// Makes workers again.
    pub fn resume(&self) {
        self.paused.store(false, Ordering::Release);
        self.taken.notify_one();
    }

    /// Ends the ready workers, and makes no more.
    pub async fn close(&self) {
        self.closed.cancel();
        self.empty().await;
    }

    async fn empty(&self) {
        let ready = std::mem::take(&mut *self.lock());
        for worker in ready {
            worker.bury().await;
        }
    }

    fn is_wanting(&self) -> bool {
        self.ready() < self.size && !self.paused.load(Ordering::Acquire) && !self.closed.is_cancelled()
    }

    /// Keeps a new worker, unless no more are wanted.
    async fn keep(&self, worker: Worker) {
        let unwanted = {
            let mut ready = self.lock();
            // Checked under the lock, so that a task that empties the pool finds the worker.
            if self.paused.load(Ordering::Acquire) || self.closed.is_cancelled() || ready.len() >= self.size {
                Some(worker)
            } else {
                ready.push_back(worker);
                None
            }
        };
        if let Some(worker) = unwanted {
            worker.bury().await;
        }
    }

    async fn keep_filled(self: Arc<Self>) {
        loop {
            while self.is_wanting() {
                match self.factory.worker(&self.limits, None).await {
                    Ok(worker) => self.keep(worker).await,
                    // R was stopped meanwhile, so the fork failed for a good reason.
                    Err(_) if !self.is_wanting() => {}
                    Err(error) => {
                        tracing::warn!(%error, "the pool has no worker more");
                        tokio::time::sleep(PAUSE).await;
                    }
                }
            }
            tokio::select! {
                () = self.taken.notified() => {}
                () = self.closed.cancelled() => return,
            }
            if self.ready() * 2 >= self.size {
                tokio::time::sleep(COURTESY).await;
            }
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, VecDeque<Worker>> {
        self.ready.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
