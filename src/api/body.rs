//! Response bodies in several parts, none of which is copied.

use std::{
    convert::Infallible,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

use crate::worker::channel::Payload;

/// A worker's payload as the bytes of a body: what is mapped stays mapped until it has been sent.
#[must_use]
pub fn bytes_of(payload: Payload) -> Bytes {
    match payload {
        Payload::Inline(bytes) => bytes.into(),
        Payload::Shared(map) => Bytes::from_owner(map),
    }
}

/// Pieces sent one after another, with their length known beforehand. Small ones are put together.
#[derive(Debug)]
pub struct Parts<const N: usize> {
    parts: [Bytes; N],
    next: usize,
}

/// Below this, one copy is cheaper than one more write.
const SMALL: usize = 16 << 10;

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
