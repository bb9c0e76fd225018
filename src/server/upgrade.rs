//! Connections that become something else than HTTP (RFC 9110, section 7.8).
//!
//! A request of HTTP/1.1 has a [`Switch`] as an extension. Whoever answers it with 101 leaves there what is to happen next. The task of the
//! connection does that when the answer is sent, so that the connection keeps its place among the limits, and the server waits for it when
//! it stops.

use std::{
    io,
    pin::Pin,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use axum::extract::Request;
use bytes::{Buf, Bytes};
use futures_util::future::BoxFuture;
use hyper::upgrade::OnUpgrade;
use hyper_util::{rt::TokioIo, server::conn::auto};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
    time::Instant,
};
use tokio_io_timeout::TimeoutStream;
use tokio_rustls::server::TlsStream;
use tokio_util::sync::CancellationToken;

/// What happens with a connection after the answer; the token is cancelled when the server stops.
type Next = Box<dyn FnOnce(Upgraded, CancellationToken) -> BoxFuture<'static, ()> + Send>;

/// Where the next use of a connection is left.
#[derive(Clone, Default)]
pub struct Switch(Arc<Mutex<Option<(OnUpgrade, Next)>>>);

impl std::fmt::Debug for Switch {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Switch").finish_non_exhaustive()
    }
}

/// A request whose connection can be used for something else.
#[derive(Debug)]
pub struct Upgradable(Switch, OnUpgrade);

impl Upgradable {
    /// Takes the connection of a request; `None` if it can only be used for HTTP.
    #[must_use]
    pub fn of(request: &mut Request) -> Option<Self> {
        let extensions = request.extensions_mut();
        Some(Self(extensions.get::<Switch>()?.clone(), extensions.remove::<OnUpgrade>()?))
    }

    /// Has this happen when the answer, which must be 101, is sent. If the client does not wait for it, nothing happens.
    pub fn then<F: Future<Output = ()> + Send + 'static>(self, next: impl FnOnce(Upgraded, CancellationToken) -> F + Send + 'static) {
        let Self(switch, upgrade) = self;
        let next: Next = Box::new(move |stream, stopping| Box::pin(next(stream, stopping)));
        *switch.0.lock().unwrap_or_else(PoisonError::into_inner) = Some((upgrade, next));
    }
}

impl Switch {
    /// Does what was left here, if anything was, with a connection that is done with HTTP. `S` is its stream.
    pub(super) async fn proceed<S: Transport>(&self, stopping: CancellationToken) {
        let left = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some((upgrade, next)) = left else { return };
        // Without an answer, there is no connection either.
        let Ok(upgraded) = upgrade.await else { return };
        match auto::upgrade::downcast::<TokioIo<S>>(upgraded) {
            Ok(parts) => {
                let mut stream = parts.io.into_inner();
                stream.set_stall(None);
                next(Upgraded::new(stream, parts.read_buf), stopping).await;
            }
            Err(_) => tracing::error!("a connection is not what it was before"),
        }
    }
}

/// The stream of a connection, as it was accepted.
pub trait Transport: AsyncRead + AsyncWrite + Unpin + Send + 'static {
    /// For how long the other end may stop reading; `None` is for ever.
    fn set_stall(&mut self, stall: Option<Duration>);
}

impl Transport for Pin<Box<TimeoutStream<TcpStream>>> {
    fn set_stall(&mut self, stall: Option<Duration>) {
        self.as_mut().set_write_timeout_pinned(stall);
    }
}

impl Transport for TlsStream<Pin<Box<TimeoutStream<TcpStream>>>> {
    fn set_stall(&mut self, stall: Option<Duration>) {
        self.get_mut().0.set_stall(stall);
    }
}

/// A connection after HTTP. It notes when something was last received, which tells whether the other end is still there.
pub struct Upgraded {
    /// What was received together with the request.
    first: Bytes,
    stream: Box<dyn Transport>,
    heard: LastHeard,
}

impl std::fmt::Debug for Upgraded {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Upgraded").finish_non_exhaustive()
    }
}

/// When something was last received on a connection.
#[derive(Debug, Clone)]
pub struct LastHeard(Arc<(Instant, AtomicU64)>);

impl LastHeard {
    fn now(&self) {
        self.0.1.store(u64::try_from(self.0.0.elapsed().as_millis()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// How long ago that was.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        self.0.0.elapsed().saturating_sub(Duration::from_millis(self.0.1.load(Ordering::Relaxed)))
    }
}

impl Upgraded {
    fn new(stream: impl Transport, first: Bytes) -> Self {
        Self { first, stream: Box::new(stream), heard: LastHeard(Arc::new((Instant::now(), AtomicU64::new(0)))) }
    }

    /// When something was last received.
    #[must_use]
    pub fn heard(&self) -> LastHeard {
        self.heard.clone()
    }
}

impl AsyncRead for Upgraded {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.first.has_remaining() {
            let count = self.first.len().min(buffer.remaining());
            buffer.put_slice(&self.first.split_to(count));
            return Poll::Ready(Ok(()));
        }
        let before = buffer.filled().len();
        let polled = Pin::new(&mut *self.stream).poll_read(context, buffer);
        if buffer.filled().len() > before {
            self.heard.now();
        }
        polled
    }
}

impl AsyncWrite for Upgraded {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut *self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.stream).poll_shutdown(context)
    }
}
