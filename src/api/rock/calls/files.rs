//! `/r/session/{id}/_upload` and `/_download` (contract, section 10).

use std::{fs::File, io::Write, sync::Arc, time::Duration};

use axum::{http::StatusCode, response::Response};
use multer::{Constraints, SizeLimit};

use crate::{
    api::{
        body,
        file::{self, Purpose},
        parts::{Part, Parts, PartsError, boundary},
        rock::{
            answer,
            error::Error,
            request::{Incoming, boolean},
        },
    },
    link::messages::folder,
    session::Session,
    system::folder::{Draft, FileError, Folder},
};

/// Longest part of a form that is no file, in bytes.
const PART: u64 = 64 << 10;
/// Bytes collected before they are written.
const PIECE: usize = 256 << 10;

/// `POST .../_upload`: the part `file` of a form, written as it comes. The parameters are in the query, or are
/// parts of the form, before or after the file.
pub async fn upload(mut incoming: Incoming) -> Result<Response, Error> {
    let mut target = Target {
        path: incoming.query.get("path")?.map(str::to_owned),
        overwrite: incoming.boolean("overwrite", false)?,
        temporary: incoming.boolean("temp", false)?,
    };
    let boundary = boundary(&incoming.headers).ok_or_else(|| Error::wrong_type("multipart/form-data"))?;
    let session = incoming.session()?;
    let limit = incoming.app.config.rock.upload_mib;
    let constraints = SizeLimit::new().whole_stream((limit << 20) + PART).per_field(PART).for_field("file", limit << 20);
    let patience = Duration::from_secs(incoming.app.config.http.form_seconds.max(1));
    let mut content = body::patient(incoming.take_body().into_data_stream(), patience);
    let most = incoming.app.config.http.form_fields;
    let mut form = Parts::new(&mut content, boundary, most, Constraints::new().size_limit(constraints));
    let mut uploaded = None;
    let received: Result<(), UploadError> = async {
        while let Some(mut part) = form.next().await? {
            match part.name() {
                "file" => uploaded = Some(receive(&session, &mut part).await?),
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
    let Some((name, draft)) = uploaded else { return Err(Error::missing("Required part 'file' is not present.")) };
    // A file's own name is encoded by nobody.
    let path = target.path.as_deref().filter(|path| !path.is_empty()).map_or(Ok(name), decoded)?;
    session.touch();
    blocking(move || target.folder(&session)?.put(&draft, &path, target.overwrite)).await?.map_err(|error| match error {
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

impl Target {
    fn folder(&self, session: &Session) -> Result<Folder, FileError> {
        open(session, self.temporary)
    }
}

/// The working folder of a session, or R's `tempdir()`.
fn open(session: &Session, temporary: bool) -> Result<Folder, FileError> {
    let path =
        if temporary { session.temporary.strip_prefix(&session.folder).unwrap_or(&session.temporary) } else { folder::WORK.as_ref() };
    Ok(Folder::open(&session.folder, path, session.user)?)
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

/// Writes a part into a draft; returns the name that the client gives the file.
async fn receive(session: &Arc<Session>, part: &mut Part<'_>) -> Result<(String, Draft), UploadError> {
    let name = part.file_name().unwrap_or_default().to_owned();
    let session = Arc::clone(session);
    let drafted = blocking(move || open(&session, false).and_then(|folder| Ok(folder.draft()?))).await?;
    let (mut file, draft): (File, Draft) = drafted.map_err(|error| write_failed(&error))?;
    let mut collected = Vec::with_capacity(PIECE);
    loop {
        let piece = part.chunk().await?;
        collected.extend_from_slice(piece.as_deref().unwrap_or_default());
        if collected.len() >= PIECE || piece.is_none() {
            let written = blocking(move || file.write_all(&collected).map(|()| (file, collected))).await?;
            (file, collected) = written.map_err(|error| write_failed(&error))?;
            collected.clear();
        }
        if piece.is_none() {
            return Ok((name, draft));
        }
    }
}

fn write_failed(error: &(dyn std::error::Error + 'static)) -> Error {
    crate::api::log_failure(error);
    Error::new(StatusCode::INTERNAL_SERVER_ERROR, "IOException", "File write failed")
}

/// `GET .../_download`
pub async fn download(incoming: &Incoming) -> Result<Response, Error> {
    let path = incoming.query.get("path")?.ok_or_else(|| Error::missing("Required parameter 'path' is not present."))?;
    let path = decoded(path)?;
    let temporary = incoming.boolean("temp", false)?;
    let session = incoming.session()?;
    let wanted = path.clone();
    let opened = blocking(move || {
        let file = open(&session, temporary)?.read(&wanted)?;
        let length = file.metadata()?.len();
        Ok((file, length))
    });
    let (content, length) = opened.await?.map_err(|error| match error {
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
    Ok(file::answer(file::content(content, length), length, &path, Purpose::Download))
}

/// A path decoded once more than usual, as some clients encode it twice. What cannot be decoded again is meant
/// as it is.
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

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Error> {
    tokio::task::spawn_blocking(work).await.map_err(|error| Error::internal(&error))
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
