//! `/r/session/{id}/_upload` and `/_download` (contract, section 10).

use std::time::Duration;

use axum::{http::StatusCode, response::Response};
use multer::{Constraints, SizeLimit};

use crate::{
    api::{
        body,
        file::{self, Disposition},
        parts::{Part, Parts, PartsError, boundary},
        rock::{
            answer,
            error::Error,
            request::{Incoming, boolean},
        },
    },
    app::{
        App, Failure,
        files::{Area, FileError},
        uploads::{Destination, Received},
    },
};

/// Longest part of a form other than the file, in bytes.
const PART: u64 = 64 << 10;

/// `POST .../_upload`: the part `file` of a form, which is written while it arrives. The parameters are in the query, or are parts of the
/// form before or after the file.
pub async fn upload(incoming: &mut Incoming) -> Result<Response, Error> {
    let mut target = Target {
        path: incoming.query.get("path")?.map(str::to_owned),
        overwrite: incoming.boolean("overwrite", false)?,
        temporary: incoming.boolean("temp", false)?,
    };
    let boundary = boundary(&incoming.headers).ok_or_else(|| Error::wrong_type("multipart/form-data"))?;
    let session = incoming.session()?;
    let settings = incoming.app.settings();
    let limit = settings.rock.upload_mib;
    let constraints = SizeLimit::new().whole_stream((limit << 20) + PART).per_field(PART).for_field("file", limit << 20);
    let patience = Duration::from_secs(settings.http.form_seconds.max(1));
    let most = settings.http.form_fields;
    let mut content = body::patient(incoming.take_body().into_data_stream(), patience);
    let mut form = Parts::new(&mut content, boundary, most, Constraints::new().size_limit(constraints));
    let mut uploaded = None;
    let received: Result<(), UploadError> = async {
        while let Some(mut part) = form.next().await? {
            match part.name() {
                "file" => uploaded = receive(&incoming.app, limit, &mut part).await?,
                "path" => target.path = Some(text(&mut part).await?),
                "overwrite" => target.overwrite = boolean(Some(&text(&mut part).await?), target.overwrite)?,
                "temp" => target.temporary = boolean(Some(&text(&mut part).await?), target.temporary)?,
                _ => part.skip().await?,
            }
        }
        Ok(())
    }
    .await;
    drop(form);
    if let Err(error) = received {
        body::drain(&mut content).await;
        return Err(error.into_error(limit));
    }
    let Some((name, received)) = uploaded else { return Err(Error::missing("Required part 'file' is not present.")) };
    // The file's own name is not decoded, because no client encodes it.
    let path = target.path.as_deref().filter(|path| !path.is_empty()).map_or(Ok(name), decoded)?;
    session.touch();
    incoming.app.file_put(&session, area(target.temporary), &path, received, target.overwrite).await.map_err(|error| match error {
        FileError::Folder => Error::invalid("Destination file cannot be a directory"),
        FileError::Exists => Error::invalid("File exists and cannot be overridden"),
        FileError::Outside | FileError::Missing => Error::invalid("Destination folder is not valid"),
        FileError::Parent => Error::invalid("File parent folder cannot be created"),
        FileError::TooLong => Error::invalid("File name is too long"),
        FileError::TooLarge => Error::invalid("File is too large"),
        FileError::System(error) => write_failed(&error),
    })?;
    Ok(answer::empty(StatusCode::OK))
}

/// Where an upload goes.
struct Target {
    path: Option<String>,
    overwrite: bool,
    temporary: bool,
}

fn area(temporary: bool) -> Area {
    if temporary { Area::Temporary } else { Area::Work }
}

/// Why a form could not be received.
enum UploadError {
    Form(PartsError),
    Ours(Error),
}

impl From<PartsError> for UploadError {
    fn from(error: PartsError) -> Self {
        Self::Form(error)
    }
}

impl From<Error> for UploadError {
    fn from(error: Error) -> Self {
        Self::Ours(error)
    }
}

