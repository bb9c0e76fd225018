//! Bytes of files as answers.

use std::fs::File;

use axum::{body::Body, response::Response};

use crate::{
    api::{
        file::{self, Disposition},
        revodeployr::error::Error,
    },
    app::{App, objects::Object},
};

/// A file that has been opened.
pub(super) fn file(file: File, name: &str, disposition: Disposition) -> Result<Response, Error> {
    let length = file.metadata().map_err(|error| Error::internal(&error))?.len();
    Ok(file::answer(file::content(file, length), length, name, disposition))
}

/// A content of the repository.
pub(super) async fn object(app: &App, object: &Object, name: &str, disposition: Disposition) -> Result<Response, Error> {
    Ok(file::answer(Body::from_stream(app.object_content(object).await?), object.blob.size, name, disposition))
}
