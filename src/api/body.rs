//! Bodies of requests, read up to a limit, and bodies of responses in several parts. Neither is copied.

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

/// How long we go on reading a body that is too large, so that the client gets to read our answer.
const LINGER: Duration = Duration::from_secs(10);

/// Below this size, a copy is cheaper than another write or another piece.
const SMALL: usize = 16 << 10;

/// The largest body that is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limit {
    /// MiB, for clients that the server knows.
    Mib(u64),
    /// KiB, for clients that have not logged in.
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
    /// The body is larger than this.
    #[error("The request is larger than {0}.")]
    TooLarge(Limit),
    /// The body did not arrive in time.
    #[error("The request did not arrive in time.")]
    TooSlow,
    /// The connection, or the encoding of the body, is broken.
    #[error("The request could not be read: {0}")]
    Broken(axum::Error),
}

impl BodyError {
    /// The status in HTTP.
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

/// Reads a body as the pieces in which it came; large pieces are not copied.
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

/// Joins the pieces.
#[must_use]
pub fn joined(mut pieces: Vec<Bytes>) -> Bytes {
    pieces.retain(|piece| !piece.is_empty());
    match pieces.len() {
        0 | 1 => pieces.pop().unwrap_or_default(),
        _ => pieces.concat().into(),
    }
}

/// The pieces of a body. Waiting for any one of them fails after `patience`.
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
    // `fuse`, because a caller that drains the rest may ask again after the end.
    Box::pin(futures_util::stream::unfold(Some(pieces), next).fuse())
}

/// Reads the rest of a body and throws it away. A connection that is closed while data is unread is reset, and the client may then lose the
/// answer.
pub async fn drain(mut rest: impl Stream<Item = Result<Bytes, impl Sized>> + Unpin) {
    let read = async { while let Some(Ok(_)) = rest.next().await {} };
    let _ = tokio::time::timeout(LINGER, read).await;
}

/// Stops reading a body. The answer goes out at once; a task drains the rest, so that a client that is still sending gets to read the
/// answer.
pub fn leave(rest: impl Stream<Item = Result<Bytes, impl Sized + 'static>> + Unpin + Send + 'static) {
    tokio::spawn(drain(rest));
}

/// Pieces that are sent one after another; their total length is known beforehand. Small pieces are joined.
#[derive(Debug)]
pub struct PartsBody<const N: usize> {
    parts: [Bytes; N],
    next: usize,
}

impl<const N: usize> PartsBody<N> {
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

impl<const N: usize> Body for PartsBody<N> {
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

/// Decodes UTF-8, or Latin-1 if the bytes are not UTF-8.
#[must_use]
pub fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap_or_else(|error| from_latin1(error.as_bytes()))
}

/// Decodes Latin-1: each byte is the character of the same number.
#[must_use]
pub fn from_latin1(bytes: &[u8]) -> String {
    bytes.iter().map(|&byte| char::from(byte)).collect()
}
