//! The sessions of the broker: who has which, by the identity that the client has chosen, and whether the client is connected
//! (contract a.4, Session rules).

use std::{
    collections::{HashMap, HashSet},
    net::IpAddr,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::{sync::Notify, time::sleep};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{
    access::{Owner, Visitor},
    error::{BrokerError, Error},
    pages::ShownPages,
};
use crate::app::{App, prompt::Host, sessions::Session};

/// What all calls share.
#[derive(Debug)]
pub struct Broker {
    /// The core.
    pub app: Arc<App>,
    sessions: Mutex<HashMap<Key, Entry>>,
    serial: AtomicU64,
    /// Notified when a client says that it is there.
    pub pinged: Notify,
}

/// Whose session, and which.
pub type Key = (Owner, String);

/// What a client has asked for when it began a session.
#[derive(Debug, Clone, Default)]
pub struct Wish {
    /// The identity of R.
    pub interpreter: String,
    /// R's command line.
    pub arguments: Option<String>,
    /// After how much silence of the client R ends.
    pub idle: Option<Duration>,
}

#[derive(Debug)]
struct Entry {
    /// Tells this session from others that have had its key.
    serial: u64,
    session: Arc<Session>,
    wish: Wish,
    /// Where the client was that has begun the session.
    address: IpAddr,
    /// The client's end of R, until the client takes it.
    host: Option<Host>,
    pages: Arc<ShownPages>,
    /// Dropped with the entry.
    over: CancellationToken,
}

impl Drop for Entry {
    fn drop(&mut self) {
        self.over.cancel();
    }
}

/// A session as it is listed.
#[derive(Debug, Clone)]
pub struct ListedSession {
    /// The identity that the client has chosen.
    pub id: String,
    /// What it was begun with.
    pub wish: Wish,
}

/// A session that its client has connected to.
#[derive(Debug)]
pub struct Connected {
    /// Which it is.
    pub key: Key,
    /// The number of this session.
    pub serial: u64,
    /// The session.
    pub session: Arc<Session>,
    /// What it was begun with.
    pub wish: Wish,
    /// The client's end of R.
    pub host: Host,
    /// The pages that R shows.
    pub pages: Arc<ShownPages>,
}

impl Broker {
    /// A broker without sessions.
    #[must_use]
    pub fn new(app: Arc<App>) -> Self {
        Self { app, sessions: Mutex::default(), serial: AtomicU64::new(0), pinged: Notify::new() }
    }

    fn sessions(&self) -> MutexGuard<'_, HashMap<Key, Entry>> {
        let mut sessions = self.sessions.lock().unwrap_or_else(PoisonError::into_inner);
        sessions.retain(|_, entry| entry.session.is_open());
        sessions
    }

    /// The sessions of an owner.
    #[must_use]
    pub fn list(&self, owner: &Owner) -> Vec<ListedSession> {
        let sessions = self.sessions();
        let own = sessions.iter().filter(|((of, _), _)| of == owner);
        let mut listed: Vec<_> = own.map(|((_, id), entry)| ListedSession { id: id.clone(), wish: entry.wish.clone() }).collect();
        listed.sort_by(|one, other| one.id.cmp(&other.id));
        listed
    }

    /// How many people have sessions.
    #[must_use]
    pub fn users(&self) -> usize {
        self.sessions().keys().map(|(owner, _)| owner).collect::<HashSet<_>>().len()
    }

    /// Takes in a session that has just been opened. If its client does not connect in time, it ends.
    pub fn add(self: &Arc<Self>, caller: &Visitor, id: &str, wish: Wish, session: Arc<Session>, host: Host) {
        let key = (caller.owner(), id.to_owned());
        let (serial, over) = (self.serial.fetch_add(1, Ordering::Relaxed), CancellationToken::new());
        let entry = Entry {
            serial,
            session,
            wish,
            address: caller.principal.address(),
            host: Some(host),
            pages: Arc::default(),
            over: over.clone(),
        };
        if let Some(other) = self.sessions().insert(key.clone(), entry) {
            // Somebody else has begun it at the same time.
            self.app.session_kill(&other.session, &caller.principal);
        }
        let (broker, patience) = (Arc::clone(self), Duration::from_secs(self.app.settings().rtvs.connect_seconds));
        tokio::spawn(async move {
            tokio::select! {
                () = sleep(patience) => broker.give_up(&key, serial),
                () = over.cancelled() => {}
            }
        });
    }

    /// Ends a session whose client has not connected.
    fn give_up(&self, key: &Key, serial: u64) {
        let mut sessions = self.sessions();
        if sessions.get(key).is_some_and(|entry| entry.serial == serial && entry.host.is_some()) {
            tracing::info!(
                workspace = key.1,
                user.name = key.0.account,
                "the client of a session has not connected in time, and the session ends"
            );
            // Without a client, R ends.
            sessions.remove(key);
        }
    }

    /// Ends a session at once, if there is such a one.
    pub fn remove(&self, caller: &Visitor, id: &str) {
        let removed = self.sessions().remove(&(caller.owner(), id.to_owned()));
        if let Some(entry) = removed {
            self.app.session_kill(&entry.session, &caller.principal);
        }
    }

    /// The session that a client wants to connect to.
    ///
    /// # Errors
    /// 404 if there is none, 400 if another client is connected.
    pub fn connect(&self, owner: &Owner, id: &str) -> Result<Connected, Error> {
        self.take((owner.clone(), id.to_owned()))
    }

    /// The same for a client without credentials. The session has to have an identity that nobody can guess, and to be waiting for a client at
    /// this address.
    ///
    /// # Errors
    /// As [`Self::connect`], and 401 if credentials are needed.
    pub fn connect_by_id(&self, id: &str, address: IpAddr) -> Result<Connected, Error> {
        if !self.app.settings().rtvs.connect_by_id || !has_random_part(id) {
            return Err(Error::Unauthenticated);
        }
        let found: Vec<Key> =
            self.sessions().iter().filter(|((_, of), entry)| of == id && entry.address == address).map(|(key, _)| key.clone()).collect();
        let [key] = found.as_slice() else { return Err(Error::Nothing) };
        self.take(key.clone())
    }

    fn take(&self, key: Key) -> Result<Connected, Error> {
        let mut sessions = self.sessions();
        let entry = sessions.get_mut(&key).ok_or(Error::Nothing)?;
        let host = entry.host.take().ok_or(BrokerError::PipeAlreadyConnected)?;
        let (serial, session) = (entry.serial, Arc::clone(&entry.session));
        Ok(Connected { serial, session, wish: entry.wish.clone(), host, pages: Arc::clone(&entry.pages), key })
    }

    /// Forgets a session whose client has gone, and ends it.
    pub fn left(&self, key: &Key, serial: u64) {
        let mut sessions = self.sessions();
        if sessions.get(key).is_some_and(|entry| entry.serial == serial) {
            sessions.remove(key);
        }
    }

    /// The sessions of a caller that may have the web server at `port`: those of `caller`, or otherwise those connected sessions at `address`
    /// that have shown a page there.
    #[must_use]
    pub fn with_pages(&self, caller: Option<&Visitor>, address: IpAddr, port: u16) -> Vec<Arc<Session>> {
        let owner = caller.map(Visitor::owner);
        let sessions = self.sessions();
        let may = |owner_of: &Owner, entry: &Entry| match &owner {
            Some(owner) => owner_of == owner,
            None => entry.host.is_none() && entry.address == address && entry.pages.has(port),
        };
        sessions.iter().filter(|((owner, _), entry)| may(owner, entry)).map(|(_, entry)| Arc::clone(&entry.session)).collect()
    }
}

/// Whether an identity has a part that only its client knows: a UUID, after an underscore.
fn has_random_part(id: &str) -> bool {
    let last = id.rsplit('_').next().unwrap_or_default();
    // Version 4 is that of random ones (RFC 9562, section 5.4).
    last.len() < id.len() && last.len() == 36 && Uuid::try_parse(last).is_ok_and(|uuid| uuid.get_version_num() == 4)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_of_an_identity_is_random_if_it_is_a_uuid_of_that_kind() {
        for (id, is_random) in [
            ("REPL_byPTAU__8249ff91-5a1c-4d3e-9f00-0123456789ab", true),
            ("a_8249ff91-5a1c-4d3e-9f00-0123456789ab", true),
            ("REPL_byPTAU", false),
            ("8249ff91-5a1c-4d3e-9f00-0123456789ab", false),
            ("a_8249ff91-5a1c-1d3e-9f00-0123456789ab", false),
            ("a_00000000-0000-0000-0000-000000000000", false),
            ("a_8249ff915a1c4d3e9f000123456789ab", false),
            ("a_8249ff91-5a1c-4d3e-9f00-0123456789ab_b", false),
            ("", false),
        ] {
            assert_eq!(has_random_part(id), is_random, "{id}");
        }
    }
}
