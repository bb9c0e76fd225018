//! `/rserver`: R itself (contract, section 5).

use std::time::Duration;

use axum::{
    body::Body,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};

use super::evaluate;
use crate::{
    api::rock::{
        accept::{self, MediaType},
        answer,
        error::Error,
        request::Incoming,
        views::Server,
    },
    with_sources,
};

/// How many lines of the log are sent by default.
const LINES: usize = 1_000;
/// How long R may take to stop.
const PATIENCE: Duration = Duration::from_secs(10);

/// `GET /rserver`
pub async fn status(incoming: &mut Incoming) -> Result<Response, Error> {
    Ok(answer::json(StatusCode::OK, &Server::of(&incoming.app)))
}

/// `PUT /rserver`: starts R; changes nothing if R is running.
pub async fn start(incoming: &mut Incoming) -> Result<Response, Error> {
    incoming.app.runtime_start().await.map_err(|error| Error::no_r(with_sources(&error)))?;
    status(incoming).await
}

/// `DELETE /rserver`: ends all sessions, and R. The stop is completed even if the client goes away.
pub async fn stop(incoming: &mut Incoming) -> Result<Response, Error> {
    incoming.app.runtime_stop(PATIENCE).await;
    status(incoming).await
}

/// `GET /rserver/_log`: the last lines of the server's log.
pub async fn log(incoming: &mut Incoming) -> Result<Response, Error> {
    let limit = incoming.query.count("limit")?.unwrap_or(LINES);
    if !accept::takes(&incoming.headers, "text/plain") {
        return Err(Error::not_acceptable("text/plain"));
    }
    let text: String = incoming.app.log_lines(limit).into_iter().flat_map(|line| [line, "\n".to_owned()]).collect();
    let mut response = Body::from(text).into_response();
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    Ok(response)
}

/// `GET /rserver/_version`: R's `R.version`, serialized.
pub async fn version(incoming: &mut Incoming) -> Result<Response, Error> {
    if !accept::takes(&incoming.headers, MediaType::Rds.content_type()) {
        return Err(Error::not_acceptable("application/octet-stream"));
    }
    let version = evaluate::ask(incoming, "R.version", &[], MediaType::Rds).await?;
    Ok(answer::value(StatusCode::OK, MediaType::Rds, version))
}
