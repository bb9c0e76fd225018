//! The listeners: opened here, or passed on by systemd (sd_listen_fds(3), sd_notify(3)).

use std::net::SocketAddr;

use anyhow::Context;
use listenfd::ListenFd;
use sd_notify::NotifyState;
use tokio::net::TcpListener;

use crate::{config::Config, server, with_sources};

/// A socket that was passed on, and whether its connections are encrypted.
#[derive(Debug)]
pub(super) struct Passed {
    listener: std::net::TcpListener,
    https: bool,
}

/// The sockets that systemd has opened. One is for HTTPS if `listen` has an `https://` address with its port.
pub(super) fn sockets(passed: &mut ListenFd, config: &Config) -> anyhow::Result<Vec<Passed>> {
    let mut sockets = Vec::new();
    for index in 0..passed.len() {
        let listener = passed.take_tcp_listener(index).context("a socket of systemd's cannot be used")?;
        let Some(listener) = listener else { continue };
        listener.set_nonblocking(true)?;
        let port = listener.local_addr()?.port();
        let https = config.listen.iter().any(|listen| listen.https && listen.address.port() == port);
        sockets.push(Passed { listener, https });
    }
    Ok(sockets)
}

/// All listeners.
#[derive(Debug)]
pub(super) struct Listeners {
    /// Those of the APIs, and whether their connections are encrypted.
    pub(super) public: Vec<(TcpListener, bool)>,
    /// Those of remote workspaces, and whether their connections are encrypted.
    pub(super) workspaces: Vec<(TcpListener, bool)>,
    /// Those of the measurements.
    pub(super) metrics: Vec<TcpListener>,
}

impl Listeners {
    /// Opens the addresses of the configuration. If systemd has passed sockets on, they are used instead of `listen`.
    pub(super) async fn open(config: &Config, passed: Vec<Passed>) -> anyhow::Result<Self> {
        let mut public = Vec::new();
        for Passed { listener, https } in passed {
            public.push((TcpListener::from_std(listener)?, https));
        }
        if public.is_empty() {
            for listen in &config.listen {
                public.push((server::bind(listen.address).await?, listen.https));
            }
        }
        let mut workspaces = Vec::new();
        for listen in config.workspace_listeners().map_err(anyhow::Error::msg)?.0 {
            workspaces.push((server::bind(listen.address).await?, listen.https));
        }
        let mut metrics = Vec::new();
        for &address in &config.metrics.listen {
            metrics.push(server::bind(address).await.map_err(|error| anyhow::anyhow!("metrics.{}", with_sources(&error)))?);
        }
        Ok(Self { public, workspaces, metrics })
    }
}

impl Listeners {
    /// Listens on those of these ports of this machine, for HTTP, that nobody else has.
    pub(super) async fn add_free(&mut self, ports: &[u16]) {
        for &port in ports {
            match server::bind(SocketAddr::from(([127, 0, 0, 1], port))).await {
                Ok(listener) => self.public.push((listener, false)),
                Err(error) => tracing::info!(error = with_sources(&error), "a port that clients may try is taken"),
            }
        }
    }
}

/// Tells systemd how the server is, if systemd has started it.
pub(super) fn notify(state: NotifyState<'_>) {
    if let Err(error) = sd_notify::notify(&[state]) {
        tracing::warn!(%error, "systemd could not be told");
    }
}
