//! Who listens at a port of this machine, as the kernel shows it (proc(5), `/proc/net/tcp`).

use std::{
    collections::HashMap,
    fs,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
};

use super::processes;

/// The state of a socket that listens.
const LISTENS: &str = "0A";

/// A socket that takes connections of this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listening {
    /// The address to connect to.
    pub address: SocketAddr,
    /// The user that it belongs to.
    pub user: u32,
    inode: u64,
}

impl Listening {
    /// The sockets that listen at a port, and that connections of this machine reach by a loopback address.
    #[must_use]
    pub fn at(port: u16) -> Vec<Self> {
        ["/proc/net/tcp", "/proc/net/tcp6"].iter().flat_map(|table| parse(&processes::read(table).unwrap_or_default(), port)).collect()
    }

    /// Whether a process, or one that it has started, has the socket.
    #[must_use]
    pub fn is_of(&self, process: i32) -> bool {
        let link = format!("socket:[{}]", self.inode);
        let has = |pid: i32| {
            let open = fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
            open.filter_map(|entry| fs::read_link(entry.path()).ok()).any(|open| open.as_os_str() == link.as_str())
        };
        let parents = processes::parents();
        parents.keys().any(|&pid| is_below(pid, process, &parents) && has(pid))
    }
}

/// Whether a process is another, or was started by it.
fn is_below(pid: i32, process: i32, parents: &HashMap<i32, i32>) -> bool {
    // What is read while processes come and go may have circles.
    let above = std::iter::successors(Some(pid), |pid| parents.get(pid).copied()).take(1000);
    above.into_iter().any(|above| above == process)
}

/// The sockets in a table that listen at this port and are reached by a loopback address.
fn parse(table: &str, port: u16) -> Vec<Listening> {
    let line = |line: &str| {
        let fields: Vec<_> = line.split_ascii_whitespace().collect();
        let (address, at) = fields.get(1)?.split_once(':')?;
        if *fields.get(3)? != LISTENS || u16::from_str_radix(at, 16).ok()? != port {
            return None;
        }
        let address = match ip(address)? {
            IpAddr::V4(Ipv4Addr::UNSPECIFIED) => IpAddr::V4(Ipv4Addr::LOCALHOST),
            IpAddr::V6(Ipv6Addr::UNSPECIFIED) => IpAddr::V6(Ipv6Addr::LOCALHOST),
            address => address,
        };
        let (user, inode) = (fields.get(7)?.parse().ok()?, fields.get(9)?.parse().ok()?);
        address.to_canonical().is_loopback().then_some(Listening { address: SocketAddr::new(address, port), user, inode })
    };
    table.lines().skip(1).filter_map(line).collect()
}

/// An address in the kernel's form: words of 32 bits, each in the order of the machine.
fn ip(text: &str) -> Option<IpAddr> {
    let words = text.as_bytes().chunks(8).map(|word| u32::from_str_radix(std::str::from_utf8(word).ok()?, 16).ok());
    let bytes: Vec<u8> = words.collect::<Option<Vec<_>>>()?.into_iter().flat_map(u32::to_ne_bytes).collect();
    let v4 = <[u8; 4]>::try_from(bytes.as_slice()).map(IpAddr::from);
    v4.or_else(|_| <[u8; 16]>::try_from(bytes.as_slice()).map(IpAddr::from)).ok()
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn listeners_of_this_process_are_found() {
        for address in ["127.0.0.1:0", "0.0.0.0:0", "127.1.2.3:0"] {
            let listener = TcpListener::bind(address).unwrap();
            let local = listener.local_addr().unwrap();
            let found = Listening::at(local.port());
            assert_eq!(found.len(), 1, "{address} {found:?}");
            assert!(found[0].address.ip().is_loopback() && found[0].address.port() == local.port());
            assert_eq!(found[0].user, rustix::process::geteuid().as_raw());
            assert!(found[0].is_of(std::process::id().cast_signed()));
            assert!(!found[0].is_of(i32::MAX));
            drop(listener);
            assert_eq!(Listening::at(local.port()), []);
        }
    }

    #[test]
    fn addresses_are_read_as_the_kernel_writes_them() {
        assert_eq!(ip("0100007F"), Some(IpAddr::from([127, 0, 0, 1])));
        assert_eq!(ip("00000000000000000000000001000000"), Some(IpAddr::V6(Ipv6Addr::LOCALHOST)));
        assert_eq!(ip("x"), None);
        assert_eq!(ip(""), None);
        let table = "head\n 0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000 1000 0 77 1\n\
                     1: 0100000A:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000 1000 0 78 1\n\
                     2: 0100007F:1F90 0100007F:0016 01 00000000:00000000 00:00000000 00000000 1000 0 79 1\n junk\n";
        let expected = Listening { address: SocketAddr::from(([127, 0, 0, 1], 8080)), user: 1000, inode: 77 };
        assert_eq!(parse(table, 8080), [expected]);
    }
}
