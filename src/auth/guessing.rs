//! Slows down those who guess passwords, without letting anybody lock anybody out.
//!
//! After some failed logins, the next one has to wait, twice as long after each further failure. What counts are the failures of one client
//! at one account, those of one client at all accounts, and those of all clients at one account. Whoever has logged in to the account before
//! from the same address does not wait for the last ones: the failures of others cost them nothing.

use std::{
    collections::HashMap,
    hash::{BuildHasher, RandomState},
    net::IpAddr,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use super::hashing::network;

/// The most entries of a kind.
const MOST: usize = 10_000;
/// The time after which failures are forgotten.
const FORGOTTEN: Duration = Duration::from_mins(30);

/// Whose failures are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Whose {
    /// Those of a client at an account.
    Pair(u64, IpAddr),
    /// Those of a client.
    Client(IpAddr),
    /// Those at an account.
    Account(u64),
}

impl Whose {
    /// How many failures have no consequence, and the longest time to wait after one.
    fn limits(self) -> (u32, Duration) {
        match self {
            Self::Pair(..) => (5, Duration::from_mins(15)),
            Self::Client(_) => (50, Duration::from_mins(5)),
            Self::Account(_) => (100, Duration::from_secs(30)),
        }
    }
}

#[derive(Debug, Clone, Copy)]
struct Failures {
    count: u32,
    last: Instant,
}

#[derive(Debug, Default)]
struct Table {
    failures: HashMap<Whose, Failures>,
    /// When a client last logged in to an account.
    known: HashMap<(u64, IpAddr), Instant>,
}

/// The failed logins of the last half hour.
#[derive(Debug, Default)]
pub struct Guessing {
    /// Names are kept as hashes that nobody else can compute: they may be as long as a request.
    hasher: RandomState,
    table: Mutex<Table>,
}

impl Guessing {
    /// How long a client has to wait before it may try to log in to an account; `None` if it may do so now.
    #[must_use]
    pub fn wait(&self, name: &str, address: IpAddr, now: Instant) -> Option<Duration> {
        let (name, client) = (self.hasher.hash_one(name), network(address));
        let table = self.lock();
        let is_known = table.known.contains_key(&(name, client));
        let counted = [Whose::Pair(name, client), Whose::Client(client), Whose::Account(name)];
        let counted = counted.into_iter().filter(|whose| !(is_known && matches!(whose, Whose::Account(_))));
        let waits = counted.filter_map(|whose| {
            let failures = table.failures.get(&whose)?;
            let (free, longest) = whose.limits();
            let more = failures.count.checked_sub(free)?;
            let time = Duration::from_secs(1 << more.min(20)).min(longest);
            (failures.last + time).checked_duration_since(now).filter(|time| !time.is_zero())
        });
        waits.max()
    }

    /// Counts a failed login.
    pub fn failed(&self, name: &str, address: IpAddr, now: Instant) {
        let (name, client) = (self.hasher.hash_one(name), network(address));
        let mut table = self.lock();
        make_room(&mut table.failures, now, |failures| failures.last);
        for whose in [Whose::Pair(name, client), Whose::Client(client), Whose::Account(name)] {
            let failures = table.failures.entry(whose).or_insert(Failures { count: 0, last: now });
            let is_forgotten = now.duration_since(failures.last) > FORGOTTEN;
            *failures = Failures { count: if is_forgotten { 1 } else { failures.count.saturating_add(1) }, last: now };
        }
    }

    /// Forgets a client's failures at an account that it has logged in to. Those at other accounts go on counting.
    pub fn succeeded(&self, name: &str, address: IpAddr, now: Instant) {
        let (name, client) = (self.hasher.hash_one(name), network(address));
        let mut table = self.lock();
        table.failures.remove(&Whose::Pair(name, client));
        make_room(&mut table.known, now, |&last| last);
        table.known.insert((name, client), now);
    }

    fn lock(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Removes what is forgotten from a full table, and else the older half of it.
fn make_room<K: Copy + Eq + std::hash::Hash, V>(table: &mut HashMap<K, V>, now: Instant, last: impl Fn(&V) -> Instant) {
    if table.len() < MOST {
        return;
    }
    table.retain(|_, value| now.duration_since(last(value)) <= FORGOTTEN);
    if table.len() >= MOST / 2 {
        let mut times: Vec<_> = table.values().map(&last).collect();
        let (_, &mut middle, _) = times.select_nth_unstable(table.len() / 2);
        table.retain(|_, value| last(value) > middle);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(last: u8) -> IpAddr {
        IpAddr::from([10, 0, 0, last])
    }

    #[test]
    fn each_further_failure_makes_the_next_wait_longer_and_success_forgets_them() {
        let (guessing, mut now) = (Guessing::default(), Instant::now());
        for _ in 0..4 {
            guessing.failed("ada", address(1), now);
        }
        assert_eq!(guessing.wait("ada", address(1), now), None);
        let mut waits = Vec::new();
        for _ in 0..12 {
            guessing.failed("ada", address(1), now);
            let wait = guessing.wait("ada", address(1), now).unwrap();
            waits.push(wait.as_secs());
            // Another client is none the worse for it, and this one at another account is not.
            assert_eq!((guessing.wait("ada", address(2), now), guessing.wait("bob", address(1), now)), (None, None));
            now += wait;
            assert_eq!(guessing.wait("ada", address(1), now), None);
        }
        assert_eq!(waits, [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900]);
        guessing.succeeded("ada", address(1), now);
        guessing.failed("ada", address(1), now);
        assert_eq!(guessing.wait("ada", address(1), now), None);
    }

    #[test]
    fn many_clients_at_one_account_do_not_lock_out_who_has_logged_in_before() {
        let (guessing, now) = (Guessing::default(), Instant::now());
        guessing.succeeded("ada", address(1), now);
        for client in 0..200 {
            guessing.failed("ada", IpAddr::from([10, 1, 0, client]), now);
        }
        assert_eq!(guessing.wait("ada", address(1), now), None);
        assert_eq!(guessing.wait("ada", address(2), now), Some(Duration::from_secs(30)));
    }

    #[test]
    fn one_client_at_many_accounts_waits_and_failures_are_forgotten() {
        let (guessing, now) = (Guessing::default(), Instant::now());
        for account in 0..50 {
            guessing.failed(&format!("user{account}"), address(1), now);
        }
        assert!(guessing.wait("another", address(1), now).is_some());
        guessing.failed("another", address(1), now + FORGOTTEN + Duration::from_secs(1));
        assert_eq!(guessing.wait("another", address(1), now + FORGOTTEN + Duration::from_secs(1)), None);
    }

    #[test]
    fn the_memory_has_an_end() {
        let (guessing, mut now) = (Guessing::default(), Instant::now());
        for client in 0..30_000_u32 {
            now += Duration::from_millis(1);
            guessing.failed("ada", IpAddr::from(client.to_be_bytes()), now);
            guessing.succeeded("bob", IpAddr::from(client.to_be_bytes()), now);
        }
        let table = guessing.lock();
        assert!(table.failures.len() <= MOST + 3 && table.known.len() <= MOST);
    }
}
