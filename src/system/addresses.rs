//! Addresses of the Internet: which are other machines, and which are this one or lead to what trusts it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

/// Where the addresses of name servers are (resolv.conf(5)).
const RESOLVERS: &str = "/etc/resolv.conf";
/// The port of name servers.
const NAMES: u16 = 53;
/// Addresses at which clouds tell each of their machines its secrets, besides those of the link: of Amazon's by IPv6, Microsoft's, Oracle's
/// and Alibaba's.
const CLOUDS: [IpAddr; 4] = [
    IpAddr::V6(Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254)),
    IpAddr::V4(Ipv4Addr::new(168, 63, 129, 16)),
    IpAddr::V4(Ipv4Addr::new(192, 0, 0, 192)),
    IpAddr::V4(Ipv4Addr::new(100, 100, 100, 200)),
];

/// Whether an address is another machine's, or that of a name server that this one asks.
#[must_use]
pub fn is_elsewhere(address: SocketAddr) -> bool {
    let host = address.ip().to_canonical();
    !(is_here(host) || is_of_link(host) || CLOUDS.contains(&host)) || (address.port() == NAMES && is_resolver(host))
}

/// Whether an address is this machine's own, or no single machine's: those that a socket can be bound to.
fn is_here(host: IpAddr) -> bool {
    host.is_loopback() || host.is_unspecified() || host.is_multicast() || UdpSocket::bind((host, 0)).is_ok()
}

/// Whether an address is good on one network only, where whoever is on it can be asked anything.
fn is_of_link(host: IpAddr) -> bool {
    match host {
        IpAddr::V4(host) => host.is_link_local() || host.is_broadcast(),
        IpAddr::V6(host) => host.is_unicast_link_local(),
    }
}

fn is_resolver(host: IpAddr) -> bool {
    std::fs::read_to_string(RESOLVERS).is_ok_and(|settings| resolvers(&settings).any(|resolver| resolver == host))
}

fn resolvers(settings: &str) -> impl Iterator<Item = IpAddr> {
    settings.lines().filter_map(|line| line.trim().strip_prefix("nameserver")?.trim().parse().ok())
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
            "[fd00:ec2::254]:80",
            "168.63.129.16:80",
            "224.0.0.1:80",
            "255.255.255.255:80",
            "[ff02::1]:80",
        ] {
            assert!(!is_elsewhere(here.parse().unwrap()), "{here}");
        }
        for there in ["192.0.2.7:80", "[2001:db8::7]:80", "[::ffff:192.0.2.7]:443"] {
            assert!(is_elsewhere(there.parse().unwrap()), "{there}");
        }
    }

    #[test]
    fn name_servers_are_found_in_the_settings() {
        let settings = "# a comment\nnameserver 127.0.0.53\n nameserver  fd00::1\nnameserver nonsense\nsearch example.org\n";
        let expected: [IpAddr; 2] = ["127.0.0.53".parse().unwrap(), "fd00::1".parse().unwrap()];
        assert_eq!(resolvers(settings).collect::<Vec<_>>(), expected);
    }
}
