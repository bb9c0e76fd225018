//! Batches: calls of a service for each of many inputs (contract, Web services — consumption).

use axum::{body::Body, http::StatusCode, response::Response};
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use serde::Serialize;
use uuid::Uuid;

use crate::{
    api::{
        file::{self, Disposition},
        mlserver::{answer, error::Error, request::Incoming},
    },
    app::{
        batches::{Batch, BatchState},
        results::up_to,
    },
};

/// The identity of a batch, under the name of the original and under that which a client of it reads.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct StartBatchExecutionResponse {
    batch_execution_id: Uuid,
    #[serde(rename = "BatchExecutionId")]
    same: Uuid,
}

/// A batch without its results.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct BatchView<'a> {
    state: &'static str,
    completed_item_count: u64,
    total_item_count: u64,
    /// Why it has failed, which the original does not tell.
    #[serde(skip_serializing_if = "str::is_empty")]
    error_message: &'a str,
}

/// `POST /api/{name}/{version}/batch`: the body is an array of what a call takes.
pub async fn start(incoming: &mut Incoming) -> Result<Response, Error> {
    let callable = incoming.app.service(incoming.principal(), incoming.part("name"), incoming.part("version")).await?;
    let parallel = incoming.query.count("parallelCount")?.map(|count| count as u64);
    let body = incoming.read_body().await?;
    let inputs = std::str::from_utf8(&body).map_err(|_| Error::invalid("The body has to be an array in JSON, and is not UTF-8."))?;
    let id = incoming.app.batch_start(incoming.principal(), &callable.service, inputs, parallel).await?;
    Ok(answer::json(StatusCode::ACCEPTED, &StartBatchExecutionResponse { batch_execution_id: id, same: id }))
}

/// `GET /api/{name}/{version}/batch`: the caller's, oldest first.
pub async fn list(incoming: &mut Incoming) -> Result<Response, Error> {
    let batches = incoming.app.batch_list(incoming.principal(), incoming.part("name"), incoming.part("version")).await?;
    Ok(answer::json(StatusCode::OK, &batches))
}

/// `GET /api/{name}/{version}/batch/{batch}`: its state, with the results that are there, in the order of the inputs. The parameter that
/// leaves them out while the batch is under way has one name in the original and another in a client of it.
pub async fn show(incoming: &mut Incoming) -> Result<Response, Error> {
    let batch = find(incoming).await?;
    let mut shown = batch.state == BatchState::Complete;
    if !shown {
        let partial = incoming.query.boolean("showPartialResults")?;
        shown = partial.or(incoming.query.boolean("showPartialResult")?).unwrap_or(true);
    }
    let mut view = BatchView {
        state: match batch.state {
            BatchState::Pending => "pending",
            BatchState::Running => "inProgress",
            BatchState::Complete => "complete",
            BatchState::Failed => "failed",
        },
        completed_item_count: batch.completed,
        total_item_count: batch.total,
        error_message: &batch.problem,
    };
    let mut results = stream::empty().boxed();
    if shown {
        (view.completed_item_count, results) = incoming.app.batch_results(&batch).await?;
    }
    let before = up_to(&view, "batchExecutionResults") + "[";
    let one = |text: Bytes| stream::iter([Ok(text)]);
    let body = one(before.into()).chain(results).chain(one(Bytes::from_static(b"]}")));
    Ok(answer::json_body(StatusCode::OK, Body::from_stream(body)))
}

/// `DELETE /api/{name}/{version}/batch/{batch}`: calls that are under way are ended.
pub async fn remove(incoming: &mut Incoming) -> Result<Response, Error> {
    let batch = find(incoming).await?;
    incoming.app.batch_remove(incoming.principal(), &batch).await?;
    Ok(answer::empty(StatusCode::OK))
}

/// `GET /api/{name}/{version}/batch/{batch}/{index}/files`: the names of the files that one call has left; calls are counted from 0.
pub async fn files(incoming: &mut Incoming) -> Result<Response, Error> {
    let batch = find(incoming).await?;
    let files = incoming.app.batch_files(&batch, index(incoming)?).await?;
    Ok(answer::json(StatusCode::OK, &files.iter().map(|(name, _)| name).collect::<Vec<_>>()))
}

/// `GET /api/{name}/{version}/batch/{batch}/{index}/files/{file}`
pub async fn download(incoming: &mut Incoming) -> Result<Response, Error> {
    let batch = find(incoming).await?;
    let name = incoming.part("file");
    let (content, length) = incoming.app.batch_file(&batch, index(incoming)?, name).await?;
    Ok(file::answer(Body::from_stream(content), length, name, Disposition::Download))
}

/// The caller's batch that the path names.
async fn find(incoming: &Incoming) -> Result<Batch, Error> {
    let id = incoming.id("batch", "batch")?;
    Ok(incoming.app.batch(incoming.principal(), incoming.part("name"), incoming.part("version"), id).await?)
}

fn index(incoming: &Incoming) -> Result<u64, Error> {
    let index = incoming.part("index");
    index.parse().map_err(|_| Error::unknown(format!("There is no call {index:?}: they are counted from 0.")))
}
