//! Files and objects that clients send, which are written while they arrive.

use std::time::Duration;

use axum::http::header;
use futures_util::StreamExt;
use multer::{Constraints, SizeLimit};

use super::{error::Error, request::Incoming};
use crate::{
    api::{
        body::{self, BodyError, Limit},
        parts::{Parts, PartsError, boundary},
    },
    app::{
        Failure,
        uploads::{Destination, Received},
    },
};

/// Longest part of a form other than the file, in bytes.
const PART: u64 = 64 << 10;

/// Receives a body that is the content.
///
/// # Errors
/// 408, 413.
pub async fn receive_body(incoming: &mut Incoming) -> Result<Received, Error> {
    let limit = incoming.app.settings().mlserver.upload_mib;
    let announced = incoming.headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    let mut content = body::patient(incoming.take_body().into_data_stream(), patience(incoming));
    if announced.is_some_and(|announced| announced > limit << 20) {
        body::drain(&mut content).await;
        return Err(BodyError::TooLarge(Limit::Mib(limit)).into());
    }
    let received = async {
        let mut receiving = incoming.app.upload_receive(Destination::Session, limit).await?;
        while let Some(piece) = content.next().await.transpose()? {
            receiving.write(&piece).await?;
        }
        Ok(receiving.finish().await?)
    };
    let received: Result<Received, Error> = received.await;
    if received.is_err() {
        body::drain(&mut content).await;
    }
    received
}

/// Receives the part `file` of a form. Returns also its name.
///
/// # Errors
/// 400, 408, 413.
pub async fn receive_form(incoming: &mut Incoming) -> Result<(String, Received), Error> {
    let boundary =
        boundary(&incoming.headers).ok_or_else(|| Error::invalid("The body has to be multipart/form-data with a part \"file\"."))?;
    let settings = incoming.app.settings();
    let limit = settings.mlserver.upload_mib;
    let constraints = SizeLimit::new().whole_stream((limit << 20) + PART).per_field(PART).for_field("file", limit << 20);
    let most = settings.http.form_fields;
    let patience = patience(incoming);
    let mut content = body::patient(incoming.take_body().into_data_stream(), patience);
    let mut form = Parts::new(&mut content, boundary, most, Constraints::new().size_limit(constraints));
    let received: Result<_, UploadError> = async {
        while let Some(mut part) = form.next().await? {
            if part.name() != "file" {
                part.skip().await?;
                continue;
            }
            let name = part.file_name().unwrap_or_default().to_owned();
            let mut receiving = incoming.app.upload_receive(Destination::Session, limit).await?;
            while let Some(piece) = part.chunk().await? {
                receiving.write(&piece).await?;
            }
            return Ok(Some((name, receiving.finish().await?)));
        }
        Ok(None)
    }
    .await;
    drop(form);
    body::drain(&mut content).await;
    match received.map_err(|error| error.into_error(limit))? {
        Some((name, received)) if !name.is_empty() => Ok((name, received)),
        Some(_) => Err(Error::invalid("The part \"file\" has no file name.")),
        None => Err(Error::invalid("The form has no part \"file\".")),
    }
}

fn patience(incoming: &Incoming) -> Duration {
    Duration::from_secs(incoming.app.settings().http.form_seconds.max(1))
}

/// Why a form could not be received.
enum UploadError {
    Form(PartsError),
    Core(Failure),
}

impl From<PartsError> for UploadError {
    fn from(error: PartsError) -> Self {
        Self::Form(error)
    }
}

impl From<Failure> for UploadError {
    fn from(failure: Failure) -> Self {
        Self::Core(failure)
    }
}

impl UploadError {
    fn into_error(self, limit: u64) -> Error {
        match self {
            Self::Core(failure) => failure.into(),
            Self::Form(PartsError::TooLarge) => BodyError::TooLarge(Limit::Mib(limit)).into(),
            Self::Form(PartsError::TooMany(invalid)) => invalid.into(),
            Self::Form(PartsError::Body(error)) => error.into(),
            Self::Form(error) => Error::invalid(format!("The form could not be read: {error}.")),
        }
    }
}