impl UploadError {
    fn into_error(self, limit: u64) -> Error {
        match self {
            Self::Ours(error) => error,
            Self::Form(PartsError::TooLarge) => Error::too_large(limit),
            Self::Form(PartsError::TooMany(invalid)) => invalid.into(),
            Self::Form(PartsError::Body(error)) => error.into(),
            Self::Form(error) => Error::invalid(format!("The form could not be read: {error}")),
        }
    }
}

/// The text of a part.
async fn text(part: &mut Part<'_>) -> Result<String, PartsError> {
    let mut left = usize::try_from(PART).unwrap_or(usize::MAX);
    Ok(body::text(part.content(&mut left).await?.into()))
}

/// Receives a part that is a file. Returns also the file's name on the client's machine. A browser sends nothing under no name when no file
/// was chosen: then there is none.
async fn receive(app: &App, limit: u64, part: &mut Part<'_>) -> Result<Option<(String, Received)>, UploadError> {
    let name = part.file_name().unwrap_or_default().to_owned();
    let failed = |failure: Failure| write_failed(&failure);
    let mut receiving = app.upload_receive(Destination::Session, limit).await.map_err(failed)?;
    let mut is_empty = true;
    while let Some(piece) = part.chunk().await? {
        is_empty &= piece.is_empty();
        receiving.write(&piece).await.map_err(failed)?;
    }
    if is_empty && name.is_empty() {
        return Ok(None);
    }
    Ok(Some((name, receiving.finish().await.map_err(failed)?)))
}

fn write_failed(error: &(dyn std::error::Error + 'static)) -> Error {
    crate::api::log_failure(error);
    Error::new(StatusCode::INTERNAL_SERVER_ERROR, "IOException", "File write failed")
}

/// `GET .../_download`
pub async fn download(incoming: &mut Incoming) -> Result<Response, Error> {
    let path = incoming.query.get("path")?.ok_or_else(|| Error::missing("Required parameter 'path' is not present."))?;
    let path = decoded(path)?;
    let temporary = incoming.boolean("temp", false)?;
    let session = incoming.session()?;
    let opened = incoming.app.file_open(&session, area(temporary), &path).await;
    let opened = opened.and_then(|file| Ok((file.metadata()?.len(), file)));
    let (length, content) = opened.map_err(|error| match error {
        FileError::Missing | FileError::Parent | FileError::Exists | FileError::TooLong | FileError::TooLarge => {
            Error::invalid("File does not exist")
        }
        FileError::Folder => Error::invalid("File is a directory"),
        FileError::Outside => Error::invalid("Source file path is not valid"),
        FileError::System(error) => {
            crate::api::log_failure(&error);
            Error::invalid("File read failed")
        }
    })?;
    Ok(file::answer(file::content(content, length), length, &path, Disposition::Download))
}

/// Decodes a path a second time, because some clients encode it twice. A path that cannot be decoded again is taken as it is.
fn decoded(path: &str) -> Result<String, Error> {
    let text = again(path).unwrap_or_else(|| path.to_owned());
    if text.contains('\0') { Err(Error::invalid("The path is not valid: it has a NUL in it")) } else { Ok(text) }
}

fn again(path: &str) -> Option<String> {
    let mut bytes = path.bytes();
    let mut decoded = Vec::with_capacity(path.len());
    while let Some(byte) = bytes.next() {
        decoded.push(match byte {
            b'+' => b' ',
            b'%' => {
                let digits = [bytes.next()?, bytes.next()?];
                let valid = digits.iter().all(u8::is_ascii_hexdigit);
                u8::from_str_radix(std::str::from_utf8(&digits).ok().filter(|_| valid)?, 16).ok()?
            }
            byte => byte,
        });
    }
    String::from_utf8(decoded).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_decoded_once_more_where_that_is_possible() {
        for (path, expected) in [
            ("a/b.txt", "a/b.txt"),
            ("a%20b", "a b"),
            ("a+b", "a b"),
            ("a%2Bb", "a+b"),
            ("gr%C3%B6%C3%9Fe", "größe"),
            ("100%", "100%"),
            ("100% sure", "100% sure"),
            ("%ff", "%ff"),
            ("%+1", "%+1"),
        ] {
            assert_eq!(decoded(path).unwrap(), expected);
        }
        assert!(decoded("a%00b").is_err());
    }
}
