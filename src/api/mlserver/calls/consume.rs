//! Calls of services (contract, Web services — consumption).

use axum::{body::Body, http::StatusCode, response::Response};
use base64_simd::STANDARD;
use bytes::Bytes;
use serde::Serialize;

use super::execute::failure;
use crate::{
    api::{
        body::PartsBody,
        mlserver::{answer, error::Error, request::Incoming},
    },
    app::services::Consumed,
};

/// `POST /api/{name}/{version}`: the body is an object with the inputs by name.
pub async fn consume(incoming: &mut Incoming) -> Result<Response, Error> {
    let callable = incoming.app.service(incoming.principal(), incoming.part("name"), incoming.part("version")).await?;
    let body = incoming.read_body().await?;
    let inputs = std::str::from_utf8(&body).map_err(|_| Error::invalid("The body has to be an object in JSON, and is not UTF-8."))?;
    let inputs = if inputs.trim().is_empty() { "{}" } else { inputs };
    let consumed = incoming.app.service_consume(incoming.principal(), &callable, inputs).await?;
    Ok(answer::json_body(StatusCode::OK, result(consumed)))
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Beginning<'a> {
    success: bool,
    error_message: &'a str,
    console_output: &'a str,
    changed_files: Vec<&'a str>,
}

/// The result of a call. Outputs are sent as the worker has written them.
pub fn result(consumed: Consumed) -> Body {
    Body::new(PartsBody::new(parts(consumed)))
}

fn parts(Consumed { outcome, files, .. }: Consumed) -> [Bytes; 3] {
    let failure = failure(&outcome);
    let beginning = Beginning {
        success: failure.is_none(),
        error_message: failure.as_deref().unwrap_or_default(),
        console_output: &outcome.console,
        changed_files: outcome.executed.changed.iter().map(|file| file.path.as_str()).collect(),
    };
    let mut before = serde_json::to_string(&beginning).unwrap_or_default();
    before.pop();
    before.push_str(",\"outputParameters\":");
    let mut after = String::new();
    if !files.is_empty() {
        let files: std::collections::BTreeMap<_, _> =
            files.iter().map(|(name, content)| (name, STANDARD.encode_to_string(content))).collect();
        after.push_str(",\"outputFiles\":");
        after.push_str(&serde_json::to_string(&files).unwrap_or_default());
    }
    after.push('}');
    let outputs = if outcome.objects.is_empty() { Bytes::from_static(b"{}") } else { outcome.objects };
    [before.into(), outputs, after.into()]
}
