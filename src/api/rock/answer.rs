//! Answers to requests that succeeded.

use axum::{
    body::Body,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use serde::Serialize;

use super::accept::MediaType;

/// An object of our own as JSON.
pub fn json(status: StatusCode, object: &impl Serialize) -> Response {
    value(status, MediaType::Json, serde_json::to_vec(object).unwrap_or_default().into())
}

/// 201 with an object, and its location.
pub fn created(location: &str, object: &impl Serialize) -> Response {
    located(json(StatusCode::CREATED, object), location)
}

/// The same response, with `Location`.
pub fn located(mut response: Response, location: &str) -> Response {
    if let Ok(value) = HeaderValue::from_str(location) {
        response.headers_mut().insert(header::LOCATION, value);
    }
    response
}

/// A value that already has this form.
pub fn value(status: StatusCode, form: MediaType, bytes: Bytes) -> Response {
    let mut response = (status, Body::from(bytes)).into_response();
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(form.content_type()));
    // An answer is for one user at one moment, so no cache may keep it.
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// An empty answer, without a `Content-Type`.
#[must_use]
pub fn empty(status: StatusCode) -> Response {
    (status, Body::empty()).into_response()
}
