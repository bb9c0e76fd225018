//! The console text of a session, sent while it is printed.

use std::{convert::Infallible, sync::Arc};

use axum::response::{
    IntoResponse, Response, Sse,
    sse::{Event, KeepAlive},
};
use futures_util::stream;

use crate::app::sessions::Session;

/// The text of the running operation from its beginning, until the operation ends, or the text of the last one: as `text/event-stream`,
/// events `console` with a piece of text as a JSON string, then one event `end`. (Browsers ignore an event without data.)
#[must_use]
pub fn events(session: Arc<Session>) -> Response {
    let watch = session.console.watch();
    let events = stream::unfold(Some((session, watch)), |place| async move {
        let (session, mut watch) = place?;
        let piece = watch.more().await;
        let event = match &piece {
            Some(text) => Event::default().event("console").data(serde_json::to_string(text).unwrap_or_default()),
            None => Event::default().event("end").data("null"),
        };
        Some((Ok::<_, Infallible>(event), piece.map(|_| (session, watch))))
    });
    Sse::new(events).keep_alive(KeepAlive::default()).into_response()
}
