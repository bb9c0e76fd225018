//! Addresses of the Internet: which are other machines, and which are this one or lead to what trusts it.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket},
};

use ipnet::IpNet;

/// Where the addresses of name servers are (resolv.conf(5)).
const RESOLVERS: &str = "/etc/resolv.conf";
/// The port of name servers.
const NAMES: u16 = 53;
/// Networks, with the lengths of their prefixes, in which clouds tell each of their machines its secrets, besides those of the link: of
/// Amazon's, Google's, Oracle's, Scaleway's, Linode's and Alibaba's by IPv6, then Microsoft's, Oracle's and Alibaba's.
const CLOUDS: [(IpAddr, u8); 9] = [
    (IpAddr::V6(Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0)), 32),
    (IpAddr::V6(Ipv6Addr::new(0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254)), 128),
    (IpAddr::V6(Ipv6Addr::new(0xfd00, 0xc1, 0, 0, 0, 0, 0xa9fe, 0xa9fe)), 128),
    (IpAddr::V6(Ipv6Addr::new(0xfd00, 0x42, 0, 0, 0, 0, 0, 0x42)), 128),
    (IpAddr::V6(Ipv6Addr::new(0xfd00, 0xa9fe, 0xa9fe, 0, 0, 0, 0, 1)), 128),
    (IpAddr::V6(Ipv6Addr::new(0xfd00, 0x100, 0, 0, 0, 0, 0x100, 0x200)), 128),
    (IpAddr::V4(Ipv4Addr::new(168, 63, 129, 16)), 32),
    (IpAddr::V4(Ipv4Addr::new(192, 0, 0, 192)), 32),
    (IpAddr::V4(Ipv4Addr::new(100, 100, 100, 200)), 32),
];

/// Whether an address is another machine's, or that of a name server that this one asks.
#[must_use]
pub fn is_elsewhere(address: SocketAddr) -> bool {
    let host = address.ip().to_canonical();
    let carried = carried(host);
    let is_guarded = |host| is_here(host) || is_of_link(host) || is_of_cloud(host);
    !(is_guarded(host) || carried.is_some_and(is_guarded)) || (address.port() == NAMES && is_resolver(host))
}

/// The address of the older protocol that an address of the newer one leads to, by a gateway (RFC 6052), a tunnel (RFC 3056) or of old
/// (RFC 4291, 2.5.5.1).
fn carried(host: IpAddr) -> Option<IpAddr> {
    let IpAddr::V6(host) = host else { return None };
    let octets = host.octets();
    let from = match host.segments() {
        [0x64, 0xff9b, 0, 0, 0, 0, ..] | [0, 0, 0, 0, 0, 0, ..] => 12,
        [0x2002, ..] => 2,
        _ => return None,
    };
    octets[from..].first_chunk::<4>().map(|four| IpAddr::from(*four))
}

/// Whether an address is this machine's own, or no single machine's: a socket can be bound to these, and the kernel says that it cannot to
/// others. If it says something else, nothing is known.
fn is_here(host: IpAddr) -> bool {
    let is_bound = || !UdpSocket::bind((host, 0)).is_err_and(|error| error.kind() == io::ErrorKind::AddrNotAvailable);
    host.is_loopback() || host.is_unspecified() || host.is_multicast() || is_bound()
}

/// Whether an address is good on one network only, where whoever is on it can be asked anything.
fn is_of_link(host: IpAddr) -> bool {
    match host {
        IpAddr::V4(host) => host.is_link_local() || host.is_broadcast(),
        IpAddr::V6(host) => host.is_unicast_link_local(),
    }
}

fn is_of_cloud(host: IpAddr) -> bool {
    CLOUDS.into_iter().any(|(network, prefix)| IpNet::new(network, prefix).is_ok_and(|network| network.contains(&host)))
}

fn is_resolver(host: IpAddr) -> bool {
    std::fs::read_to_string(RESOLVERS).is_ok_and(|settings| resolvers(&settings).any(|resolver| resolver == host))
}

/// The addresses in such a file. One of the link names its network after a `%`.
fn resolvers(settings: &str) -> impl Iterator<Item = IpAddr> {
    let named = settings.lines().filter_map(|line| line.trim().strip_prefix("nameserver")?.split_whitespace().next());
    named.filter_map(|address| address.split('%').next()?.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_by_any_of_its_names_is_not_elsewhere() {
        for here in [
            "127.0.0.1:80",
            "127.8.9.10:80",
            "0.0.0.0:80",
            "[::1]:80",
            "[::]:80",
            "[::ffff:127.0.0.1]:80",
            "[::ffff:0.0.0.0]:80",
            "169.254.169.254:80",
            "[::ffff:169.254.169.254]:80",
            "[fe80::1]:80",
            "[fd00:ec2::23]:80",
            "[fd20:ce::254]:80",
            "[64:ff9b::169.254.169.254]:80",
            "[64:ff9b::7f00:1]:80",
            "[2002:7f00:1::1]:80",
            "[::127.0.0.1]:80",
            "168.63.129.16:80",
            "224.0.0.1:80",
            "255.255.255.255:80",
            "[ff02::1]:80",
        ] {
            assert!(!is_elsewhere(here.parse().unwrap()), "{here}");
        }
        for there in ["192.0.2.7:80", "[2001:db8::7]:80", "[::ffff:192.0.2.7]:443", "[64:ff9b::192.0.2.7]:443"] {
            assert!(is_elsewhere(there.parse().unwrap()), "{there}");
        }
    }

    #[test]
    fn name_servers_are_found_in_the_settings() {
        let settings =
            "# a comment\nnameserver 127.0.0.53 # here\n nameserver\tfe80::1%eth0\nnameserver nonsense\nnameserver\nsearch example.org\n";
        let expected: [IpAddr; 2] = ["127.0.0.53".parse().unwrap(), "fe80::1".parse().unwrap()];
        assert_eq!(resolvers(settings).collect::<Vec<_>>(), expected);
    }
}
