//! Snapshots, which belong to the user who has made them (contract, Snapshots).

use axum::{body::Body, http::StatusCode, response::Response};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::sessions::checked_name;
use crate::{
    api::{
        file,
        mlserver::{answer, error::Error, request::Incoming},
    },
    app::snapshots::Snapshot,
};

#[derive(Default, Deserialize)]
#[serde(default)]
struct CreateSnapshotRequest {
    name: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct CreateSnapshotResponse {
    snapshot_id: Uuid,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SnapshotView<'a> {
    id: Uuid,
    name: &'a str,
    owner: &'a str,
    creation_time: String,
    content_size: u64,
}

impl<'a> From<&'a Snapshot> for SnapshotView<'a> {
    fn from(snapshot: &'a Snapshot) -> Self {
        Self {
            id: snapshot.id,
            name: &snapshot.name,
            owner: &snapshot.owner,
            creation_time: answer::time(snapshot.created),
            content_size: snapshot.bytes,
        }
    }
}

/// `POST /sessions/{id}/snapshot`
pub async fn create(incoming: &mut Incoming) -> Result<Response, Error> {
    let session = incoming.session()?;
    let wanted: CreateSnapshotRequest = incoming.read_optional_json(r#"{"name": "..."}"#).await?;
    let name = checked_name(wanted.name.as_deref())?;
    let (snapshot, unsaved) = incoming.app.snapshot_create(&session, incoming.principal(), name).await?;
    unsaved.iter().for_each(|sentence| tracing::info!(session.id = %session.id, sentence, "left out of a snapshot"));
    Ok(answer::json(StatusCode::CREATED, &CreateSnapshotResponse { snapshot_id: snapshot.id }))
}

/// `POST /sessions/{id}/loadsnapshot/{snapshot}`: adds what the snapshot has to the session.
pub async fn load(incoming: &mut Incoming) -> Result<Response, Error> {
    let session = incoming.session()?;
    let snapshot = incoming.id("snapshot", "snapshot")?;
    incoming.app.snapshot_load(&session, incoming.principal(), snapshot).await?;
    Ok(answer::empty(StatusCode::OK))
}

/// `GET /snapshots`
pub async fn list(incoming: &mut Incoming) -> Result<Response, Error> {
    let snapshots = incoming.app.snapshot_list(incoming.principal()).await?;
    Ok(answer::json(StatusCode::OK, &snapshots.iter().map(SnapshotView::from).collect::<Vec<_>>()))
}

/// `GET /snapshots/{snapshot}`: a ZIP, which is made while it is sent.
pub async fn download(incoming: &mut Incoming) -> Result<Response, Error> {
    let id = incoming.id("snapshot", "snapshot")?;
    let (snapshot, content) = incoming.app.snapshot_zip(id, incoming.principal()).await?;
    Ok(file::streamed(Body::from_stream(content), &format!("{}.zip", snapshot.name)))
}

/// `DELETE /snapshots/{snapshot}`. What was made from it goes on.
pub async fn remove(incoming: &mut Incoming) -> Result<Response, Error> {
    let id = incoming.id("snapshot", "snapshot")?;
    incoming.app.snapshot_remove(id, incoming.principal()).await?;
    Ok(answer::empty(StatusCode::OK))
}
