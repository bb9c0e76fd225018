//! `/`, `/_info` and `/_check`: for programs that look for servers (contract, section 4).

use axum::{http::StatusCode, response::Response};

use crate::{
    api::rock::{answer, error::Error, request::Incoming, views::Info},
    app::sessions::OpenError,
};

/// Describes this server.
pub async fn info(incoming: &mut Incoming) -> Result<Response, Error> {
    Ok(answer::json(StatusCode::OK, &Info::of(&incoming.app)))
}

/// Whether R answers: a worker is ready, or can be made.
pub async fn check(incoming: &mut Incoming) -> Result<Response, Error> {
    match incoming.app.runtime_check().await {
        Ok(()) => Ok(answer::empty(StatusCode::NO_CONTENT)),
        Err(OpenError::NoWorker(reason)) => Err(Error::new(StatusCode::SERVICE_UNAVAILABLE, "RRuntimeException", reason.to_string())),
        Err(reason) => Err(Error::new(StatusCode::SERVICE_UNAVAILABLE, "RRuntimeException", reason.to_string())),
    }
}
