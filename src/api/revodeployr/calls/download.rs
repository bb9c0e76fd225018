//! Bytes of files as answers.

use std::fs::File;

use axum::{
    body::Body,
    http::{HeaderValue, header},
    response::{IntoResponse, Response},
};
use percent_encoding::utf8_percent_encode;
use tokio_util::io::ReaderStream;

use crate::{
    api::revodeployr::{error::Error, identifiers::NAME},
    app::App,
    store::objects::Object,
};

/// Bytes read and sent at a time.
const PIECE: usize = 64 << 10;

/// A file that has been opened.
pub(super) async fn file(file: File, name: &str, attachment: bool) -> Result<Response, Error> {
    let file = tokio::fs::File::from_std(file);
    let length = file.metadata().await.map_err(|error| Error::internal(&error))?.len();
    Ok(answer(Body::from_stream(ReaderStream::with_capacity(file, PIECE)), length, name, attachment))
}

/// A content of the repository.
pub(super) async fn blob(app: &App, object: &Object, name: &str, attachment: bool) -> Result<Response, Error> {
    Ok(answer(Body::from_stream(app.content(object).await?), object.blob.size, name, attachment))
}

fn answer(body: Body, length: u64, name: &str, attachment: bool) -> Response {
    let name = name.rsplit('/').next().unwrap_or(name);
    let mut response = body.into_response();
    let headers = response.headers_mut();
    if let Ok(value) = HeaderValue::from_str(mime_guess::from_path(name).first_or_octet_stream().essence_str()) {
        headers.insert(header::CONTENT_TYPE, value);
    }
    if attachment && let Ok(value) = HeaderValue::from_str(&format!("attachment; filename*=UTF-8''{}", utf8_percent_encode(name, NAME))) {
        // RFC 6266.
        headers.insert(header::CONTENT_DISPOSITION, value);
    }
    headers.insert(header::CONTENT_LENGTH, length.into());
    // What R writes may be a page with scripts: it is not to act in this server's name.
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static("sandbox"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}
