//! `/status`: the state of the server's parts (contract, Status).

use std::collections::BTreeMap;

use axum::{http::StatusCode, response::Response};
use serde::Serialize;
use serde_json::json;

use crate::api::{
    address,
    mlserver::{answer, error::Error, request::Incoming},
};

/// The state of a part, with those of its own parts.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct StatusView {
    status_code: &'static str,
    components: BTreeMap<String, StatusView>,
    details: serde_json::Value,
}

impl StatusView {
    fn new(passes: bool, details: serde_json::Value) -> Self {
        Self { status_code: if passes { "pass" } else { "fail" }, components: BTreeMap::new(), details }
    }

    /// What is made of these parts: it fails if one of them fails, and warns if one of them does.
    fn of(components: impl IntoIterator<Item = (String, Self)>) -> Self {
        let components: BTreeMap<_, _> = components.into_iter().collect();
        let has = |code| components.values().any(|component: &Self| component.status_code == code);
        let status_code = ["fail", "warn"].into_iter().find(|code| has(*code)).unwrap_or("pass");
        Self { status_code, components, details: json!({}) }
    }
}

/// `GET /status`
pub async fn status(incoming: &mut Incoming) -> Result<Response, Error> {
    let app = &incoming.app;
    let readiness = app.readiness().await;
    let runtime = app.runtime();
    let sessions = &app.settings().sessions;
    let capacity = json!({
        "maxPoolSize": sessions.max,
        "activeShellCount": runtime.sessions,
        "currentPoolSize": runtime.ready,
        "version": runtime.version,
    });
    let mut backend = StatusView::new(readiness.r, capacity);
    if readiness.r && readiness.free == Some(0) {
        backend.status_code = "warn";
    }
    let database = StatusView::new(readiness.store, json!({ "type": "sqlite", "state": if readiness.store { "Open" } else { "Broken" } }));
    let sources: Vec<&str> = app.accounts().source_names();
    let authentication = StatusView::new(true, json!({ "type": sources.join(", ") }));
    let all = StatusView::of([
        ("backends".to_owned(), StatusView::of([(address(&incoming.headers), backend)])),
        ("database".to_owned(), database),
        ("authentication".to_owned(), authentication),
    ]);
    Ok(answer::json(StatusCode::OK, &all))
}
