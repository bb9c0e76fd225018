//! Remembers credentials that were right a moment ago, because clients that send a password with each request must not cause an argon2 run
//! each time.
//!
//! Of a name and a password, only a keyed hash is kept. The key never leaves this process, so the password can neither be recovered from
//! the hash nor be guessed elsewhere.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use blake2::{
    Blake2sMac256,
    digest::{KeyInit, Mac},
};

/// How long a password counts as right before it is checked again.
const LIFE: Duration = Duration::from_mins(5);
/// The most credentials that are remembered at a time.
const MOST: usize = 10_000;

/// A name with a password, in the form in which they are remembered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Credential([u8; 32]);

/// Credentials that were right.
#[derive(Debug)]
pub struct Remembered {
    /// `None` if the system has no random numbers; nothing is remembered in this case.
    key: Option<[u8; 32]>,
    entries: Mutex<HashMap<Credential, Entry>>,
}

#[derive(Debug)]
struct Entry {
    /// The hash of the account's password at that time.
    password_hash: String,
    verified: Instant,
}

impl Default for Remembered {
    fn default() -> Self {
        let mut key = [0; 32];
        let key = getrandom::fill(&mut key).is_ok().then_some(key);
        Self { key, entries: Mutex::default() }
    }
}

impl Remembered {
    /// The form in which a name and a password are remembered.
    #[must_use]
    pub fn credential(&self, name: &str, password: &str) -> Option<Credential> {
        let mut hash = Blake2sMac256::new_from_slice(&self.key?).ok()?;
        hash.update(&(name.len() as u64).to_le_bytes());
        hash.update(name.as_bytes());
        hash.update(password.as_bytes());
        Some(Credential(hash.finalize().into_bytes().into()))
    }

    /// Whether a credential was right a moment ago, and the account still has the same password.
    #[must_use]
    pub fn recall(&self, credential: Option<Credential>, password_hash: &str, now: Instant) -> bool {
        let entries = self.lock();
        let entry = credential.and_then(|credential| entries.get(&credential));
        entry.is_some_and(|entry| entry.password_hash == password_hash && now.duration_since(entry.verified) < LIFE)
    }

    /// Remembers a credential that was just verified.
    pub fn remember(&self, credential: Option<Credential>, password_hash: String, now: Instant) {
        let Some(credential) = credential else { return };
        let mut entries = self.lock();
        if entries.len() >= MOST {
            entries.retain(|_, entry| now.duration_since(entry.verified) < LIFE);
        }
        if entries.len() < MOST {
            entries.insert(credential, Entry { password_hash, verified: now });
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<Credential, Entry>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_remembered_for_a_while_and_for_one_password() {
        let remembered = Remembered::default();
        let (credential, start) = (remembered.credential("ada", "secret"), Instant::now());
        assert!(!remembered.recall(credential, "hash", start));
        remembered.remember(credential, "hash".to_owned(), start);
        assert!(remembered.recall(credential, "hash", start));
        assert!(!remembered.recall(credential, "another", start));
        assert!(!remembered.recall(credential, "hash", start + LIFE));
        assert!(!remembered.recall(None, "hash", start));
    }

    #[test]
    fn other_names_passwords_and_processes_have_other_credentials() {
        let (one, other) = (Remembered::default(), Remembered::default());
        assert_ne!(one.credential("ada", "secret"), one.credential("ada", "Secret"));
        assert_ne!(one.credential("ad", "asecret"), one.credential("ada", "secret"));
        assert_ne!(one.credential("ada", "secret"), other.credential("ada", "secret"));
    }
}
