//! Forms in parts (`multipart/form-data`, RFC 7578), read piece by piece. Everything that a client can make large or numerous has a bound,
//! so that a form takes no more memory than its pieces, and no more time than its size justifies.

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    task::{Context, Poll},
};

use axum::http::{HeaderMap, header};
use bytes::{Bytes, BytesMut};
use futures_util::Stream;
use multer::{Constraints, Field, Multipart};

use super::{
    body::BodyError,
    form::{Invalid, too_many},
};

/// Longest head of a part, and longest text before the first part, in bytes. They have to be short because the parser searches them from
/// their beginning each time a piece arrives.
const HEAD: usize = 8 << 10;

/// Why reading a form stopped.
#[derive(Debug, thiserror::Error)]
pub enum PartsError {
    /// Its body could not be read.
    #[error(transparent)]
    Body(BodyError),
    /// The form has too many parts.
    #[error("{}", .0.0)]
    TooMany(Invalid),
    /// A part begins with more bytes than a head may have.
    #[error("the head of a part is larger than {} KiB", HEAD >> 10)]
    Head,
    /// The form, or one of its parts, is larger than the caller takes.
    #[error("it is too large")]
    TooLarge,
    /// The body is not a form in parts.
    #[error(transparent)]
    Form(multer::Error),
}

impl From<multer::Error> for PartsError {
    fn from(error: multer::Error) -> Self {
        match error {
            multer::Error::FieldSizeExceeded { .. } | multer::Error::StreamSizeExceeded { .. } => Self::TooLarge,
            multer::Error::StreamReadFailed(error) => match error.downcast::<Self>() {
                Ok(ours) => *ours,
                Err(error) => Self::Form(multer::Error::StreamReadFailed(error)),
            },
            error => Self::Form(error),
        }
    }
}

/// The boundary between the parts of a form, if the form has parts.
#[must_use]
pub fn boundary(headers: &HeaderMap) -> Option<String> {
    multer::parse_boundary(headers.get(header::CONTENT_TYPE)?.to_str().ok()?).ok()
}

/// A form in parts.
#[derive(Debug)]
pub struct Parts<'b> {
    form: Multipart<'b>,
    most: usize,
    left: usize,
    progress: Arc<Progress>,
}

/// How far the parser has got with the pieces that it was given.
#[derive(Debug, Default)]
struct Progress {
    /// Bytes given to the parser since it last produced something.
    unread: AtomicUsize,
    /// The parser has to look at what it has before it is given more.
    wait: AtomicBool,
}

impl Progress {
    fn made(&self) {
        self.unread.store(0, Ordering::Relaxed);
        self.wait.store(true, Ordering::Relaxed);
    }
}

impl<'b> Parts<'b> {
    /// Reads a body with at most this many parts.
    pub fn new<S>(pieces: S, boundary: String, most: usize, constraints: Constraints) -> Self
    where
        S: Stream<Item = Result<Bytes, BodyError>> + Unpin + Send + 'b,
    {
        let progress = Arc::<Progress>::default();
        let pieces = OneByOne { pieces, progress: Arc::clone(&progress) };
        Self { form: Multipart::with_constraints(pieces, boundary, constraints), most, left: most, progress }
    }

    /// The next part. What is left of the part before is skipped.
    ///
    /// # Errors
    /// [`PartsError`]
    pub async fn next(&mut self) -> Result<Option<Part<'b>>, PartsError> {
        let Some(field) = self.form.next_field().await? else { return Ok(None) };
        self.progress.made();
        self.left = self.left.checked_sub(1).ok_or_else(|| PartsError::TooMany(too_many(self.most)))?;
        Ok(Some(Part { field, progress: Arc::clone(&self.progress) }))
    }
}

/// A part of a form.
#[derive(Debug)]
pub struct Part<'b> {
    field: Field<'b>,
    progress: Arc<Progress>,
}

