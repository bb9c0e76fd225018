//! The connection to an R that is interactive.

use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::mpsc;

use super::handle::Session;
use crate::link::host::{Begin, Say, Tell};

/// How many messages may wait in either direction.
pub(super) const WAITING: usize = 64;

/// What comes from an interactive R. Messages and text are in the order in which R made them.
#[derive(Debug)]
pub enum Said {
    /// A message, with its payload.
    Message(Say, Bytes),
    /// Text that R or a program that it has started has printed.
    Output(String),
    /// Text of R's error stream.
    Errors(String),
}

/// What an interactive R is to be.
#[derive(Debug, Clone)]
pub struct Terms {
    /// What it is told first.
    pub begin: Begin,
    /// The most bytes that the payload of one message may have, in either direction.
    pub largest: usize,
}

/// R has ended, or does not take messages any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the R session has ended")]
pub struct HostGone;

/// The client's end of an interactive R.
#[derive(Debug)]
pub struct Host {
    teller: Teller,
    hearer: Hearer,
}

/// The part of it that sends messages.
#[derive(Debug, Clone)]
pub struct Teller {
    session: Arc<Session>,
    tells: mpsc::Sender<(Tell, Bytes)>,
}

/// The part of it that receives them. The session ends with it, at once.
#[derive(Debug)]
pub struct Hearer {
    session: Arc<Session>,
    said: mpsc::Receiver<Said>,
}

/// The other end, for the session's task.
#[derive(Debug)]
pub(super) struct Ends {
    pub terms: Terms,
    pub tells: mpsc::Receiver<(Tell, Bytes)>,
    pub said: mpsc::Sender<Said>,
}

impl Host {
    /// A connection, and its other end.
    pub(super) fn new(session: Arc<Session>, terms: Terms) -> (Self, Ends) {
        let (tells, told) = mpsc::channel(WAITING);
        let (says, said) = mpsc::channel(WAITING);
        let teller = Teller { session: Arc::clone(&session), tells };
        (Self { teller, hearer: Hearer { session, said } }, Ends { terms, tells: told, said: says })
    }

    /// The session.
    #[must_use]
    pub fn session(&self) -> &Arc<Session> {
        self.hearer.session()
    }

    /// The two directions.
    #[must_use]
    pub fn split(self) -> (Teller, Hearer) {
        (self.teller, self.hearer)
    }
}

impl Teller {
    /// Sends a message. Waits while R has not taken earlier ones, but R is interrupted at once if everything is to be stopped.
    ///
    /// # Errors
    /// [`HostGone`].
    pub async fn tell(&self, tell: Tell, payload: Bytes) -> Result<(), HostGone> {
        if tell == Tell::CancelAll {
            // Messages may wait for R to read them, which it does not while it computes.
            self.session.interrupted.notify_one();
        }
        self.tells.send((tell, payload)).await.map_err(|_| HostGone)
    }
}

impl Hearer {
    /// The session.
    #[must_use]
    pub fn session(&self) -> &Arc<Session> {
        &self.session
    }

    /// The next that R says; `None` when it has ended: the session's tombstone tells how.
    pub async fn next(&mut self) -> Option<Said> {
        self.said.recv().await
    }
}

impl Drop for Hearer {
    fn drop(&mut self) {
        self.session.condemn();
        self.session.close();
    }
}
