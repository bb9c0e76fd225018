//! Whether the server can open a session now.

use std::time::{Duration, Instant};

use super::App;

/// How long an answer of the store is good: everybody may ask.
const FRESH: Duration = Duration::from_secs(2);
/// What the store may take.
const PATIENCE: Duration = Duration::from_secs(2);

/// What opening a session needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Readiness {
    /// R is there to be forked.
    pub r: bool,
    /// The store can be written.
    pub store: bool,
    /// How many more sessions there can be; `None` is no limit.
    pub free: Option<usize>,
    /// The server is not being stopped.
    pub serving: bool,
}

impl Readiness {
    /// Whether nothing is missing.
    #[must_use]
    pub fn is_ready(self) -> bool {
        self.r && self.store && self.free != Some(0) && self.serving
    }
}

/// When the store was asked, and whether it could be written.
#[derive(Debug, Default)]
pub(super) struct StoreState(Option<(Instant, bool)>);

impl App {
    /// Whether the server can open a session now.
    pub async fn readiness(&self) -> Readiness {
        Readiness {
            r: self.sessions.zygote_pid() > 0,
            store: self.store_is_writable().await,
            free: self.sessions.free(),
            serving: !self.stopping.is_cancelled(),
        }
    }

    async fn store_is_writable(&self) -> bool {
        let mut state = self.store_state.lock().await;
        if let StoreState(Some((asked, writable))) = *state
            && asked.elapsed() < FRESH
        {
            return writable;
        }
        let writable = match tokio::time::timeout(PATIENCE, self.store.probe()).await {
            Ok(Ok(())) => true,
            Ok(Err(error)) => {
                tracing::error!(error = &error as &dyn std::error::Error, "the store cannot be written");
                false
            }
            Err(_) => {
                tracing::error!("the store cannot be written: it does not answer");
                false
            }
        };
        *state = StoreState(Some((Instant::now(), writable)));
        writable
    }
}
