//! Connections of processes that may not make any themselves ([`super::calls::make_connections_elsewhere`]): this process looks at the address,
//! and makes the connection for them (seccomp_unotify(2)).
//!
//! The address is read once from the memory of the process that asks, and what was read is what its socket is connected to. Code that
//! changes its memory meanwhile gains nothing by it.

use std::{
    collections::HashMap,
    fs::File,
    io,
    net::{Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6},
    os::{
        fd::{AsRawFd, OwnedFd},
        unix::fs::FileExt,
    },
    sync::{Arc, Mutex, PoisonError},
    thread,
    time::Duration,
};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    io::Errno,
    net::{Shutdown, connect, shutdown},
    process::{Pid, PidfdFlags, PidfdGetfdFlags, pidfd_getfd, pidfd_open},
};
use tokio::{
    io::{Interest, unix::AsyncFd},
    sync::{OwnedSemaphorePermit, Semaphore},
    time::timeout,
};

use super::super::processes;

/// The most connections of one listener that are waited for at a time; more wait for these.
const MOST: usize = 8;
/// The time between two looks at a listener while there is no room for more connections.
const LOOK: Duration = Duration::from_secs(1);
/// The longest address that the kernel takes (`struct sockaddr_storage`).
const LONGEST: usize = 128;

/// Sockets by the number of the question that they are connected for.
type Sockets = HashMap<u64, Arc<OwnedFd>>;

/// The connections of all processes with one filter.
#[derive(Debug)]
pub struct Connections {
    listener: Arc<AsyncFd<OwnedFd>>,
    /// The sockets that are being connected; `None` when nobody waits for them any more.
    open: Arc<Mutex<Option<Sockets>>>,
}

/// This process may not do what it takes to connect for another one.
#[derive(Debug, thiserror::Error)]
#[error("the server may not use the sockets of its sessions ({step}: {source})")]
pub struct ConnectionsError {
    step: &'static str,
    source: Errno,
}

impl Connections {
    /// Those of a process, and of all that it starts. The process has set the filter, and has given its listener away.
    ///
    /// # Errors
    /// [`ConnectionsError`].
    pub fn of(process: Pid, listener: OwnedFd) -> Result<Self, ConnectionsError> {
        let failed = |step| move |source| ConnectionsError { step, source };
        let pidfd = pidfd_open(process, PidfdFlags::empty()).map_err(failed("pidfd_open"))?;
        pidfd_getfd(&pidfd, 0, PidfdGetfdFlags::empty()).map_err(failed("pidfd_getfd"))?;
        memory(process).map_err(failed("memory"))?;
        // SAFETY: the descriptor is owned, and stays the same.
        #[expect(unsafe_code, reason = "tokio wants a promise about descriptors that other types cannot give")]
        let listener = unsafe { AsyncFd::register_with_interest(listener, Interest::READABLE) };
        let listener = listener.map_err(|error| failed("listener")(errno(&error.into())))?;
        Ok(Self { listener: Arc::new(listener), open: Arc::new(Mutex::new(Some(HashMap::new()))) })
    }

    /// Makes those whose addresses are `reachable`, and refuses others, until all processes with the filter have ended.
    pub async fn serve(self, reachable: fn(SocketAddr) -> bool) {
        let places = Arc::new(Semaphore::new(MOST));
        while let Some(asked) = self.next().await {
            let Some(place) = self.place(&places).await else { break };
            let (listener, open) = (Arc::clone(&self.listener), Arc::clone(&self.open));
            // Not one of the runtime's threads: it waits as long as the process that asks would.
            let made = thread::Builder::new().name("connection".to_owned()).spawn(move || {
                let connected = begin(&listener, &asked, reachable).and_then(|(socket, address)| {
                    lock(&open).as_mut().ok_or(Errno::SRCH)?.insert(asked.id, Arc::clone(&socket));
                    let connected = connect(&socket, &address);
                    lock(&open).as_mut().and_then(|open| open.remove(&asked.id));
                    connected
                });
                answer(&listener, asked.id, connected);
                drop(place);
            });
            if made.is_err() {
                answer(&self.listener, asked.id, Err(Errno::AGAIN));
            }
        }
        // Nobody waits for these any more.
        for socket in lock(&self.open).take().iter().flat_map(HashMap::values) {
            let _ = shutdown(socket, Shutdown::Both);
        }
    }

