//! Threads that only hash passwords, because each hash occupies a processor for a while, on purpose.
//!
//! The client addresses that wait take turns, so that somebody who tries many passwords at once delays only their own address. The number
//! of checks that may wait for an address is bounded, and a check that nobody waits for any more is not begun.

use std::{
    collections::{HashMap, VecDeque},
    fmt,
    net::{IpAddr, Ipv6Addr},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::oneshot;

/// The most checks that may wait for one address.
const WAITING: usize = 64;
/// The most threads. On small machines there are half as many as processors, so that a flood of logins leaves the other half to R.
const THREADS: usize = 4;

/// Too many checks wait for this address already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Full;

/// The threads; cheap to clone. They end when the last clone is dropped.
#[derive(Debug, Clone)]
pub struct Hashing(Arc<Handle>);

#[derive(Debug)]
struct Handle(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    queues: Mutex<Queues>,
    come: Condvar,
}

/// Clients that share one turn: an address, or for IPv6 the network of one customer; `None` is the server itself.
type Client = Option<IpAddr>;
type Work = Box<dyn FnOnce() + Send>;

#[derive(Default)]
struct Queues {
    /// The clients that wait, each once, in the order of their turns.
    turns: VecDeque<Client>,
    waiting: HashMap<Client, VecDeque<Work>>,
    closed: bool,
}

impl fmt::Debug for Queues {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Queues").field("turns", &self.turns).field("closed", &self.closed).finish_non_exhaustive()
    }
}

impl Queues {
    fn push(&mut self, client: Client, work: Work) -> Result<(), Full> {
        let queue = self.waiting.entry(client).or_default();
        if client.is_some() && queue.len() >= WAITING {
            return Err(Full);
        }
        if queue.is_empty() {
            self.turns.push_back(client);
        }
        queue.push_back(work);
        Ok(())
    }

    fn pop(&mut self) -> Option<Work> {
        let client = self.turns.pop_front()?;
        let queue = self.waiting.get_mut(&client)?;
        let work = queue.pop_front();
        if queue.is_empty() {
            self.waiting.remove(&client);
        } else {
            self.turns.push_back(client);
        }
        work
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Queues> {
        self.queues.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next check; `None` when the threads are to end.
    fn next(&self) -> Option<Work> {
        let mut queues = self.lock();
        loop {
            if queues.closed {
                return None;
            }
            if let Some(work) = queues.pop() {
                return Some(work);
            }
            queues = self.come.wait(queues).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        let mut queues = self.0.lock();
        queues.closed = true;
        // Dropping a check tells its caller that there will be no result.
        queues.waiting.clear();
        drop(queues);
        self.0.come.notify_all();
    }
}

impl Default for Hashing {
    fn default() -> Self {
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        Self::with_threads((processors / 2).clamp(1, THREADS))
    }
}

impl Hashing {
    fn with_threads(count: usize) -> Self {
        let shared = Arc::<Shared>::default();
        for number in 0..count {
            let shared = Arc::clone(&shared);
            let thread = std::thread::Builder::new().name(format!("hashing-{number}")).spawn(move || {
                while let Some(work) = shared.next() {
                    // A check that panics is dropped, which tells its caller; the thread goes on.
                    let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(work));
                }
            });
            if let Err(error) = thread {
                tracing::error!(%error, "a thread that checks passwords could not be started");
            }
        }
        Self(Arc::new(Handle(shared)))
    }

    /// Runs a check for a client at this address when it is the client's turn. `None` if the check failed.
    ///
    /// # Errors
    /// [`Full`]
    pub async fn check<T: Send + 'static>(&self, address: IpAddr, work: impl FnOnce() -> T + Send + 'static) -> Result<Option<T>, Full> {
        self.submit(Some(network(address)), work).await
    }

    /// Runs a check for the server itself or an administrator.
    pub async fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
        self.submit(None, work).await.unwrap_or(None)
    }

    async fn submit<T: Send + 'static>(&self, client: Client, work: impl FnOnce() -> T + Send + 'static) -> Result<Option<T>, Full> {
        let (done, result) = oneshot::channel();
        let work = move || {
            if !done.is_closed() {
                let _ = done.send(work());
            }
        };
        self.0.0.lock().push(client, Box::new(work))?;
        self.0.0.come.notify_one();
        Ok(result.await.ok())
    }
}

/// The network of an address. A customer who has one IPv6 address has its whole network (RFC 6177).
pub(super) fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() >> 64 << 64).into(),
        address @ IpAddr::V4(_) => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(last: u8) -> Client {
        Some(IpAddr::from([10, 0, 0, last]))
    }

    #[test]
    fn clients_take_turns_and_the_queue_of_one_has_an_end() {
        let (mut queues, order) = (Queues::default(), Arc::new(Mutex::new(Vec::new())));
        let work = |name: &'static str| {
            let order = Arc::clone(&order);
            Box::new(move || order.lock().unwrap().push(name)) as Work
        };
        for _ in 0..WAITING {
            queues.push(client(1), work("many")).unwrap();
        }
        assert_eq!(queues.push(client(1), work("many")), Err(Full));
        for _ in 0..2 {
            queues.push(client(2), work("few")).unwrap();
        }
        for _ in 0..2 * WAITING {
            queues.push(None, work("own")).unwrap();
        }
        while let Some(work) = queues.pop() {
            work();
        }
        let order = order.lock().unwrap();
        assert_eq!(order[..7], ["many", "few", "own", "many", "few", "own", "many"]);
        assert_eq!(order.len(), 3 * WAITING + 2);
        assert!(queues.waiting.is_empty() && queues.turns.is_empty());
    }

    #[tokio::test]
    async fn what_nobody_waits_for_is_not_begun_and_what_fails_takes_no_thread_with_it() {
        let hashing = Hashing::with_threads(1);
        let (begun, mut has_begun) = tokio::sync::mpsc::unbounded_channel();
        let (go_on, wait) = std::sync::mpsc::channel::<()>();
        let address = IpAddr::from([10, 0, 0, 1]);
        let first = {
            let (hashing, begun) = (hashing.clone(), begun.clone());
            tokio::spawn(async move {
                let work = move || {
                    begun.send("first").unwrap();
                    wait.recv().unwrap();
                };
                hashing.check(address, work).await
            })
        };
        assert_eq!(has_begun.recv().await, Some("first"));
        let mut given_up = Box::pin(hashing.check(address, {
            let begun = begun.clone();
            move || begun.send("given up").unwrap()
        }));
        // Polled once, which puts the check into the queue, and then dropped.
        assert!(futures_util::FutureExt::now_or_never(&mut given_up).is_none());
        drop(given_up);
        go_on.send(()).unwrap();
        assert_eq!(first.await.unwrap(), Ok(Some(())));
        assert_eq!(hashing.check(address, || panic!("as planned")).await, Ok(None::<()>));
        hashing.run(move || begun.send("last").unwrap()).await.unwrap();
        assert_eq!(has_begun.recv().await, Some("last"));
    }

    #[test]
    fn a_network_of_ipv6_is_one_client() {
        let network = |text: &str| super::network(text.parse().unwrap());
        assert_eq!(network("2001:db8:1:2:3:4:5:6"), network("2001:db8:1:2::"));
        assert_ne!(network("2001:db8:1:3::1"), network("2001:db8:1:2::1"));
        assert_eq!(network("::ffff:10.0.0.1"), network("10.0.0.1"));
        assert_ne!(network("10.0.0.1"), network("10.0.0.2"));
    }
}