impl Part<'_> {
    /// The name of the form's parameter.
    #[must_use]
    pub fn name(&self) -> &str {
        self.field.name().unwrap_or_default().trim()
    }

    /// The name of the file on the client's machine, without folders.
    #[must_use]
    pub fn file_name(&self) -> Option<&str> {
        self.field.file_name().map(|name| name.rsplit(['/', '\\']).next().unwrap_or(name))
    }

    /// The next piece of the part's content.
    ///
    /// # Errors
    /// [`PartsError`]
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, PartsError> {
        let chunk = self.field.chunk().await?;
        self.progress.made();
        Ok(chunk)
    }

    /// The whole content, of at most `left` bytes. Its size is subtracted from `left`.
    ///
    /// # Errors
    /// [`PartsError`]
    pub async fn content(&mut self, left: &mut usize) -> Result<Bytes, PartsError> {
        let mut content = BytesMut::new();
        while let Some(chunk) = self.chunk().await? {
            *left = left.checked_sub(chunk.len()).ok_or(PartsError::TooLarge)?;
            content.extend_from_slice(&chunk);
        }
        Ok(content.freeze())
    }

    /// Skips the rest of the content.
    ///
    /// # Errors
    /// [`PartsError`]
    pub async fn skip(&mut self) -> Result<(), PartsError> {
        while self.chunk().await?.is_some() {}
        Ok(())
    }
}

/// Gives the parser one piece at a time, because by itself it takes all pieces that are there before it looks at any. It gets no more
/// pieces if it has made nothing of those before.
struct OneByOne<S> {
    pieces: S,
    progress: Arc<Progress>,
}

impl<S: Stream<Item = Result<Bytes, BodyError>> + Unpin> Stream for OneByOne<S> {
    type Item = Result<Bytes, PartsError>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.progress.wait.swap(false, Ordering::Relaxed) {
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        if self.progress.unread.load(Ordering::Relaxed) > HEAD {
            return Poll::Ready(Some(Err(PartsError::Head)));
        }
        let piece = std::task::ready!(Pin::new(&mut self.pieces).poll_next(context));
        if let Some(Ok(piece)) = &piece {
            self.progress.unread.fetch_add(piece.len(), Ordering::Relaxed);
            self.progress.wait.store(true, Ordering::Relaxed);
        }
        Poll::Ready(piece.map(|piece| piece.map_err(PartsError::Body)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads a form in pieces of `cut` bytes. Returns its parts, and how many bytes of the form were taken.
    fn read(body: &[u8], cut: usize, most: usize) -> (Result<Vec<(String, Bytes)>, PartsError>, usize) {
        let taken = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&taken);
        let pieces = futures_util::stream::iter(body.chunks(cut).map(move |piece| {
            counted.fetch_add(piece.len(), Ordering::Relaxed);
            Ok(Bytes::copy_from_slice(piece))
        }));
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let read = runtime.block_on(async {
            let mut parts = Parts::new(pieces, "b".to_owned(), most, Constraints::new());
            let (mut read, mut left) = (Vec::new(), 1 << 20);
            while let Some(mut part) = parts.next().await? {
                let name = part.name().to_owned();
                read.push((name, part.content(&mut left).await?));
            }
            Ok(read)
        });
        (read, taken.load(Ordering::Relaxed))
    }

    fn part(name: &str, content: &str) -> String {
        format!("--b\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{content}\r\n")
    }

    #[test]
    fn parts_are_read_however_they_are_cut() {
        let large = "x".repeat(100_000);
        let body = format!("before\r\n{}{}{}--b--\r\nafter", part("a", "1\r\n--c"), part("b", &large), part("a", ""));
        for cut in [1, 2, 3, 7, 1000, 64 << 10, body.len()] {
            let parts = read(body.as_bytes(), cut, 3).0.unwrap();
            let parts: Vec<_> = parts.iter().map(|(name, content)| (name.as_str(), &content[..])).collect();
            assert_eq!(parts, [("a", &b"1\r\n--c"[..]), ("b", large.as_bytes()), ("a", b"")], "{cut}");
        }
    }

    #[test]
    fn more_parts_than_allowed_are_refused_where_they_begin() {
        let body = part("a", "1").repeat(160_000);
        let (read, taken) = read(body.as_bytes(), 1000, 1000);
        assert!(matches!(read, Err(PartsError::TooMany(_))));
        assert!(taken < part("a", "1").len() * 1001 + 2000, "{taken}");
    }

    #[test]
    fn what_is_no_part_ends_soon_and_is_not_collected() {
        let head = |name: &str| format!("--b\r\n{name}: ").into_bytes();
        for begin in [b"".to_vec(), head("Content-Disposition"), b"--b ".to_vec(), [part("a", "1").into_bytes(), head("X")].concat()] {
            for filler in ["x", " ", "--", "-"] {
                for cut in [1, 100, 4096] {
                    let body = [begin.clone(), filler.repeat(1 << 20).into_bytes()].concat();
                    let (read, taken) = read(&body, cut, 1000);
                    assert!(read.is_err());
                    assert!(taken <= begin.len() + HEAD + 2 * cut, "{filler:?} {cut}: {taken}");
                }
            }
        }
    }
}
