//! Calls from this machine: a Unix socket in a folder of the server's, for its administrator's commands.
//!
//! A caller has to be this process's user or root, as the kernel tells (`SO_PEERCRED`), and to know what is in a file beside the socket. The
//! second is for servers whose sessions have the user of the server: where there are no namespaces, the kernel lets a session connect to a
//! socket of its user, but not read the file.

use std::{
    convert::Infallible,
    fs::{self, File, OpenOptions, Permissions},
    io::{self, Write},
    os::{
        fd::AsRawFd,
        unix::fs::{OpenOptionsExt, PermissionsExt},
    },
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use axum::{
    Router,
    body::{Body, Bytes, to_bytes},
    http::{HeaderMap, Method, Request, Response, StatusCode, header},
    response::IntoResponse,
};
use hyper::client::conn::http1::handshake;
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto,
    service::TowerToHyperService,
};
use rustix::fs::{CWD, Mode, OFlags, openat};
use subtle::ConstantTimeEq;
use tokio::{
    net::{UnixListener, UnixStream},
    sync::Semaphore,
    time::timeout,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tower::{ServiceExt, service_fn};

/// The socket in the folder.
const SOCKET: &str = "control";
/// The file with what a caller has to know.
const KEY: &str = "control.key";
/// How long one call may take, with its connection.
const PATIENCE: Duration = Duration::from_secs(30);
/// Calls at the same time.
const PLACES: usize = 32;
/// The largest answer, in bytes.
const LARGEST: usize = 256 << 20;

/// The user id of a caller: an extension of the request.
#[derive(Debug, Clone, Copy)]
pub struct LocalUser(pub u32);

/// The folder in which a server can be called.
#[derive(Debug)]
pub struct LocalPlace(File);

impl LocalPlace {
    /// # Errors
    /// When the folder cannot be opened.
    pub fn of(folder: &Path) -> io::Result<Self> {
        Ok(Self(openat(CWD, folder, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?.into()))
    }

    /// The path of a file in the folder. It is short whatever the folder is called, as that of a socket has to be (unix(7)).
    fn at(&self, name: &str) -> PathBuf {
        PathBuf::from(format!("/proc/self/fd/{}/{name}", self.0.as_raw_fd()))
    }

    /// Begins to listen, in the place of a server that has ended. The caller has seen to it that no other server works in the folder.
    ///
    /// # Errors
    /// When the files cannot be made.
    pub fn listen(self) -> io::Result<LocalListener> {
        self.clear()?;
        let mut random = [0; 32];
        getrandom::fill(&mut random)?;
        let key = hex::encode(random);
        OpenOptions::new().create_new(true).write(true).mode(0o600).open(self.at(KEY))?.write_all(key.as_bytes())?;
        let listener = UnixListener::bind(self.at(SOCKET))?;
        fs::set_permissions(self.at(SOCKET), Permissions::from_mode(0o600))?;
        Ok(LocalListener { place: self, listener, key: key.into() })
    }

    fn clear(&self) -> io::Result<()> {
        for name in [SOCKET, KEY] {
            match fs::remove_file(self.at(name)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        Ok(())
    }

    /// Makes a call; returns the status and the body of the answer.
    ///
    /// # Errors
    /// [`io::ErrorKind::NotFound`] or [`io::ErrorKind::ConnectionRefused`] if no server works in the folder,
    /// [`io::ErrorKind::PermissionDenied`] if this process's user may not call it, and others.
    pub async fn call(&self, method: Method, path: &str) -> io::Result<(StatusCode, Bytes)> {
        timeout(PATIENCE, self.try_call(method, path)).await?
    }

    async fn try_call(&self, method: Method, path: &str) -> io::Result<(StatusCode, Bytes)> {
        let stream = UnixStream::connect(self.at(SOCKET)).await?;
        let key = fs::read_to_string(self.at(KEY))?;
        let (mut sender, connection) = handshake(TokioIo::new(stream)).await.map_err(io::Error::other)?;
        tokio::spawn(connection);
        let request = Request::builder().method(method).uri(path).header(header::HOST, SOCKET).header(header::AUTHORIZATION, key);
        let answer = sender.send_request(request.body(Body::empty()).map_err(io::Error::other)?).await.map_err(io::Error::other)?;
        let (head, body) = answer.into_parts();
        Ok((head.status, to_bytes(Body::new(body), LARGEST).await.map_err(io::Error::other)?))
    }
}

/// Where calls from this machine arrive.
#[derive(Debug)]
pub struct LocalListener {
    place: LocalPlace,
    listener: UnixListener,
    key: Arc<str>,
}

impl LocalListener {
    /// Answers calls until `stopping`; then those that have begun, for at most `patience`.
    pub async fn serve(self, router: Router, stopping: CancellationToken, patience: Duration) {
        let Self { place, listener, key } = self;
        let (tasks, places) = (TaskTracker::new(), Arc::new(Semaphore::new(PLACES)));
        loop {
            let free = tokio::select! {
                free = Arc::clone(&places).acquire_owned() => free,
                () = stopping.cancelled() => break,
            };
            let accepted = tokio::select! {
                accepted = listener.accept() => accepted,
                () = stopping.cancelled() => break,
            };
            let stream = match accepted {
                Ok((stream, _)) => stream,
                Err(error) => {
                    super::accept_failed(&error).await;
                    continue;
                }
            };
            let Some(caller) = caller(&stream) else { continue };
            let call = answer(stream, caller, Arc::clone(&key), router.clone());
            tasks.spawn(async move {
                // Nobody is told of a call that takes too long but its caller, whose connection ends.
                let _ = timeout(PATIENCE, call).await;
                drop(free);
            });
        }
        drop(listener);
        tasks.close();
        let _ = timeout(patience, tasks.wait()).await;
        if let Err(error) = place.clear() {
            tracing::debug!(%error, "the control socket was not removed");
        }
    }
}

/// The caller, if that is somebody who may call.
fn caller(stream: &UnixStream) -> Option<LocalUser> {
    let user = stream.peer_cred().map(|peer| peer.uid()).inspect_err(|error| tracing::debug!(%error, "a caller is unknown")).ok()?;
    let may_call = user == 0 || user == rustix::process::geteuid().as_raw();
    if !may_call {
        tracing::warn!(user.id = user, "a call by the control socket was refused: the caller is another user");
    }
    may_call.then_some(LocalUser(user))
}

/// Answers the one request of a connection.
async fn answer(stream: UnixStream, caller: LocalUser, key: Arc<str>, router: Router) {
    let service = service_fn(move |request: Request<hyper::body::Incoming>| {
        let (router, knows) = (router.clone(), knows(request.headers(), &key));
        async move {
            if !knows {
                tracing::warn!(user.id = caller.0, "a call by the control socket was refused: the caller does not know its key");
                return Ok::<Response<Body>, Infallible>(StatusCode::FORBIDDEN.into_response());
            }
            let mut request = request.map(Body::new);
            request.extensions_mut().insert(caller);
            router.oneshot(request).await
        }
    });
    let mut http = auto::Builder::new(TokioExecutor::new()).http1_only();
    http.http1().keep_alive(false);
    if let Err(error) = http.serve_connection(TokioIo::new(stream), TowerToHyperService::new(service)).await {
        tracing::debug!(error, "a call by the control socket was not answered");
    }
}

fn knows(headers: &HeaderMap, key: &str) -> bool {
    headers.get(header::AUTHORIZATION).is_some_and(|said| said.as_bytes().ct_eq(key.as_bytes()).into())
}
