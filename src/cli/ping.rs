//! `offshoot ping`: whether the server of these settings can open sessions. For health checks.

use std::{
    io::{Read, Write},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream},
    time::Duration,
};

use anyhow::{Context, bail};

use super::Settings;

/// What the server may take to answer.
const PATIENCE: Duration = Duration::from_secs(5);

pub(super) fn run(settings: &Settings) -> anyhow::Result<()> {
    let config = settings.config()?;
    let plain = config.listen.iter().filter(|listen| !listen.https).map(|listen| listen.address);
    let Some(address) = config.metrics.listen.iter().copied().chain(plain).next() else {
        bail!("there is no address to ask by HTTP: set metrics.listen");
    };
    let address = here(address);
    let answer = ask(address, "/_ready").with_context(|| address.to_string())?;
    let status = answer.lines().next().unwrap_or_default();
    if status.split(' ').nth(1) != Some("200") {
        let body = answer.split_once("\r\n\r\n").map(|(_, body)| body).unwrap_or_default();
        bail!("{address}: not ready: {status} {body}");
    }
    Ok(())
}

/// An address at which a server that listens everywhere is found.
fn here(address: SocketAddr) -> SocketAddr {
    let host = match address.ip() {
        IpAddr::V4(host) if host.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(host) if host.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        host => host,
    };
    SocketAddr::new(host, address.port())
}

/// What is answered to a GET, head and body.
pub(super) fn ask(address: SocketAddr, path: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    write!(stream, "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}
