//! One connection: encrypted or not, HTTP/1.1 or HTTP/2, and what it becomes after that. It is closed when it is of no use any more.

use std::{
    net::SocketAddr,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use axum::{
    body::Body,
    http::{Request, Response},
};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto,
    service::TowerToHyperService,
};
use tokio::{
    net::TcpStream,
    time::{Instant, sleep_until},
};
use tokio_io_timeout::TimeoutStream;
use tokio_util::sync::CancellationToken;
use tower::service_fn;

use crate::auth::{Arrival, ClientCertificate};

use super::{
    ConnectionRules, Site, client_certificates, origin,
    tls::Certificate,
    upgrade::{Switch, Transport},
    wakes::PolledAgain,
};

/// How often the server asks whether the other end of an HTTP/2 connection is still there.
const PING: Duration = Duration::from_secs(30);
/// Requests of one HTTP/2 connection at the same time.
const STREAMS: u32 = 100;
/// Size of all headers of a request, in bytes.
const HEADERS: u32 = 64 << 10;

/// What all connections of one listener have in common.
#[derive(Debug)]
pub(super) struct Connections {
    site: Site,
    rules: ConnectionRules,
    certificate: Option<Certificate>,
    /// Whether only this machine can reach the listener.
    loopback: bool,
    stopping: CancellationToken,
    http: auto::Builder<TokioExecutor>,
}

impl Connections {
    pub(super) fn new(
        site: Site,
        rules: ConnectionRules,
        certificate: Option<Certificate>,
        loopback: bool,
        stopping: CancellationToken,
    ) -> Self {
        let mut http = auto::Builder::new(TokioExecutor::new());
        if rules.only_http1 {
            http = http.http1_only();
        }
        http.http1().timer(TokioTimer::new()).header_read_timeout(rules.head);
        http.http2()
            .timer(TokioTimer::new())
            .keep_alive_interval(PING)
            .keep_alive_timeout(rules.head)
            .max_concurrent_streams(STREAMS)
            .max_header_list_size(HEADERS);
        Self { site, rules, certificate, loopback, stopping, http }
    }

    /// Serves a connection to its end. It is no error if the client goes away in the middle.
    pub(super) async fn serve(&self, stream: TcpStream, peer: SocketAddr) {
        metrics::gauge!("offshoot_connections").increment(1.0);
        let deadline = Instant::now() + self.rules.head;
        let mut stream = TimeoutStream::new(stream);
        stream.set_write_timeout(self.rules.stall);
        match &self.certificate {
            None => self.http(Box::pin(stream), peer, None, deadline).await,
            Some(certificate) => {
                let encrypted = tokio::select! {
                    encrypted = certificate.acceptor().accept(Box::pin(stream)) => encrypted,
                    () = sleep_until(deadline) => return closed(),
                    () = self.stopping.cancelled() => return closed(),
                };
                match encrypted {
                    Ok(stream) => {
                        let client = client_certificates::shown(stream.get_ref().1).map(Arc::new);
                        self.http(stream, peer, client, deadline).await;
                    }
                    Err(error) => tracing::debug!(client.address = %peer.ip(), %error, "no TLS"),
                }
            }
        }
        closed();
    }

    /// Serves HTTP, and then what the connection has become, if it has become something else.
    async fn http<S: Transport>(&self, stream: S, peer: SocketAddr, client: Option<Arc<ClientCertificate>>, deadline: Instant) {
        let activity = Arc::new(Activity::default());
        let of_requests = Arc::clone(&activity);
        let (site, proxies, https) = (self.site.clone(), Arc::clone(&self.rules.proxies), self.certificate.is_some());
        let loopback = self.loopback;
        let switch = Switch::default();
        let of_connection = switch.clone();
        let service = service_fn(move |request: Request<hyper::body::Incoming>| {
            let call = of_requests.begin();
            let mut request = request.map(Body::new);
            let forwarded = origin::settle(&mut request, peer, https, &proxies);
            if let Some(client) = &client {
                request.extensions_mut().insert(Arc::clone(client));
            }
            request.extensions_mut().insert(of_connection.clone());
            let answer = site.answer(request, Arrival { loopback, forwarded });
            async move {
                let answered: Response<Body> = answer.await;
                drop(call);
                Ok::<_, std::convert::Infallible>(answered)
            }
        });
        let connection = pin!(self.http.serve_connection_with_upgrades(TokioIo::new(stream), TowerToHyperService::new(service)));
        let mut connection = PolledAgain::new(connection);
        let mut stopping = false;
        let mut wake = deadline;
        loop {
            tokio::select! {
                _ = &mut connection => break,
                () = self.stopping.cancelled(), if !stopping => {
                    stopping = true;
                    connection.inner().as_mut().graceful_shutdown();
                }
                () = sleep_until(wake), if !stopping => {
                    wake = match activity.idle_since() {
                        Idle::Never => Instant::now() + self.rules.head,
                        // No request has arrived in all that time: at most a TLS handshake, a preface or half a head.
                        Idle::Always => return,
                        Idle::For(idle) if idle < self.rules.head => Instant::now() + (self.rules.head - idle),
                        Idle::For(_) => {
                            // The client may still be reading an answer: let it be sent to its end.
                            stopping = true;
                            connection.inner().as_mut().graceful_shutdown();
                            continue;
                        }
                    };
                }
            }
        }
        switch.proceed::<S>(self.stopping.clone()).await;
    }
}

fn closed() {
    metrics::gauge!("offshoot_connections").decrement(1.0);
}

/// Whether a connection is in use, and since when it is not.
#[derive(Debug)]
struct Activity {
    calls: AtomicUsize,
    requests: AtomicU64,
    /// When the last call ended, in milliseconds since `start`.
    ended: AtomicU64,
    start: Instant,
}

enum Idle {
    /// It is not idle: something is being answered.
    Never,
    /// It has been idle from the start: there has been no request.
    Always,
    For(Duration),
}

impl Default for Activity {
    fn default() -> Self {
        Self { calls: AtomicUsize::new(0), requests: AtomicU64::new(0), ended: AtomicU64::new(0), start: Instant::now() }
    }
}

impl Activity {
    fn begin(self: &Arc<Self>) -> Call {
        self.calls.fetch_add(1, Ordering::AcqRel);
        self.requests.fetch_add(1, Ordering::AcqRel);
        Call(Arc::clone(self))
    }

    fn idle_since(&self) -> Idle {
        if self.calls.load(Ordering::Acquire) > 0 {
            Idle::Never
        } else if self.requests.load(Ordering::Acquire) == 0 {
            Idle::Always
        } else {
            Idle::For(self.start.elapsed().saturating_sub(Duration::from_millis(self.ended.load(Ordering::Acquire))))
        }
    }
}

struct Call(Arc<Activity>);

impl Drop for Call {
    fn drop(&mut self) {
        let now = u64::try_from(self.0.start.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.0.ended.store(now, Ordering::Release);
        self.0.calls.fetch_sub(1, Ordering::AcqRel);
    }
}
