//! Calls by the control socket, for the administrator's commands: sessions are listed, shown, interrupted and closed. Nobody else is to rely
//! on their form: the commands have one.

use std::sync::Arc;

use axum::{
    Extension, Json, Router,
    extract::{Path, State},
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::{get, post},
};

use crate::{
    app::{App, Failure},
    server::local::LocalUser,
};

/// Serves the calls.
pub fn control(app: &Arc<App>) -> Router {
    Router::new()
        .route("/sessions", get(list))
        .route("/sessions/{id}", get(show))
        .route("/sessions/{id}/close", post(close))
        .route("/sessions/{id}/kill", post(kill))
        .route("/sessions/{id}/interrupt", post(interrupt))
        .with_state(Arc::clone(app))
}

async fn list(State(app): State<Arc<App>>) -> Response {
    Json(app.administration_list().await).into_response()
}

async fn show(State(app): State<Arc<App>>, Path(id): Path<String>) -> Response {
    answer(app.administration_show(&id).await)
}

async fn close(State(app): State<Arc<App>>, Extension(LocalUser(user)): Extension<LocalUser>, Path(id): Path<String>) -> Response {
    answer(app.administration_close(&id, false, user))
}

async fn kill(State(app): State<Arc<App>>, Extension(LocalUser(user)): Extension<LocalUser>, Path(id): Path<String>) -> Response {
    answer(app.administration_close(&id, true, user))
}

async fn interrupt(State(app): State<Arc<App>>, Extension(LocalUser(user)): Extension<LocalUser>, Path(id): Path<String>) -> Response {
    answer(app.administration_interrupt(&id, user))
}

/// A failure is told by its sentence.
fn answer(done: Result<impl serde::Serialize, Failure>) -> Response {
    match done {
        Ok(done) => Json(done).into_response(),
        Err(failure @ Failure::Unknown(_)) => (StatusCode::NOT_FOUND, failure.to_string()).into_response(),
        Err(failure) => (StatusCode::BAD_REQUEST, failure.to_string()).into_response(),
    }
}
