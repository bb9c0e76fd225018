//! Uploads: forms with a file, as `multipart/form-data` or URL-encoded, that are never whole in memory.

use std::time::Duration;

use axum::{
    body::Body,
    http::{HeaderMap, header},
};
use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use multer::Constraints;

use super::error::Error;
use crate::{
    api::{
        body::{self, BodyError, drain, joined, leave},
        form::Form,
        parts::{Parts, PartsError, boundary},
        pieces::{Pieces, PiecesError},
    },
    app::{
        App, Failure,
        uploads::{Destination, Received, Receiving},
    },
};

/// How much is read of a form whose sender may not make the call, in bytes.
const GLANCE: usize = 64 << 10;
/// How long such a form is read.
const GLANCE_TIME: Duration = Duration::from_secs(5);

/// The parameter that holds the file.
pub(super) const FILE: &str = "file";

/// An uploaded file.
#[derive(Debug)]
pub struct Upload {
    /// The name of the file on the client's machine, without folders.
    pub file_name: Option<String>,
    /// Its content.
    pub content: Received,
}

/// Reads a form. If it has a file, this goes to `destination`; the other parameters are added to `form`.
pub(super) async fn read(
    app: &App,
    destination: Destination,
    headers: &HeaderMap,
    body: Body,
    form: &mut Form,
) -> Result<Option<Upload>, Error> {
    let patience = Duration::from_secs(app.settings().http.form_seconds.max(1));
    let mut pieces = body::patient(body.into_data_stream(), patience);
    let announced = headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    // The other parameters may take as much as a form without a file.
    let most = app.upload_mib().saturating_add(app.settings().http.form_mib);
    if announced.is_some_and(|announced| announced > most << 20) {
        drain(&mut pieces).await;
        return Err(Error::too_large(app.upload_mib()));
    }
    let read = match boundary(headers) {
        Some(boundary) => multipart(app, destination, &mut pieces, boundary, form).await,
        None => url_encoded(app, destination, &mut pieces, form).await,
    };
    if read.is_err() {
        leave(pieces);
    }
    read
}

/// The parameters of a form that is in memory, `multipart/form-data` or URL-encoded.
pub(super) async fn parameters(headers: &HeaderMap, body: Vec<Bytes>, form: &mut Form) -> Result<(), Error> {
    let Some(boundary) = boundary(headers) else {
        return Ok(form.add(&joined(body))?);
    };
    let pieces = futures_util::stream::iter(body.into_iter().map(Ok::<_, std::convert::Infallible>));
    let mut parts = multer::Multipart::new(pieces, boundary);
    while let Some(mut part) = parts.next_field().await.map_err(unreadable)? {
        let name = part.name().unwrap_or_default().trim().to_owned();
        // The whole body is there, so a part comes as one piece, which is not copied.
        let mut value = part.chunk().await.map_err(unreadable)?.unwrap_or_default();
        while let Some(more) = part.chunk().await.map_err(unreadable)? {
            value = joined(vec![value, more]);
        }
        form.push(&name, value)?;
    }
    Ok(())
}

/// Reads the parameters at the beginning of a form that will be refused: one of them names the format of the refusal.
pub(super) async fn glance(headers: &HeaderMap, body: Body, form: &mut Form) {
    if headers.contains_key(header::EXPECT) {
        return; // Its sender waits to be told before sending it.
    }
    let (mut pieces, mut beginning) = (body.into_data_stream(), Vec::new());
    let read = async {
        while beginning.len() < GLANCE
            && let Some(Ok(piece)) = pieces.next().await
        {
            beginning.extend_from_slice(&piece[..piece.len().min(GLANCE - beginning.len())]);
        }
    };
    let _ = tokio::time::timeout(GLANCE_TIME, read).await;
    leave(pieces);
    // The beginning may stop anywhere and have too many parameters; what comes before counts.
    let _ = parameters(headers, vec![beginning.into()], form).await;
}

async fn multipart(
    app: &App,
    destination: Destination,
    pieces: impl Stream<Item = Result<Bytes, BodyError>> + Unpin + Send,
    boundary: String,
    form: &mut Form,
) -> Result<Option<Upload>, Error> {
    let http = &app.settings().http;
    let unreadable = |error| match error {
        PartsError::TooLarge => Error::too_large(http.form_mib),
        PartsError::TooMany(invalid) => invalid.into(),
        PartsError::Body(error) => error.into(),
        error => self::unreadable(error),
    };
    let mut parts = Parts::new(pieces, boundary, http.form_fields, Constraints::new());
    let mut upload = None;
    let mut left = usize::try_from(http.form_mib << 20).unwrap_or(usize::MAX);
    while let Some(mut part) = parts.next().await.map_err(unreadable)? {
        if part.name() == FILE && upload.is_none() {
            let file_name = part.file_name().map(str::to_owned);
            let mut receiving = app.upload_receive(destination, app.upload_mib()).await?;
            let mut is_empty = true;
            while let Some(piece) = part.chunk().await.map_err(unreadable)? {
                is_empty &= piece.is_empty();
                receiving.write(&piece).await?;
            }
            // A browser sends nothing under no name when no file was chosen.
            if !is_empty || file_name.as_ref().is_some_and(|name| !name.is_empty()) {
                upload = Some(Upload { file_name, content: receiving.finish().await? });
            }
        } else {
            let name = part.name().to_owned();
            form.push(&name, part.content(&mut left).await.map_err(unreadable)?)?;
        }
    }
    Ok(upload)
}

async fn url_encoded(
    app: &App,
    destination: Destination,
    body: &mut (impl Stream<Item = Result<Bytes, BodyError>> + Unpin),
    form: &mut Form,
) -> Result<Option<Upload>, Error> {
    let mut pieces = Pieces::new(FILE, usize::try_from(app.settings().http.form_mib << 20).unwrap_or(usize::MAX));
    let mut receiving: Option<Receiving> = None;
    loop {
        let piece = body.next().await.transpose()?;
        let last = piece.is_none();
        let of_file = pieces.push(&piece.unwrap_or_default(), last, form).map_err(|error| match error {
            PiecesError::TooLarge => Error::too_large(app.settings().http.form_mib),
            PiecesError::Invalid(invalid) => invalid.into(),
        })?;
        // Like other parameters, an empty file is an absent one: here it has no name that would tell it from one.
        if let Some(of_file) = of_file.filter(|of_file| !of_file.is_empty()) {
            let receiving = match &mut receiving {
                Some(receiving) => receiving,
                none => none.insert(app.upload_receive(destination, app.upload_mib()).await?),
            };
            receiving.write(&of_file).await?;
        }
        if last {
            break;
        }
    }
    match receiving {
        Some(receiving) => Ok(Some(Upload { file_name: None, content: receiving.finish().await? })),
        None => Ok(None),
    }
}

fn unreadable(error: impl std::fmt::Display) -> Error {
    Error::from(Failure::Invalid(format!("The request could not be read: {error}")))
}
