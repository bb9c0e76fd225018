//! Whether the server can open a session now.

use std::time::{Duration, Instant};

use super::App;

/// How long an answer of the store or the zygote is reused. Everybody may ask, and must not cause work each time.
const FRESH: Duration = Duration::from_secs(2);
/// How long the store or the zygote may take to answer.
const PATIENCE: Duration = Duration::from_secs(2);

/// The conditions for opening a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Readiness {
    /// The zygote is running.
    pub r: bool,
    /// The store can be written.
    pub store: bool,
    /// How many more sessions there can be; `None` is no limit.
    pub free: Option<usize>,
    /// The server is not being stopped.
    pub serving: bool,
}

impl Readiness {
    /// Whether all conditions are met.
    #[must_use]
    pub fn is_ready(self) -> bool {
        self.r && self.store && self.free != Some(0) && self.serving
    }
}

/// The last answer, and its time.
#[derive(Debug, Default)]
pub(super) struct Seen(Option<(Instant, bool)>);

impl Seen {
    /// The last answer if it is recent, and otherwise a new one.
    async fn or_look(&mut self, look: impl Future<Output = bool>) -> bool {
        if let Some((when, seen)) = self.0
            && when.elapsed() < FRESH
        {
            return seen;
        }
        let seen = look.await;
        self.0 = Some((Instant::now(), seen));
        seen
    }
}

impl App {
    /// Whether the server can open a session now.
    pub async fn readiness(&self) -> Readiness {
        Readiness {
            r: self.zygote_answers().await,
            store: self.store_is_writable().await,
            free: self.sessions.free(),
            serving: !self.stopping.is_cancelled(),
        }
    }

    async fn zygote_answers(&self) -> bool {
        if self.sessions.zygote_pid() == 0 {
            return false;
        }
        let answers = self.sessions.zygote_answers_within(PATIENCE);
        self.zygote_state.lock().await.or_look(answers).await
    }

    async fn store_is_writable(&self) -> bool {
        let is_writable = async {
            match tokio::time::timeout(PATIENCE, self.store.probe()).await {
                Ok(Ok(())) => true,
                Ok(Err(error)) => {
                    tracing::error!(error = &error as &dyn std::error::Error, "the store cannot be written");
                    false
                }
                Err(_) => {
                    tracing::error!("the store cannot be written: it does not answer");
                    false
                }
            }
        };
        self.store_state.lock().await.or_look(is_writable).await
    }
}
