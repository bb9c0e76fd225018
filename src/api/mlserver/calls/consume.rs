//! Calls of services (contract, Web services — consumption).

use axum::{body::Body, http::StatusCode, response::Response};

use crate::api::{
    body::PartsBody,
    mlserver::{answer, error::Error, request::Incoming},
};

/// `POST /api/{name}/{version}`: the body is an object with the inputs by name.
pub async fn consume(incoming: &mut Incoming) -> Result<Response, Error> {
    let callable = incoming.app.service(incoming.principal(), incoming.part("name"), incoming.part("version")).await?;
    let body = incoming.read_body().await?;
    let inputs = std::str::from_utf8(&body).map_err(|_| Error::invalid("The body has to be an object in JSON, and is not UTF-8."))?;
    let inputs = if inputs.trim().is_empty() { "{}" } else { inputs };
    let consumed = incoming.app.service_consume(incoming.principal(), &callable, inputs).await?;
    Ok(answer::json_body(StatusCode::OK, Body::new(PartsBody::new(consumed.into_json()))))
}
