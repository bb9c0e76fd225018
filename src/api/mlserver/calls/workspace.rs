//! The objects of a session (contract, Sessions).

use axum::{http::StatusCode, response::Response};

use crate::{
    api::{
        file::{self, Disposition},
        mlserver::{answer, error::Error, request::Incoming, upload},
    },
    app::{evaluation::Admission, uploads::Received},
};

/// `GET /sessions/{id}/workspace`: the names of the objects, as `ls()` shows them.
pub async fn list(incoming: &mut Incoming) -> Result<Response, Error> {
    let session = incoming.session()?;
    Ok(answer::json_body(StatusCode::OK, incoming.app.value_names(&session).await?))
}

/// `GET /sessions/{id}/workspace/{object}`: a file as R's `save()` writes it, with this object.
pub async fn get(incoming: &mut Incoming) -> Result<Response, Error> {
    let session = incoming.session()?;
    let name = incoming.part("object");
    let found = incoming.app.object_file(&session, name).await?;
    let (content, length) = found.ok_or_else(|| no_such_object(name))?;
    Ok(file::answer(file::content(content, length), length, &format!("{name}.RData"), Disposition::Download))
}

/// `POST /sessions/{id}/workspace/{object}`: the bytes that R's `serialize()` gives, or a file of `saveRDS()` or `save()`.
pub async fn put(incoming: &mut Incoming) -> Result<Response, Error> {
    let session = incoming.session()?;
    let received: Received = upload::receive_body(incoming).await?;
    incoming.app.object_bind_upload(&session, incoming.part("object"), received).await?;
    Ok(answer::empty(StatusCode::OK))
}

/// `DELETE /sessions/{id}/workspace/{object}`
pub async fn remove(incoming: &mut Incoming) -> Result<Response, Error> {
    let session = incoming.session()?;
    let name = incoming.part("object");
    let removed = incoming.app.value_remove(&session, name, Admission::Queued).await?;
    if removed { Ok(answer::empty(StatusCode::OK)) } else { Err(no_such_object(name)) }
}

fn no_such_object(name: &str) -> Error {
    Error::unknown(format!("There is no object {name:?} in the session."))
}
