//! `/r/file/get/FILE-.../name`: the bytes of a file that R has made.

use std::sync::Arc;

use axum::{
    body::Body,
    http::{HeaderValue, header},
    response::{IntoResponse, Response},
};
use tokio_util::io::ReaderStream;

use crate::{
    api::revodeployr::{error::Error, identifiers},
    app::App,
};

/// Bytes read and sent at a time.
const PIECE: usize = 64 << 10;

/// Sends a file. Its id is the secret: whoever knows the address may read it (contract, section 3).
pub(in super::super) async fn get(app: &Arc<App>, path: &str) -> Result<Response, Error> {
    let unknown = || Error::not_found("There is no such file, or it went with the login it belonged to.");
    let mut segments = path.rsplit('/');
    let identifier = segments.nth(1).unwrap_or_default();
    let id = identifiers::parse("FILE", identifier).ok_or_else(unknown)?;
    let published = Arc::clone(&app.published);
    let opened = tokio::task::spawn_blocking(move || {
        let (file, name) = published.open(id)?;
        let length = file.metadata()?.len();
        Ok::<_, std::io::Error>((file, name, length))
    });
    let (file, name, length) = opened.await.map_err(|error| Error::internal(&error))?.map_err(|_| unknown())?;
    let body = Body::from_stream(ReaderStream::with_capacity(tokio::fs::File::from_std(file), PIECE));
    let content_type = mime_guess::from_path(&name).first_or_octet_stream();
    let mut response = body.into_response();
    let headers = response.headers_mut();
    if let Ok(value) = HeaderValue::from_str(content_type.essence_str()) {
        headers.insert(header::CONTENT_TYPE, value);
    }
    headers.insert(header::CONTENT_LENGTH, length.into());
    // What R writes may be a page with scripts: it is not to act in this server's name.
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static("sandbox"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    Ok(response)
}
