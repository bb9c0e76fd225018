//! Bodies: requests read up to a limit, and responses in several parts, none of which is copied.

use std::{
    convert::Infallible,
    fmt,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use axum::http::{HeaderMap, StatusCode, header};
use bytes::{Bytes, BytesMut};
use futures_util::{Stream, StreamExt};
use http_body::{Body, Frame, SizeHint};

use crate::config;

/// How long a body that is too large is still read, so that its sender gets to read the answer.
const LINGER: Duration = Duration::from_secs(10);

/// Below this, one copy is cheaper than one more write, or one more piece.
const SMALL: usize = 16 << 10;

/// Most that a body may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limit {
    /// So many MiB, of those whom the server knows.
    Mib(u64),
    /// So many KiB, of those who have not logged in.
    AnonymousKib(u64),
}

impl Limit {
    fn bytes(self) -> usize {
        let bytes = match self {
            Self::Mib(mib) => mib.saturating_mul(1 << 20),
            Self::AnonymousKib(kib) => kib.saturating_mul(1 << 10),
        };
        usize::try_from(bytes).unwrap_or(usize::MAX)
    }
}

impl fmt::Display for Limit {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Mib(mib) => write!(formatter, "{mib} MiB, which is the most this server takes"),
            Self::AnonymousKib(kib) => {
                write!(formatter, "{kib} KiB, which is the most this server takes without a login (http.anonymous_form_kib): log in first")
            }
        }
    }
}

/// A body could not be read.
#[derive(Debug, thiserror::Error)]
pub enum BodyError {
    /// It is larger than this.
    #[error("The request is larger than {0}.")]
    TooLarge(Limit),
    /// It did not arrive in time.
    #[error("The request did not arrive in time.")]
    TooSlow,
    /// The connection, or the encoding of the body, is broken.
    #[error("The request could not be read: {0}")]
    Broken(axum::Error),
}

impl BodyError {
    /// What it is in HTTP.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        match self {
            Self::TooLarge(_) => StatusCode::PAYLOAD_TOO_LARGE,
            Self::TooSlow => StatusCode::REQUEST_TIMEOUT,
            Self::Broken(_) => StatusCode::BAD_REQUEST,
        }
    }
}

/// Reads a body into memory.
///
/// # Errors
/// [`BodyError`]
pub async fn read(http: &config::Http, limit: Limit, headers: &HeaderMap, body: axum::body::Body) -> Result<Bytes, BodyError> {
    collect(http, limit, headers, body).await.map(joined)
}

/// The same, in pieces as they came, large ones without a copy.
///
/// # Errors
/// [`BodyError`]
pub async fn collect(http: &config::Http, limit: Limit, headers: &HeaderMap, body: axum::body::Body) -> Result<Vec<Bytes>, BodyError> {
    let announced = headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<usize>().ok());
    let mut rest = body.into_data_stream();
    if announced.is_some_and(|announced| announced > limit.bytes()) {
        drain(rest).await;
        return Err(BodyError::TooLarge(limit));
    }
    let (mut pieces, mut small, mut left) = (Vec::new(), BytesMut::new(), limit.bytes());
    let reading = async {
        while let Some(piece) = rest.next().await.transpose().map_err(BodyError::Broken)? {
            left = left.checked_sub(piece.len()).ok_or(BodyError::TooLarge(limit))?;
            if piece.len() >= SMALL {
                pieces.extend([small.split().freeze(), piece]);
            } else {
                small.extend_from_slice(&piece);
            }
        }
        pieces.push(small.freeze());
        Ok(pieces)
    };
    let read = tokio::time::timeout(Duration::from_secs(http.form_seconds.max(1)), reading).await;
    if matches!(read, Ok(Err(BodyError::TooLarge(_)))) {
        drain(rest).await;
    }
    read.unwrap_or(Err(BodyError::TooSlow))
}

/// The pieces as one.
#[must_use]
pub fn joined(mut pieces: Vec<Bytes>) -> Bytes {
    pieces.retain(|piece| !piece.is_empty());
    match pieces.len() {
        0 | 1 => pieces.pop().unwrap_or_default(),
        _ => pieces.concat().into(),
    }
}

/// The pieces of a body, each of which has so long to come.
pub fn patient<S>(pieces: S, patience: Duration) -> impl Stream<Item = Result<Bytes, BodyError>> + Unpin + Send
where
    S: Stream<Item = Result<Bytes, axum::Error>> + Unpin + Send,
{
    let next = move |pieces: Option<S>| async move {
        let mut pieces = pieces?;
        match tokio::time::timeout(patience, pieces.next()).await {
            Ok(piece) => Some((piece?.map_err(BodyError::Broken), Some(pieces))),
            Err(_) => Some((Err(BodyError::TooSlow), None)),
        }
    };
    // Whoever drains what is left may ask again after the end.
    Box::pin(futures_util::stream::unfold(Some(pieces), next).fuse())
}

/// Reads the rest of a body and forgets it: a connection that is closed on unread data is reset, and the answer
/// may be lost with it.
pub async fn drain(mut rest: impl Stream<Item = Result<Bytes, impl Sized>> + Unpin) {
    let read = async { while let Some(Ok(_)) = rest.next().await {} };
    let _ = tokio::time::timeout(LINGER, read).await;
}

/// Leaves a body of which nothing more is wanted: the answer goes out at once, and whoever is still sending gets to read
/// it.
pub fn leave(rest: impl Stream<Item = Result<Bytes, impl Sized + 'static>> + Unpin + Send + 'static) {
    tokio::spawn(drain(rest));
}

/// Pieces sent one after another, with their length known beforehand. Small ones are put together.
#[derive(Debug)]
pub struct Parts<const N: usize> {
    parts: [Bytes; N],
    next: usize,
}

impl<const N: usize> Parts<N> {
    /// A body of these parts.
    #[must_use]
    pub fn new(mut parts: [Bytes; N]) -> Self {
        if parts.iter().map(Bytes::len).sum::<usize>() <= SMALL {
            let whole = Bytes::from(parts.concat());
            parts = [const { Bytes::new() }; N];
            parts[N - 1] = whole;
        }
        Self { parts, next: 0 }
    }
}

impl<const N: usize> Body for Parts<N> {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        while self.next < N {
            let at = self.next;
            self.next += 1;
            let part = std::mem::take(&mut self.parts[at]);
            if !part.is_empty() {
                return Poll::Ready(Some(Ok(Frame::data(part))));
            }
        }
        Poll::Ready(None)
    }

    fn is_end_stream(&self) -> bool {
        self.parts.iter().all(Bytes::is_empty)
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.parts.iter().map(|part| part.len() as u64).sum())
    }
}

/// Text in UTF-8, or else in Latin-1.
#[must_use]
pub fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap_or_else(|error| from_latin1(error.as_bytes()))
}

/// Text in Latin-1: each byte is its character.
#[must_use]
pub fn from_latin1(bytes: &[u8]) -> String {
    bytes.iter().map(|&byte| char::from(byte)).collect()
}
