//! The running operation of a session, and its plots: `_interrupt`, `_console`, `_plots`. Not in the original.

use axum::{
    body::Body,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;

use crate::{
    api::{
        address, console,
        rock::{accept, answer, error::Error, request::Incoming},
    },
    app::{evaluation::Draw, sessions::OperationError},
};

const PNG: &str = "image/png";
const SVG: &str = "image/svg+xml";

/// `POST /r/session/{id}/_interrupt`: stops the running operation, if there is one. The session lives on.
pub async fn interrupt(incoming: &mut Incoming) -> Result<Response, Error> {
    incoming.session()?.interrupt();
    Ok(answer::empty(StatusCode::NO_CONTENT))
}

/// `GET /r/session/{id}/_console`: the console text of the running operation until now, or of the last one. As `text/event-stream`, the
/// text is sent from its beginning while it is printed, until the operation ends: events `console` with a piece of text as a JSON string,
/// then one event `end`. (Browsers ignore an event without data.)
pub async fn console(incoming: &mut Incoming) -> Result<Response, Error> {
    let session = incoming.session()?;
    let preferred = accept::prefer(&incoming.headers, ["text/plain", "text/event-stream"]);
    if preferred.ok_or_else(|| Error::not_acceptable("text/plain and as text/event-stream"))? == 0 {
        let mut response = Body::from(session.console.text()).into_response();
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
        return Ok(response);
    }
    Ok(console::events(session))
}

/// `GET /r/session/{id}/_plots`: the pages that the last operation has drawn, with the addresses of their pictures.
pub async fn plots(incoming: &mut Incoming) -> Result<Response, Error> {
    #[derive(Serialize)]
    struct Plot {
        number: usize,
        location: String,
    }
    let session = incoming.session()?;
    let count = incoming.app.plot_count(&session).await.map_err(|error| Error::of_operation(error, session.id))?;
    let base = format!("{}/r/session/{}/_plots", address(&incoming.headers), session.id);
    let plots: Vec<_> = (1..=count).map(|number| Plot { number, location: format!("{base}/{number}") }).collect();
    Ok(answer::json(StatusCode::OK, &plots))
}

/// `GET /r/session/{id}/_plots/{number}`: a page as PNG or SVG with `width` by `height` pixels, at `resolution` pixels per inch;
/// without these, as it was drawn at first.
pub async fn plot(incoming: &mut Incoming) -> Result<Response, Error> {
    let part = incoming.part("number");
    let page = part.parse().map_err(|_| Error::no_such_plot(part))?;
    let preferred = accept::prefer(&incoming.headers, [PNG, SVG]);
    let svg = preferred.ok_or_else(|| Error::not_acceptable("image/png and as image/svg+xml"))? == 1;
    let drawing =
        Draw { page, svg, width: incoming.pixels("width")?, height: incoming.pixels("height")?, resolution: incoming.resolution()? };
    let session = incoming.session()?;
    let drawn = incoming.app.plot_draw(&session, drawing).await.map_err(|error| match error {
        OperationError::Refused(message) => Error::of_r(format!("The plot cannot be drawn; {message}")),
        error => Error::of_operation(error, session.id),
    })?;
    let mut response = Body::from(drawn.ok_or_else(|| Error::no_such_plot(part))?).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(if svg { SVG } else { PNG }));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    // R code may have put scripts into an SVG.
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static("sandbox"));
    Ok(response)
}
