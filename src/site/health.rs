//! `/_ready` and, on listeners for monitors, `/_check`.

use std::sync::Arc;

use axum::{
    Router,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};

use crate::app::App;

/// `/_ready`.
pub(super) fn router(app: &Arc<App>) -> Router {
    Router::new().route("/_ready", get(ready)).with_state(Arc::clone(app))
}

/// `/_check` of a listener for monitors: whoever gets an answer knows that the server is alive. At the addresses of the
/// APIs, `/_check` is a call of a dialect, which asks R as well.
pub(super) fn check_router() -> Router {
    Router::new().route("/_check", get(async || StatusCode::NO_CONTENT))
}

/// Whether the server can open a session, and what it lacks if it cannot.
async fn ready(State(app): State<Arc<App>>) -> Response {
    let readiness = app.readiness().await;
    let status = if readiness.is_ready() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let body = serde_json::json!({
        "ready": readiness.is_ready(),
        "r": readiness.r,
        "store": readiness.store,
        "free": readiness.free,
        "serving": readiness.serving,
    });
    (status, [(header::CONTENT_TYPE, "application/json")], body.to_string()).into_response()
}
