//! Sessions that are prepared for calls of services before these come: the image of the service is in them, and its code before each call
//! has been run.
//!
//! Each is used for one call, and for nothing before that. It has the limits of those whose call it waits for, and nothing else of theirs: it
//! begins a new session when the call comes. How many there are follows from the calls. A version that is called again within the time of
//! `services.prepared_seconds` gets one; each call that comes and finds none makes it one more; each that nobody has used in that time ends,
//! and makes it one less.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use super::{
    App, Failure,
    services::Callable,
    sessions::{Ephemeral, as_limits},
};
use crate::{
    auth::Principal,
    config::Services,
    session::{LimitOverrides, Opening, Purpose, Session},
    store::StoreError,
    system::usage,
};

/// What calls have in common that a session can be prepared for: a version of a service, and the limits of the caller.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Destination {
    service: String,
    version: String,
    boundary: Option<LimitOverrides>,
}

/// The sessions for one destination.
#[derive(Debug)]
struct Stock {
    /// The version as it was for them; `None` if it has changed since the last call, or is gone.
    callable: Option<Arc<Callable>>,
    /// Those that are ready. The one that was used last is the next to be used, so that the others can grow old.
    ready: Vec<Arc<Session>>,
    /// How many are being prepared.
    coming: usize,
    /// How many there should be.
    wanted: usize,
    /// When the last call came.
    called: Instant,
    /// When one could not be prepared.
    failed: Option<Instant>,
}

impl Stock {
    fn is_for(&self, callable: &Callable) -> bool {
        self.callable.as_ref().is_some_and(|own| own.service == callable.service)
    }

    fn count(&self) -> usize {
        self.ready.len() + self.coming
    }

    /// Gives up what is ready, and what is coming when it comes.
    fn give_up(&mut self) {
        self.callable = None;
        self.failed = None;
        self.ready.drain(..).for_each(|session| session.close());
    }
}

/// How preparing a session has ended.
enum Outcome {
    /// It is ready.
    Ready(Arc<Session>),
    /// There may not be another session now.
    NoPlace,
    /// The image or the code before each call has failed.
    Failed,
}

/// All prepared sessions.
#[derive(Debug)]
pub(super) struct Preparations {
    /// How many there may be; 0 is none.
    most: usize,
    /// How long they are kept.
    time: Duration,
    /// How many may be in the making for one destination: each takes a processor.
    at_once: usize,
    held: Mutex<Held>,
}

#[derive(Debug, Default)]
struct Held {
    stocks: HashMap<Destination, Stock>,
    /// Whether the machine has little memory left.
    is_scarce: bool,
}

impl Preparations {
    /// None yet.
    pub(super) fn new(settings: &Services) -> Self {
        Self {
            most: settings.prepared,
            time: Duration::from_secs(settings.prepared_seconds),
            at_once: std::thread::available_parallelism().map_or(1, usize::from),
            held: Mutex::default(),
        }
    }

    /// Notes that a call has come, and takes a session for it, if one is ready.
    fn take(&self, destination: &Destination, callable: &Arc<Callable>) -> Option<Arc<Session>> {
        let mut held = self.held();
        let now = Instant::now();
        let stock = held.stocks.entry(destination.clone()).or_insert_with(|| Stock {
            callable: None,
            ready: Vec::new(),
            coming: 0,
            wanted: 0,
            called: now.checked_sub(self.time).unwrap_or(now),
            failed: None,
        });
        if !stock.is_for(callable) {
            stock.give_up();
            stock.callable = Some(Arc::clone(callable));
        }
        let is_in_use = now - std::mem::replace(&mut stock.called, now) < self.time;
        let session = std::iter::from_fn(|| stock.ready.pop()).find(|session| session.is_open());
        if session.is_none() && is_in_use {
            stock.wanted = self.most.min(stock.wanted + 1);
        }
        session
    }

    /// Decides whether one more is to be prepared; for which version.
    fn begin(&self, destination: &Destination) -> Option<Arc<Callable>> {
        let mut held = self.held();
        if held.is_scarce {
            return None;
        }
        let total: usize = held.stocks.values().map(Stock::count).sum();
        let stock = held.stocks.get_mut(destination)?;
        let has_failed = stock.failed.is_some_and(|failed| failed.elapsed() < self.time);
        if has_failed || stock.count() >= stock.wanted || stock.coming >= self.at_once {
            return None;
        }
        let (callable, own) = (stock.callable.clone()?, stock.count());
        if total >= self.most {
            // Another that has more gives one up, so that in the end all have as many.
            let richest = held.stocks.values_mut().max_by_key(|stock| stock.ready.len()).filter(|other| other.ready.len() > own + 1)?;
            richest.wanted = richest.wanted.saturating_sub(1);
            richest.ready.remove(0).close();
        }
        held.stocks.get_mut(destination)?.coming += 1;
        Some(callable)
    }

