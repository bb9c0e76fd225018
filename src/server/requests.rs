//! One line in the log for each request, and its measurements.
//!
//! The line has no query, and nothing of what was sent or answered. Dialects add by [`Notes`] what only they know.

use std::{
    cell::RefCell,
    collections::HashMap,
    pin::Pin,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll},
    time::Instant,
};

use axum::{
    body::{Body, Bytes},
    extract::Request,
    http::{HeaderName, HeaderValue, Method, StatusCode, header},
    response::Response,
};
use http_body::{Body as _, Frame, SizeHint};
use metrics::{Counter, Histogram, counter, histogram};
use tracing::{Instrument, Span};
use uuid::Uuid;

use crate::{
    auth::origin::client_address,
    telemetry::{REQUEST_SPAN, REQUESTS, audit},
};

/// The header that names the request in the answer, so that a problem can be reported with it.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// What a dialect knows of a request; cheap to clone. It is an extension of the request.
#[derive(Debug, Clone, Default)]
pub struct Notes(Arc<Mutex<Noted>>);

#[derive(Debug, Default)]
struct Noted {
    /// The dialect, and the path of the call in it.
    call: Option<(&'static str, &'static str)>,
    /// Whether the path itself is a secret.
    is_secret: bool,
    user: String,
    session: Option<Uuid>,
}

impl Notes {
    /// The notes of a request.
    #[must_use]
    pub fn of(request: &Request) -> Self {
        request.extensions().get().cloned().unwrap_or_default()
    }

    /// Notes which call of which dialect it is.
    pub fn call(&self, dialect: &'static str, path: &'static str) {
        self.lock().call = Some((dialect, path));
    }

    /// Notes that the path is a secret, as whoever knows it can make the call: only the call is logged.
    pub fn conceal(&self) {
        self.lock().is_secret = true;
    }

    /// Notes who calls.
    pub fn user(&self, name: &str) {
        name.clone_into(&mut self.lock().user);
    }

