//! A file of a session as the body of a response.

use std::fs::File;

use axum::{
    body::Body,
    http::{HeaderValue, header},
    response::{IntoResponse, Response},
};
use tokio::io::AsyncReadExt;
use tokio_util::io::ReaderStream;

/// Bytes read and sent at a time.
const PIECE: usize = 64 << 10;

/// Sends a file of that length, read as it is sent. Its type is guessed from its name.
#[must_use]
pub fn response(file: File, length: u64, name: &str) -> Response {
    // R may write more of it meanwhile.
    let content = tokio::fs::File::from_std(file).take(length);
    let body = Body::from_stream(ReaderStream::with_capacity(content, PIECE));
    let content_type = mime_guess::from_path(name).first_or_octet_stream();
    let mut response = body.into_response();
    let headers = response.headers_mut();
    if let Ok(value) = HeaderValue::from_str(content_type.essence_str()) {
        headers.insert(header::CONTENT_TYPE, value);
    }
    headers.insert(header::CONTENT_LENGTH, length.into());
    // What R writes may be a page with scripts: it is not to act in this server's name.
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static("sandbox"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}
