//! Uploads: forms with a file, as `multipart/form-data` or URL-encoded, that are never whole in memory.

use std::time::Duration;

use axum::{
    body::Body,
    http::{HeaderMap, header},
};
use bytes::Bytes;
use futures_util::{Stream, StreamExt};

use super::error::Error;
use crate::{
    api::{
        body::{drain, joined},
        form::{Form, Pieces},
    },
    app::{
        App, Failure,
        upload::{Received, Receiving},
    },
};

/// As much is read of a form whose sender may not make the call.
const GLANCE: usize = 64 << 10;
/// For so long.
const GLANCE_TIME: Duration = Duration::from_secs(5);

/// The parameter that holds the file.
pub(super) const FILE: &str = "file";

/// A file that was sent.
#[derive(Debug)]
pub struct Upload {
    /// The name that the client's machine has for it, without folders.
    pub file_name: Option<String>,
    /// Its content.
    pub content: Received,
}

/// Reads a form, with a file in it if there is one. The other parameters are added to `form`.
pub(super) async fn read(app: &App, headers: &HeaderMap, body: Body, form: &mut Form) -> Result<Option<Upload>, Error> {
    let mut pieces = body.into_data_stream();
    let patience = Duration::from_secs(app.config.http.form_seconds.max(1));
    let announced = headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    // The other parameters may take as much as a form without a file.
    let most = app.upload_mib().saturating_add(app.config.http.form_mib);
    if announced.is_some_and(|announced| announced > most << 20) {
        drain(&mut pieces).await;
        return Err(Error::too_large(app.upload_mib()));
    }
    match boundary(headers) {
        Some(boundary) => multipart(app, multer::Multipart::new(pieces, boundary), form, patience).await,
        None => url_encoded(app, &mut pieces, form, patience).await,
    }
}

/// The parameters of a form that is in memory, `multipart/form-data` or URL-encoded.
pub(super) async fn parameters(headers: &HeaderMap, body: Vec<Bytes>, form: &mut Form) -> Result<(), Error> {
    let Some(boundary) = boundary(headers) else {
        form.add(&joined(body));
        return Ok(());
    };
    let pieces = futures_util::stream::iter(body.into_iter().map(Ok::<_, std::convert::Infallible>));
    let mut parts = multer::Multipart::new(pieces, boundary);
    while let Some(mut part) = parts.next_field().await.map_err(unreadable)? {
        let name = part.name().unwrap_or_default().trim().to_owned();
        // All of the body is there, so that a part comes as one piece, which is not copied.
        let mut value = part.chunk().await.map_err(unreadable)?.unwrap_or_default();
        while let Some(more) = part.chunk().await.map_err(unreadable)? {
            value = joined(vec![value, more]);
        }
        form.set(&name, value);
    }
    Ok(())
}

/// The parameters at the beginning of a form that is going to be refused: one of them says how.
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
    // It may end anywhere; what comes before counts.
    let _ = parameters(headers, vec![beginning.into()], form).await;
}

/// What stands between the parts of a form, if it has parts.
fn boundary(headers: &HeaderMap) -> Option<String> {
    multer::parse_boundary(headers.get(header::CONTENT_TYPE)?.to_str().ok()?).ok()
}

async fn multipart(app: &App, mut parts: multer::Multipart<'_>, form: &mut Form, patience: Duration) -> Result<Option<Upload>, Error> {
    let mut upload = None;
    let mut left = app.config.http.form_mib << 20;
    while let Some(mut part) = within(patience, parts.next_field()).await?.map_err(unreadable)? {
        let name = part.name().unwrap_or_default().trim().to_owned();
        if name == FILE && upload.is_none() {
            let file_name = part.file_name().map(|name| name.rsplit(['/', '\\']).next().unwrap_or(name).to_owned());
            let mut receiving = app.receive().await?;
            while let Some(piece) = within(patience, part.chunk()).await?.map_err(unreadable)? {
                if let Err(failure) = receiving.write(&piece).await {
                    drain(part).await;
                    return Err(failure.into());
                }
            }
            upload = Some(Upload { file_name, content: receiving.finish().await? });
            continue;
        }
        let mut value = Vec::new();
        while let Some(piece) = within(patience, part.chunk()).await?.map_err(unreadable)? {
            left = left.checked_sub(piece.len() as u64).ok_or_else(|| Error::too_large(app.config.http.form_mib))?;
            value.extend_from_slice(&piece);
        }
        form.set(&name, value.into());
    }
    Ok(upload)
}

async fn url_encoded(
    app: &App,
    body: &mut (impl Stream<Item = Result<Bytes, axum::Error>> + Unpin),
    form: &mut Form,
    patience: Duration,
) -> Result<Option<Upload>, Error> {
    let mut pieces = Pieces::new(FILE, usize::try_from(app.config.http.form_mib << 20).unwrap_or(usize::MAX));
    let mut receiving: Option<Receiving> = None;
    loop {
        let piece = within(patience, body.next()).await?.transpose().map_err(unreadable)?;
        let last = piece.is_none();
        let of_file = pieces.push(&piece.unwrap_or_default(), last, form).map_err(|_| Error::too_large(app.config.http.form_mib))?;
        if let Some(of_file) = of_file {
            let receiving = match &mut receiving {
                Some(receiving) => receiving,
                none => none.insert(app.receive().await?),
            };
            if let Err(failure) = receiving.write(&of_file).await {
                drain(body).await;
                return Err(failure.into());
            }
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

async fn within<T>(patience: Duration, reading: impl Future<Output = T>) -> Result<T, Error> {
    tokio::time::timeout(patience, reading).await.map_err(|_| Error::too_slow())
}

fn unreadable(error: impl std::fmt::Display) -> Error {
    Error::from(Failure::Invalid(format!("The request could not be read: {error}")))
}