    /// Notes which R session it is about.
    pub fn session(&self, id: Uuid) {
        self.lock().session = Some(id);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Noted> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Follows a request from its head to the end of its answer.
pub async fn follow<F: Future<Output = Response>>(mut request: Request, answer: impl FnOnce(Request) -> F) -> Response {
    let mut buffer = Uuid::encode_buffer();
    let id = Uuid::new_v4().hyphenated().encode_lower(&mut buffer);
    let name = HeaderValue::from_str(id);
    let span = tracing::error_span!(
        target: REQUEST_SPAN, "request",
        request.id = &*id,
        client.address = %client_address(request.extensions()),
    );
    let record = Record {
        notes: Notes::default(),
        method: request.method().clone(),
        path: path(request.uri().path()),
        status: None,
        received: Arc::default(),
        sent: 0,
        expected: None,
        whole: false,
        started: Instant::now(),
        span: span.clone(),
    };
    request.extensions_mut().insert(record.notes.clone());
    let received = Arc::clone(&record.received);
    let request = request.map(|body| Body::new(Counted { body, received }));
    let mut following = Following { record };
    let mut response = answer(request).instrument(span).await;
    following.record.status = Some(response.status());
    let announced = response.headers().get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
    following.record.expected = response.body().size_hint().exact().or(announced);
    if let Ok(name) = name {
        response.headers_mut().insert(REQUEST_ID, name);
    }
    response.map(|body| Body::new(Followed { body, following }))
}

/// The part of a path that may be logged: after a semicolon there may be a cookie.
fn path(path: &str) -> String {
    path.split(';').next().unwrap_or_default().to_owned()
}

#[derive(Debug)]
struct Record {
    notes: Notes,
    method: Method,
    path: String,
    status: Option<StatusCode>,
    received: Arc<AtomicU64>,
    sent: u64,
    /// The size of the answer, if it is known.
    expected: Option<u64>,
    /// Whether all of the answer was taken.
    whole: bool,
    started: Instant,
    span: Span,
}

/// Writes the line when it is dropped, however the request ends.
#[derive(Debug)]
struct Following {
    record: Record,
}

impl Drop for Following {
    fn drop(&mut self) {
        let Record { notes, method, path, status, received, sent, expected, whole, started, span } = &self.record;
        // Nobody reads the body of an answer to HEAD; and when all announced bytes have been sent, nobody asks for more, so
        // that the end is never seen.
        let whole = *whole || *method == Method::HEAD || *expected == Some(*sent);
        let _entered = span.enter();
        let noted = notes.lock();
        let (dialect, call) = noted.call.unwrap_or(("none", "none"));
        let path = if noted.is_secret { call } else { path };
        // nginx's status for a client that did not wait for the answer.
        let status = status.map_or(499, |status| status.as_u16());
        let elapsed = started.elapsed();
        let user = Some(noted.user.as_str()).filter(|user| !user.is_empty());
        let session = noted.session.map(tracing::field::display);
        let duration_ms = (elapsed.as_secs_f64() * 1e6).round() / 1e3;
        let aborted = Some(true).filter(|_| !whole && status != 499);
        tracing::info!(
            target: REQUESTS,
            duration_ms,
            http.method = %method,
            http.path = path,
            http.status = status,
            user.name = user,
            session.id = session,
            bytes = sent,
            aborted,
            "{method} {path} {status}"
        );
        if status == 401 || status == 403 {
            audit::refused(&noted.user, path, status);
        }
        Measures::with((dialect, call, status), |measures| {
            measures.seconds.record(elapsed);
            measures.received.increment(received.load(Ordering::Relaxed));
            measures.sent.increment(*sent);
        });
    }
}

/// The measurements of requests with the same call and the same outcome.
struct Measures {
    seconds: Histogram,
    received: Counter,
    sent: Counter,
}

/// A dialect, a call of it, and the status of the answer.
type Outcome = (&'static str, &'static str, u16);

thread_local! {
    /// Kept because looking measurements up by their labels takes longer than measuring.
    static MEASURES: RefCell<HashMap<Outcome, Measures>> = RefCell::default();
}

impl Measures {
    fn with(outcome: Outcome, measure: impl FnOnce(&Self)) {
        let (dialect, call, status) = outcome;
        let make = || Self {
            seconds: histogram!("offshoot_request_seconds", "dialect" => dialect, "call" => call, "status" => status.to_string()),
            received: counter!("offshoot_request_bytes_total", "dialect" => dialect),
            sent: counter!("offshoot_response_bytes_total", "dialect" => dialect),
        };
        MEASURES.with_borrow_mut(|measures| measure(measures.entry(outcome).or_insert_with(make)));
    }
}

/// The body of a request, whose bytes are counted.
struct Counted {
    body: Body,
    received: Arc<AtomicU64>,
}

impl http_body::Body for Counted {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let frame = std::task::ready!(Pin::new(&mut self.body).poll_frame(context));
        if let Some(Ok(data)) = frame.as_ref().map(|frame| frame.as_ref().map(Frame::data_ref)) {
            self.received.fetch_add(data.map_or(0, |data| data.len() as u64), Ordering::Relaxed);
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// The body of an answer, at whose end the line is written.
struct Followed {
    body: Body,
    following: Following,
}

impl http_body::Body for Followed {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let frame = std::task::ready!(Pin::new(&mut self.body).poll_frame(context));
        match &frame {
            Some(Ok(frame)) => self.following.record.sent += frame.data_ref().map_or(0, |data| data.len() as u64),
            Some(Err(_)) => {}
            None => self.following.record.whole = true,
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn cookies_at_the_end_of_a_path_are_not_logged() {
        assert_eq!(super::path("/r/user/whoami;jsessionid=ABC"), "/r/user/whoami");
        assert_eq!(super::path("/a;x/b"), "/a");
    }
}
