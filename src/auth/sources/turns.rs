//! How many questions a source is asked at the same time. One address can neither take all of that nor wait without end, so that somebody
//! who tries many passwords at once keeps nobody else from logging in.

use std::{
    collections::{HashMap, hash_map::Entry},
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::auth::hashing::{Full, network};

/// The part of the questions at the same time that one address may have.
const PART: usize = 4;
/// The most that are asked or wait for one address.
const WAITING: usize = 64;

/// The questions of one source.
#[derive(Debug)]
pub(super) struct Questions {
    all: Arc<Semaphore>,
    of_one: usize,
    addresses: Mutex<HashMap<IpAddr, Address>>,
}

/// The questions for one address.
#[derive(Debug)]
struct Address {
    /// Those that are asked now.
    asked: Arc<Semaphore>,
    /// Those that are asked or wait.
    count: usize,
}

/// The right to ask one question, or to wait for it, until it is dropped.
struct Place<'q> {
    questions: &'q Questions,
    address: IpAddr,
}

/// The right to ask one question, until it is dropped.
pub(super) struct Question<'q> {
    _permits: [OwnedSemaphorePermit; 2],
    _place: Place<'q>,
}

impl Questions {
    /// At most `all` questions at the same time, and a part of them for one address.
    pub(super) fn new(all: usize) -> Self {
        Self { all: Arc::new(Semaphore::new(all)), of_one: all / PART, addresses: Mutex::default() }
    }

    /// Waits until a question may be asked for a client at this address.
    pub(super) async fn turn(&self, address: IpAddr) -> Result<Question<'_>, Full> {
        let (place, asked) = self.place(network(address))?;
        // The address's own turn comes first, so that what waits for all is at most that part for each address.
        let of_address = asked.acquire_owned().await.map_err(|_| Full)?;
        let of_all = Arc::clone(&self.all).acquire_owned().await.map_err(|_| Full)?;
        Ok(Question { _permits: [of_address, of_all], _place: place })
    }

    fn place(&self, address: IpAddr) -> Result<(Place<'_>, Arc<Semaphore>), Full> {
        let mut addresses = self.lock();
        let of_address = addresses.entry(address).or_insert_with(|| Address { asked: Arc::new(Semaphore::new(self.of_one)), count: 0 });
        if of_address.count >= WAITING {
            return Err(Full);
        }
        of_address.count += 1;
        Ok((Place { questions: self, address }, Arc::clone(&of_address.asked)))
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<IpAddr, Address>> {
        self.addresses.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        if let Entry::Occupied(mut of_address) = self.questions.lock().entry(self.address) {
            of_address.get_mut().count -= 1;
            if of_address.get().count == 0 {
                of_address.remove();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    const ALL: usize = 32;
    const OF_ONE: usize = 8;

    fn address(last: u8) -> IpAddr {
        IpAddr::from([10, 0, 0, last])
    }

    #[test]
    fn one_address_cannot_take_all_and_what_ends_makes_room() {
        let questions = Questions::new(ALL);
        let turn = |last| questions.turn(address(last)).now_or_never();
        let mut first: Vec<_> = (0..OF_ONE).map(|_| turn(1).unwrap().unwrap_or_else(|Full| panic!("there is room"))).collect();
        assert!(turn(1).is_none(), "one more has to wait");
        let others: Vec<_> = (2..=4).flat_map(|last| (0..OF_ONE).map(move |_| last)).map(|last| turn(last).unwrap()).collect();
        assert_eq!(others.len() + first.len(), ALL);
        assert!(turn(5).is_none(), "all of it is taken");
        first.pop();
        assert!(turn(5).is_some_and(|turn| turn.is_ok()));
        drop((first, others));
        assert!(questions.lock().is_empty());
    }

    #[test]
    fn what_waits_for_one_address_has_an_end() {
        let questions = Questions::new(ALL);
        let places: Vec<_> = (0..WAITING).map(|_| questions.place(address(1)).map(|(place, _)| place)).collect();
        assert!(places.iter().all(Result::is_ok));
        assert!(questions.place(address(1)).is_err() && questions.place(address(2)).is_ok());
        drop(places);
        assert!(questions.place(address(1)).is_ok() && questions.lock().is_empty());
    }
}
