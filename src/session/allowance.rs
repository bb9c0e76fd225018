//! Limits on the memory that the server uses for callers: results that they will fetch later, and answers that they have not read yet.
//! There is a limit for each session, and one for all sessions of a user together.

use std::{
    collections::HashMap,
    sync::{
        Arc, Weak,
        atomic::{AtomicUsize, Ordering},
    },
};

use bytes::Bytes;

/// A number of bytes. Parts of it are taken and given back.
#[derive(Debug)]
pub struct Budget {
    used: AtomicUsize,
    most: usize,
}

impl Budget {
    /// A budget of this many bytes; 0 is no limit.
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

/// The budgets of the users, each for all sessions of a user.
#[derive(Debug, Default)]
pub struct UserBudgets(HashMap<String, Weak<Budget>>);

impl UserBudgets {
    /// The budget of a user, with `most` bytes. It exists as long as the user has a session, or anything is kept.
    pub fn of(&mut self, user: &str, most: usize) -> Arc<Budget> {
        if let Some(budget) = self.0.get(user).and_then(Weak::upgrade) {
            return budget;
        }
        self.0.retain(|_, budget| budget.strong_count() > 0);
        let budget = Budget::new(most);
        self.0.insert(user.to_owned(), Arc::downgrade(&budget));
        budget
    }
}

/// The allowance of a session; cheap to clone.
#[derive(Debug, Clone)]
pub struct Allowance {
    session: Arc<Budget>,
    user: Arc<Budget>,
}

/// Bytes that were taken. They are given back when this is dropped.
#[derive(Debug)]
pub struct Share {
    of: Allowance,
    bytes: usize,
}

impl Allowance {
    /// The allowance of a session for this many bytes (0 is no limit), within its user's budget.
    #[must_use]
    pub fn new(most: usize, user: Arc<Budget>) -> Self {
        Self { session: Budget::new(most), user }
    }

    /// Takes a share; `None` when there is not enough left.
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

impl Share {
    /// Ties the share to bytes. It is given back when the last reference to them is dropped, also that of a response being sent.
    pub fn of(self, bytes: impl AsRef<[u8]> + Send + 'static) -> Bytes {
        Bytes::from_owner(Counted { bytes, _share: self })
    }
}

struct Counted<T> {
    bytes: T,
    _share: Share,
}

impl<T: AsRef<[u8]>> AsRef<[u8]> for Counted<T> {
    fn as_ref(&self) -> &[u8] {
        self.bytes.as_ref()
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
    fn what_a_user_keeps_counts_beyond_the_end_of_a_session() {
        let mut users = UserBudgets::default();
        let kept = Allowance::new(10, users.of("anna", 10)).take(8);
        assert!(Allowance::new(10, users.of("anna", 10)).take(3).is_none());
        assert!(Allowance::new(10, users.of("berta", 10)).take(3).is_some());
        drop(kept);
        assert!(Allowance::new(10, users.of("anna", 10)).take(3).is_some());
    }

    #[test]
    fn shares_are_limited_for_the_session_and_for_the_user() {
        let user = Budget::new(15);
        let (one, other) = (Allowance::new(10, Arc::clone(&user)), Allowance::new(10, user));
        let first = one.take(8);
        assert!(first.is_some() && one.take(3).is_none() && other.take(8).is_none());
        let second = other.take(7);
        assert!(second.is_some() && one.take(1).is_none());
        let bytes = first.unwrap().of("a text of any length");
        let sent = bytes.slice(2..6);
        drop(bytes);
        assert!(&sent[..] == b"text" && one.take(8).is_none());
        drop(sent);
        assert!(one.take(8).is_some());
        assert!(Allowance::new(0, Budget::new(0)).take(usize::MAX).is_some());
    }
}
