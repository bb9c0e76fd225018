//! Remembers credentials that were right a moment ago, because clients that send a password or a token with each request must not cause an
//! argon2 run, a question to a directory or the check of a signature each time.
//!
//! Of a credential, only a keyed hash is kept. The key never leaves this process, so the credential can neither be recovered from the hash nor
//! be guessed elsewhere.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use blake2::{
    Blake2sMac256,
    digest::{KeyInit, Mac},
};

/// The most credentials that are remembered at a time.
const MOST: usize = 10_000;

/// A credential in the form in which it is remembered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Credential([u8; 32]);

/// Credentials that were right, and what was found out about each.
#[derive(Debug)]
pub struct Remembered<T> {
    /// `None` if the system has no random numbers; nothing is remembered in this case.
    key: Option<[u8; 32]>,
    entries: Mutex<HashMap<Credential, Entry<T>>>,
}

#[derive(Debug)]
struct Entry<T> {
    found: T,
    until: Instant,
}

impl<T> Default for Remembered<T> {
    fn default() -> Self {
        let mut key = [0; 32];
        let key = getrandom::fill(&mut key).is_ok().then_some(key);
        Self { key, entries: Mutex::default() }
    }
}

impl<T: Clone> Remembered<T> {
    /// The form in which a credential is remembered: a token, or a name and a password.
    #[must_use]
    pub fn credential(&self, parts: &[&str]) -> Option<Credential> {
        let mut hash = Blake2sMac256::new_from_slice(&self.key?).ok()?;
        for part in parts {
            hash.update(&(part.len() as u64).to_le_bytes());
            hash.update(part.as_bytes());
        }
        Some(Credential(hash.finalize().into_bytes().into()))
    }

    /// What was found out about a credential that was right a moment ago.
    #[must_use]
    pub fn recall(&self, credential: Option<Credential>, now: Instant) -> Option<T> {
        let entries = self.lock();
        entries.get(&credential?).filter(|entry| now < entry.until).map(|entry| entry.found.clone())
    }

    /// Remembers a credential that was just verified, for this time.
    pub fn remember(&self, credential: Option<Credential>, found: T, now: Instant, time: Duration) {
        let Some(credential) = credential.filter(|_| !time.is_zero()) else { return };
        let mut entries = self.lock();
        if entries.len() >= MOST {
            entries.retain(|_, entry| now < entry.until);
        }
        if entries.len() < MOST {
            entries.insert(credential, Entry { found, until: now + time });
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<Credential, Entry<T>>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_remembered_for_a_while() {
        let remembered = Remembered::default();
        let (credential, start, time) = (remembered.credential(&["ada", "secret"]), Instant::now(), Duration::from_mins(5));
        assert_eq!(remembered.recall(credential, start), None);
        remembered.remember(credential, "her", start, Duration::ZERO);
        assert_eq!(remembered.recall(credential, start), None);
        remembered.remember(credential, "her", start, time);
        assert_eq!(remembered.recall(credential, start), Some("her"));
        assert_eq!(remembered.recall(credential, start + time), None);
        assert_eq!(remembered.recall(None, start), None);
    }

    #[test]
    fn other_names_passwords_and_processes_have_other_credentials() {
        let (one, other) = (Remembered::<()>::default(), Remembered::<()>::default());
        assert_ne!(one.credential(&["ada", "secret"]), one.credential(&["ada", "Secret"]));
        assert_ne!(one.credential(&["ad", "asecret"]), one.credential(&["ada", "secret"]));
        assert_ne!(one.credential(&["ada", "secret"]), one.credential(&["adasecret"]));
        assert_ne!(one.credential(&["ada", "secret"]), other.credential(&["ada", "secret"]));
    }
}