    /// Notes how preparing one has ended.
    fn end(&self, destination: &Destination, callable: &Callable, outcome: Outcome) {
        if let Some(stock) = self.held().stocks.get_mut(destination) {
            stock.coming -= 1;
            match outcome {
                Outcome::Failed if stock.is_for(callable) => stock.failed = Some(Instant::now()),
                // The calls to come will say how many are wanted then.
                Outcome::NoPlace => stock.wanted = stock.count(),
                Outcome::Failed | Outcome::Ready(_) => {}
            }
        }
        if let Outcome::Ready(session) = outcome {
            self.keep(destination, callable, session);
        }
    }

    /// Keeps a session for the next call, unless the version has changed.
    fn keep(&self, destination: &Destination, callable: &Callable, session: Arc<Session>) {
        match self.held().stocks.get_mut(destination).filter(|stock| stock.is_for(callable)) {
            Some(stock) => stock.ready.push(session),
            None => session.close(),
        }
    }

    /// Gives up all sessions for a version of a service.
    pub(super) fn give_up(&self, service: &str, version: &str) {
        let mut held = self.held();
        let own = held.stocks.iter_mut().filter(|(destination, _)| destination.service == service && destination.version == version);
        own.for_each(|(_, stock)| stock.give_up());
    }

    /// Forgets sessions that have ended and versions that nobody calls. If the machine has little memory left, all sessions are given up.
    pub(super) fn sweep(&self) {
        let mut held = self.held();
        if held.stocks.is_empty() {
            return;
        }
        held.is_scarce = usage::is_memory_scarce();
        let is_scarce = held.is_scarce;
        held.stocks.retain(|_, stock| {
            if is_scarce {
                stock.ready.drain(..).for_each(|session| session.close());
            }
            let before = stock.ready.len();
            stock.ready.retain(|session| session.is_open());
            stock.wanted = stock.wanted.saturating_sub(before - stock.ready.len());
            stock.count() > 0 || stock.called.elapsed() < self.time
        });
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl App {
    /// A session that was prepared for a call of this version by this principal, if there is one.
    ///
    /// # Errors
    /// [`Failure::Open`], as when any session is opened
    pub(super) async fn prepared_take(
        self: &Arc<Self>,
        principal: &Principal,
        callable: &Arc<Callable>,
    ) -> Result<Option<Ephemeral>, Failure> {
        // Callers without an account have limits of their own on time.
        if self.preparations.most == 0 || principal.account().is_none() {
            return Ok(None);
        }
        let destination = Destination {
            service: callable.service.name.clone(),
            version: callable.service.version.clone(),
            boundary: self.session_boundary(principal),
        };
        let mut taken = None;
        while let Some(session) = self.preparations.take(&destination, callable) {
            match self.session_take_over(principal, &session).await {
                Ok(Some(ephemeral)) => {
                    taken = Some(ephemeral);
                    break;
                }
                Ok(None) => session.close(),
                Err(error) => {
                    // The caller may not have a session, but others may.
                    self.preparations.keep(&destination, callable, session);
                    return Err(error.into());
                }
            }
        }
        self.prepare(&destination);
        Ok(taken)
    }

    /// Prepares sessions, as many as are wanted.
    fn prepare(self: &Arc<Self>, destination: &Destination) {
        while let Some(callable) = self.preparations.begin(destination) {
            let (app, destination) = (Arc::clone(self), destination.clone());
            tokio::spawn(async move {
                let outcome = app.prepare_one(&destination, &callable).await;
                app.preparations.end(&destination, &callable, outcome);
                app.prepare(&destination);
            });
        }
    }

    /// Prepares a session. If that fails, nobody is told: the next call does the same by itself.
    async fn prepare_one(&self, destination: &Destination, callable: &Callable) -> Outcome {
        let (seconds, most) = (self.config.services.prepared_seconds, self.config.sessions.operation_seconds);
        let opening = Opening {
            owner: &callable.service.owner,
            purpose: Purpose::Ahead,
            boundary: destination.boundary,
            idle_seconds: Some(seconds),
            // Nobody waits for it who would give it up.
            operation_seconds: Some(if most == 0 { seconds } else { most.min(seconds) }),
            ..Opening::default()
        };
        let Ok(session) = self.sessions.open(opening).await else { return Outcome::NoPlace };
        match self.service_begin(&session, &callable.service.definition, callable.image()).await {
            Ok(None) => Outcome::Ready(session),
            Ok(Some(_)) | Err(_) => {
                session.close();
                Outcome::Failed
            }
        }
    }

    /// Ends the sessions for versions that are not there any more as they were, and those with limits that nobody has any more: the store has
    /// changed, and another program may have changed it.
    pub(super) async fn prepared_follow(&self) -> Result<(), StoreError> {
        let rules = self.rules.now();
        let has_limits = |limits: LimitOverrides| rules.boundaries().any(|boundary| as_limits(boundary) == limits);
        let mut kept = Vec::new();
        for (destination, stock) in &mut self.preparations.held().stocks {
            if destination.boundary.is_some_and(|limits| !has_limits(limits)) {
                stock.give_up();
            }
            kept.extend(stock.callable.clone());
        }
        for callable in kept {
            let Callable { service, .. } = &*callable;
            if self.store.service(&service.name, &service.version).await?.as_ref() != Some(service) {
                self.preparations.give_up(&service.name, &service.version);
            }
        }
        Ok(())
    }
}
