//! How pages for people are answered.

use askama::Template;
use axum::{
    http::{HeaderName, HeaderValue, StatusCode, header},
    response::{Html, IntoResponse, Response},
};

use crate::api;

/// Nothing but the style that is in the page.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// A page, with one header more.
pub(super) fn answer(status: StatusCode, page: &impl Template, (name, value): (HeaderName, &'static str)) -> Response {
    let html = match page.render() {
        Ok(html) => html,
        Err(error) => {
            api::log_failure(&error);
            return StatusCode::INTERNAL_SERVER_ERROR.into_response();
        }
    };
    let headers = [(header::CONTENT_SECURITY_POLICY, POLICY), (header::CACHE_CONTROL, "no-store"), (name, value)];
    (status, headers.map(|(name, value)| (name, HeaderValue::from_static(value))), Html(html)).into_response()
}
