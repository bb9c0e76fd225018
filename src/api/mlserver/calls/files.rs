//! The files of a session's working folder (contract, Sessions).

use axum::{http::StatusCode, response::Response};

use crate::{
    api::{
        file::{self, Disposition},
        mlserver::{answer, error::Error, request::Incoming, upload},
    },
    app::{
        evaluation::Admission,
        files::{Area, FileError},
    },
};

/// `GET /sessions/{id}/files`: their names; those in folders have the folder before them.
pub async fn list(incoming: &mut Incoming) -> Result<Response, Error> {
    let session = incoming.session()?;
    Ok(answer::json(StatusCode::OK, &incoming.app.file_names(&session).await?))
}

/// `POST /sessions/{id}/files`: the part `file` of a form, which is written while it arrives. It replaces a file of the same name.
pub async fn upload(incoming: &mut Incoming) -> Result<Response, Error> {
    let session = incoming.session()?;
    let (name, received) = upload::receive_form(incoming).await?;
    incoming.app.file_put(&session, Area::Work, &name, received, true).await?;
    Ok(answer::empty(StatusCode::CREATED))
}

/// `GET /sessions/{id}/files/{file}`
pub async fn download(incoming: &mut Incoming) -> Result<Response, Error> {
    let session = incoming.session()?;
    let name = incoming.part("file");
    let opened = incoming.app.file_open(&session, Area::Work, name).await;
    let content = opened.map_err(|error| of_name(error, name))?;
    let length = content.metadata().map_err(|error| Error::internal(&error))?.len();
    Ok(file::answer(file::content(content, length), length, name, Disposition::Download))
}

/// `DELETE /sessions/{id}/files/{file}`
pub async fn remove(incoming: &mut Incoming) -> Result<Response, Error> {
    let session = incoming.session()?;
    incoming.app.file_remove(&session, incoming.part("file"), Admission::Queued).await?;
    Ok(answer::empty(StatusCode::OK))
}

fn of_name(error: FileError, name: &str) -> Error {
    match error {
        FileError::System(error) => Error::internal(&error),
        FileError::Folder => Error::invalid(format!("{name:?} is a folder.")),
        _ => Error::unknown(format!("There is no file {name:?} in the session.")),
    }
}
