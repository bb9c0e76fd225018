//! How much the server keeps in memory for callers that will come back for it: of one session, and of all sessions of a
//! user together.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

/// A number of bytes of which parts are taken and given back.
#[derive(Debug)]
pub struct Store {
    used: AtomicUsize,
    most: usize,
}

impl Store {
    /// One of so many bytes; 0 is no limit.
    #[must_use]
    pub fn new(most: usize) -> Arc<Self> {
        Arc::new(Self { used: AtomicUsize::new(0), most: if most == 0 { usize::MAX } else { most } })
    }

    fn take(&self, bytes: usize) -> bool {
        let fits = |used: usize| used.checked_add(bytes).filter(|&used| used <= self.most);
        self.used.fetch_update(Ordering::AcqRel, Ordering::Acquire, fits).is_ok()
    }

    fn give_back(&self, bytes: usize) {
        self.used.fetch_sub(bytes, Ordering::AcqRel);
    }
}

/// What a session may keep; cheap to clone.
#[derive(Debug, Clone)]
pub struct Allowance {
    session: Arc<Store>,
    user: Arc<Store>,
}

/// Bytes that are kept; given back when this goes.
#[derive(Debug)]
pub struct Share {
    of: Allowance,
    bytes: usize,
}

impl Allowance {
    /// That of a session which may keep so many bytes (0 is no limit), within those of its user.
    #[must_use]
    pub fn new(most: usize, user: Arc<Store>) -> Self {
        Self { session: Store::new(most), user }
    }

    /// Takes a share; `None` when there is not as much left.
    #[must_use]
    pub fn take(&self, bytes: usize) -> Option<Share> {
        if !self.session.take(bytes) {
            return None;
        }
        if !self.user.take(bytes) {
            self.session.give_back(bytes);
            return None;
        }
        Some(Share { of: self.clone(), bytes })
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.of.session.give_back(self.bytes);
        self.of.user.give_back(self.bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_limited_for_the_session_and_for_the_user() {
        let user = Store::new(15);
        let (one, other) = (Allowance::new(10, Arc::clone(&user)), Allowance::new(10, user));
        let first = one.take(8);
        assert!(first.is_some() && one.take(3).is_none() && other.take(8).is_none());
        let second = other.take(7);
        assert!(second.is_some() && one.take(1).is_none());
        drop(first);
        assert!(one.take(8).is_some());
        assert!(Allowance::new(0, Store::new(0)).take(usize::MAX).is_some());
    }
}
