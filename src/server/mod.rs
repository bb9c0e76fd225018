//! Listening: connections in, requests to the router, and an orderly end.
//!
//! [`serve`] accepts connections, and `connection` serves each of them. [`tls`] has the certificate, and `origin` finds out
//! who has sent a request that came by a proxy. A connection can become something else than HTTP ([`upgrade`]), such as a [`websocket`]. [`requests`] follows each for the log. A [`Site`] is what a listener serves; [`layers`] has what every request
//! passes, whatever it asks for.

mod client_certificates;
mod connection;
pub mod layers;
pub mod local;
mod origin;
pub mod requests;
mod self_signed;
mod site;
pub mod tls;
pub mod upgrade;
mod wakes;
pub mod websocket;

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use ipnet::IpNet;
use rustix::net::sockopt::{set_socket_keepalive, set_tcp_keepcnt, set_tcp_keepidle, set_tcp_keepintvl};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Semaphore,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::config;
use connection::Connections;
pub use site::Site;
use tls::Certificate;

/// The pause after an accept that failed, most often for want of descriptors.
const PAUSE: Duration = Duration::from_millis(100);
/// After how much silence the kernel asks whether the other end of a connection is there, how often it asks again, and how many times.
const KEEP_IDLE: Duration = Duration::from_mins(2);
const KEEP_ASKING: Duration = Duration::from_secs(20);
const KEEP_TRIES: u32 = 4;
/// Descriptors that are kept for other things than connections: the store, the log, published files, listeners.
const OTHER_DESCRIPTORS: usize = 512;
/// Descriptors that each session takes; one of them is for its connections, if the server makes these.
const OF_A_SESSION: usize = 6;

/// What holds for the connections of all listeners; cheap to clone.
#[derive(Debug, Clone)]
pub struct ConnectionRules {
    /// How long a client may take to send the head of a request, and how long a connection may be idle.
    head: Duration,
    /// For how long a client may stop reading.
    stall: Option<Duration>,
    proxies: Arc<[IpNet]>,
    /// Whether HTTP/2 is not spoken.
    only_http1: bool,
    places: Arc<Semaphore>,
}

impl ConnectionRules {
    /// The rules of the configuration. There are never more connections than descriptors for them.
    ///
    /// # Errors
    /// [`SettingError`]
    pub fn new(config: &config::Http, sessions: usize) -> Result<Self, SettingError> {
        let most = rustix::process::getrlimit(rustix::process::Resource::Nofile).current.and_then(|most| usize::try_from(most).ok());
        let left = most.map_or(usize::MAX, |most| most.saturating_sub(descriptors_beside_connections(sessions)).max(most / 4));
        if left < config.connections {
            tracing::warn!(
                "there are descriptors for {left} connections, and not for http.connections = {}: raise the limit on open files",
                config.connections
            );
        }
        Ok(Self {
            head: Duration::from_secs(config.head_seconds.max(1)),
            stall: Some(Duration::from_secs(config.stall_seconds)).filter(|stall| !stall.is_zero()),
            proxies: config.proxies().map_err(SettingError)?.into(),
            only_http1: false,
            places: Arc::new(Semaphore::new(config.connections.min(left).min(Semaphore::MAX_PERMITS))),
        })
    }

    /// The same rules for a listener that speaks HTTP/1.1 only, as one has to whose connections become something else.
    #[must_use]
    pub fn only_http1(&self) -> Self {
        Self { only_http1: true, ..self.clone() }
    }

    /// The same rules with places of their own, for a listener that has to answer when the others are full.
    #[must_use]
    pub fn apart(&self, places: usize) -> Self {
        Self { places: Arc::new(Semaphore::new(places)), ..self.clone() }
    }
}

/// How many descriptors a server with so many sessions has open that are not connections.
#[must_use]
pub fn descriptors_beside_connections(sessions: usize) -> usize {
    OTHER_DESCRIPTORS + sessions * OF_A_SESSION
}

/// Opens a listener.
///
/// # Errors
/// [`BindError`]
pub async fn bind(address: SocketAddr) -> Result<TcpListener, BindError> {
    TcpListener::bind(address).await.map_err(|error| BindError(address, error))
}

/// An address cannot be listened on.
#[derive(Debug, thiserror::Error)]
#[error("listen: {0}")]
pub struct BindError(SocketAddr, #[source] io::Error);

/// A setting is wrong. A sentence that names it.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct SettingError(String);

/// Serves `listener` until `stopping`; then answers what has been asked, for at most `patience`. Connections are
/// encrypted if there is a certificate.
pub async fn serve(
    listener: TcpListener,
    certificate: Option<Certificate>,
    site: Site,
    rules: ConnectionRules,
    stopping: CancellationToken,
    patience: Duration,
) {
    let tasks = TaskTracker::new();
    let loopback = listener.local_addr().is_ok_and(|address| address.ip().to_canonical().is_loopback());
    let certificate = certificate.map(|certificate| if rules.only_http1 { certificate.only_http1() } else { certificate });
    let connections = Arc::new(Connections::new(site, rules.clone(), certificate, loopback, stopping.clone()));
    loop {
        // A client that finds no place waits in the kernel's queue.
        let place = tokio::select! {
            place = Arc::clone(&rules.places).acquire_owned() => place,
            () = stopping.cancelled() => break,
        };
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = stopping.cancelled() => break,
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                accept_failed(&error).await;
                continue;
            }
        };
        prepare(&stream);
        let connections = Arc::clone(&connections);
        tasks.spawn(async move {
            connections.serve(stream, peer).await;
            drop(place);
        });
    }
    drop(listener);
    tasks.close();
    if tokio::time::timeout(patience, tasks.wait()).await.is_err() {
        tracing::warn!("some requests were still running when the server stopped");
    }
}

fn prepare(stream: &TcpStream) {
    // Answers are written as a whole, so that waiting for more to send (Nagle's algorithm) only delays them.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "TCP_NODELAY could not be set");
    }
    // So the kernel finds out that the other end has gone, where nobody else asks.
    let kept = set_socket_keepalive(stream, true)
        .and_then(|()| set_tcp_keepidle(stream, KEEP_IDLE))
        .and_then(|()| set_tcp_keepintvl(stream, KEEP_ASKING))
        .and_then(|()| set_tcp_keepcnt(stream, KEEP_TRIES));
    if let Err(error) = kept {
        tracing::debug!(%error, "SO_KEEPALIVE could not be set");
    }
}

async fn accept_failed(error: &io::Error) {
    let of_the_client = matches!(error.kind(), io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset);
    if !of_the_client {
        tracing::error!(%error, "no connection can be accepted");
        tokio::time::sleep(PAUSE).await;
    }
}
