//! Answers to requests that succeeded.

use axum::{
    body::Body,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use jiff::Timestamp;
use serde::Serialize;

/// An object of our own as JSON.
pub fn json(status: StatusCode, object: &impl Serialize) -> Response {
    json_body(status, serde_json::to_vec(object).unwrap_or_default())
}

/// A body that is JSON.
pub fn json_body(status: StatusCode, body: impl Into<Body>) -> Response {
    let mut response = (status, body.into()).into_response();
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json; charset=utf-8"));
    // An answer is for one user at one moment, so no cache may keep it.
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// An empty answer.
#[must_use]
pub fn empty(status: StatusCode) -> Response {
    status.into_response()
}

/// A time in microseconds since 1970, as this API writes it: in UTC, without saying so.
pub fn time(microseconds: i64) -> String {
    Timestamp::from_microsecond(microseconds).map_or_else(|_| String::new(), |time| time.strftime("%Y-%m-%dT%H:%M:%S%.6f").to_string())
}
