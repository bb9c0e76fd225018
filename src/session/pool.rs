//! Workers kept ready, so that opening a session waits for no fork.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::worker::{Nursery, Worker};
use crate::worker::protocol::Limits;

/// After a failed fork.
const PAUSE: Duration = Duration::from_millis(500);

/// The ready workers, and the task that makes up for those that are taken.
#[derive(Debug)]
pub struct Pool {
    nursery: Nursery,
    limits: Limits,
    size: usize,
    ready: Mutex<VecDeque<Worker>>,
    taken: Notify,
    closed: CancellationToken,
}

impl Pool {
    /// A pool of `size` workers with these limits, which fills itself from now on.
    #[must_use]
    pub fn new(nursery: Nursery, limits: Limits, size: usize) -> Arc<Self> {
        let pool =
            Arc::new(Self { nursery, limits, size, ready: Mutex::default(), taken: Notify::new(), closed: CancellationToken::new() });
        tokio::spawn(Arc::clone(&pool).keep_filled());
        pool
    }

    /// Takes a ready worker, or forks one when there is none with these limits.
    ///
    /// # Errors
    /// Why there is none.
    pub async fn take(&self, limits: &Limits) -> Result<Worker, String> {
        if *limits != self.limits {
            return self.nursery.worker(limits).await;
        }
        let ready = self.lock().pop_front();
        self.taken.notify_one();
        match ready {
            Some(worker) if worker.is_alive() => Ok(worker),
            Some(dead) => {
                tokio::spawn(dead.bury());
                self.nursery.worker(&self.limits).await
            }
            None => self.nursery.worker(&self.limits).await,
        }
    }

    /// How many workers are ready.
    #[must_use]
    pub fn ready(&self) -> usize {
        self.lock().len()
    }

    /// Ends the ready workers, and makes no more.
    pub async fn close(&self) {
        self.closed.cancel();
        let ready = std::mem::take(&mut *self.lock());
        for worker in ready {
            worker.bury().await;
        }
    }

    async fn keep_filled(self: Arc<Self>) {
        loop {
            while self.ready() < self.size && !self.closed.is_cancelled() {
                match self.nursery.worker(&self.limits).await {
                    Ok(worker) => self.lock().push_back(worker),
                    Err(error) => {
                        tracing::warn!(%error, "the pool has no worker more");
                        tokio::time::sleep(PAUSE).await;
                    }
                }
            }
            tokio::select! {
                () = self.taken.notified() => {}
                () = self.closed.cancelled() => break,
            }
        }
        let late = std::mem::take(&mut *self.lock());
        for worker in late {
            worker.bury().await;
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, VecDeque<Worker>> {
        self.ready.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