    /// The next question; `None` when nobody is left who could ask.
    async fn next(&self) -> Option<libc::seccomp_notif> {
        loop {
            let mut ready = self.listener.readable().await.ok()?;
            if let Ok(asked) = ready.try_io(|listener| receive(listener.get_ref())) {
                return asked.ok().flatten();
            }
        }
    }

    /// Room for one more connection; `None` when nobody is left who waits for it.
    async fn place(&self, places: &Arc<Semaphore>) -> Option<OwnedSemaphorePermit> {
        loop {
            match timeout(LOOK, Arc::clone(places).acquire_owned()).await {
                Ok(place) => return place.ok(),
                Err(_) if state(self.listener.get_ref()).contains(PollFlags::HUP) => return None,
                Err(_) => {}
            }
        }
    }
}

/// Finds the socket that is to be connected, and the address.
fn begin(
    listener: &AsyncFd<OwnedFd>,
    asked: &libc::seccomp_notif,
    reachable: fn(SocketAddr) -> bool,
) -> Result<(Arc<OwnedFd>, SocketAddr), Errno> {
    let [descriptor, address, length, ..] = asked.data.args;
    // 0 is a process that cannot be seen from here.
    let task = i32::try_from(asked.pid).ok().and_then(Pid::from_raw).ok_or(Errno::ACCESS)?;
    let memory = memory(task)?;
    let process = processes::thread_group(task.as_raw_nonzero().get()).and_then(Pid::from_raw).ok_or(Errno::SRCH)?;
    let pidfd = pidfd_open(process, PidfdFlags::empty())?;
    // If somebody waits for the answer still, what was opened is theirs, and not of a later process with the same number.
    let mut id = asked.id;
    control(listener.get_ref(), libc::SECCOMP_IOCTL_NOTIF_ID_VALID, &mut id)?;
    let mut bytes = [0; LONGEST];
    let length = usize::try_from(length).ok().filter(|&length| length <= LONGEST).ok_or(Errno::INVAL)?;
    memory.read_exact_at(&mut bytes[..length], address).map_err(|_| Errno::FAULT)?;
    let address = parse(&bytes[..length])?;
    if !reachable(address) {
        return Err(Errno::ACCESS);
    }
    // The descriptor is an `int`; the upper half of the argument does not count.
    #[expect(clippy::cast_possible_truncation, reason = "see above")]
    let socket = pidfd_getfd(&pidfd, descriptor as i32, PidfdGetfdFlags::empty())?;
    Ok((Arc::new(socket), address))
}

/// An address of the Internet (`struct sockaddr_in` and `sockaddr_in6`); there are no others.
fn parse(bytes: &[u8]) -> Result<SocketAddr, Errno> {
    let (family, rest) = bytes.split_first_chunk::<2>().ok_or(Errno::INVAL)?;
    let (port, rest) = rest.split_first_chunk::<2>().ok_or(Errno::INVAL)?;
    let port = u16::from_be_bytes(*port);
    match i32::from(u16::from_ne_bytes(*family)) {
        libc::AF_INET => {
            let host: [u8; 4] = *rest.first_chunk().ok_or(Errno::INVAL)?;
            Ok(SocketAddr::from((Ipv4Addr::from(host), port)))
        }
        libc::AF_INET6 => {
            let (flow, rest) = rest.split_first_chunk::<4>().ok_or(Errno::INVAL)?;
            let (host, rest) = rest.split_first_chunk::<16>().ok_or(Errno::INVAL)?;
            let scope = rest.first_chunk().map_or(0, |scope| u32::from_ne_bytes(*scope));
            Ok(SocketAddrV6::new(Ipv6Addr::from(*host), port, u32::from_be_bytes(*flow), scope).into())
        }
        _ => Err(Errno::ACCESS),
    }
}

/// The memory of a process, to be read.
fn memory(task: Pid) -> Result<File, Errno> {
    File::open(format!("/proc/{}/mem", task.as_raw_nonzero())).map_err(|error| errno(&error))
}

/// Takes a question. `None` when nobody is left who could ask, and `WouldBlock` when nobody asks.
fn receive(listener: &OwnedFd) -> io::Result<Option<libc::seccomp_notif>> {
    loop {
        let state = state(listener);
        if !state.contains(PollFlags::IN) {
            return if state.is_empty() { Err(io::ErrorKind::WouldBlock.into()) } else { Ok(None) };
        }
        // SAFETY: plain numbers; the kernel wants them to be zero.
        #[expect(unsafe_code, reason = "a structure of the kernel's")]
        let mut asked: libc::seccomp_notif = unsafe { std::mem::zeroed() };
        match control(listener, libc::SECCOMP_IOCTL_NOTIF_RECV, &mut asked) {
            Ok(()) => return Ok(Some(asked)),
            // Whoever asked has been interrupted.
            Err(Errno::NOENT | Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// Lets the call of the process return. It may have been interrupted meanwhile, or have ended.
fn answer(listener: &AsyncFd<OwnedFd>, id: u64, connected: Result<(), Errno>) {
    let error = connected.err().map_or(0, |error| -error.raw_os_error());
    let mut answer = libc::seccomp_notif_resp { id, val: 0, error, flags: 0 };
    let _ = control(listener.get_ref(), libc::SECCOMP_IOCTL_NOTIF_SEND, &mut answer);
}

/// What a listener is ready for, now.
fn state(listener: &OwnedFd) -> PollFlags {
    let mut ready = [PollFd::new(listener, PollFlags::IN)];
    let now = Timespec { tv_sec: 0, tv_nsec: 0 };
    poll(&mut ready, Some(&now)).map_or(PollFlags::empty(), |_| ready[0].revents())
}

#[expect(unsafe_code, reason = "rustix does not have these")]
fn control<T>(listener: &OwnedFd, request: libc::Ioctl, argument: &mut T) -> Result<(), Errno> {
    // SAFETY: each request is made with the structure that its number is computed from (ioctl(2)).
    let done = unsafe { libc::ioctl(listener.as_raw_fd(), request, std::ptr::from_mut(argument)) };
    if done < 0 { Err(errno(&io::Error::last_os_error())) } else { Ok(()) }
}

fn errno(error: &io::Error) -> Errno {
    Errno::from_io_error(error).unwrap_or(Errno::IO)
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_as_the_kernel_has_them() {
        let family = |family: i32| u16::try_from(family).unwrap().to_ne_bytes();
        let four = [&family(libc::AF_INET)[..], &[0x1f, 0x90, 192, 0, 2, 7], &[0; 8]].concat();
        assert_eq!(parse(&four), Ok("192.0.2.7:8080".parse().unwrap()));
        let host = "2001:db8::7".parse::<Ipv6Addr>().unwrap().octets();
        let six = [&family(libc::AF_INET6)[..], &[0x1f, 0x90], &[0; 4], &host].concat();
        assert_eq!(parse(&six), Ok("[2001:db8::7]:8080".parse().unwrap()));
        for (wrong, error) in [
            (&four[..1], Errno::INVAL),
            (&four[..7], Errno::INVAL),
            (&six[..23], Errno::INVAL),
            (&[&family(libc::AF_UNIX)[..], b"/run/socket"].concat(), Errno::ACCESS),
        ] {
            assert_eq!(parse(wrong), Err(error), "{wrong:?}");
        }
    }
}
