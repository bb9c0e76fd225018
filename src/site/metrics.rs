//! `/metrics`: measurements for Prometheus.

use std::sync::Arc;

use axum::{
    Router,
    extract::{Request, State},
    http::{Extensions, HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use metrics_exporter_prometheus::PrometheusHandle;

use crate::{
    api::credentials,
    app::App,
    auth::{
        AuthError, Permission,
        origin::{check_origin, client_address, is_https},
        permissions::allows,
    },
    server::requests::Notes,
    telemetry::measures,
};

/// The content type of measurements (Prometheus, "Exposition formats").
const TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// What the call needs; cheap to clone.
#[derive(Debug, Clone)]
struct Measured {
    app: Arc<App>,
    measures: PrometheusHandle,
    /// Whether everybody may see the measurements.
    is_open: bool,
}

/// `/metrics`, open to everybody or to administrators only.
pub(super) fn router(app: &Arc<App>, measures: &PrometheusHandle, is_open: bool) -> Router {
    let state = Measured { app: Arc::clone(app), measures: measures.clone(), is_open };
    Router::new().route("/metrics", get(metrics)).with_state(state)
}

async fn metrics(State(measured): State<Measured>, request: Request) -> Response {
    let Measured { app, measures, is_open } = measured;
    if !is_open {
        let notes = Notes::of(&request);
        notes.call("operation", "/metrics");
        if let Err(refusal) = check_administrator(&app, request.headers(), request.extensions(), &notes).await {
            return refusal;
        }
    }
    app.measure();
    ([(header::CONTENT_TYPE, TEXT)], measures::text(&measures)).into_response()
}

/// Whether an administrator asks, by HTTP's basic authentication.
async fn check_administrator(app: &App, headers: &HeaderMap, extensions: &Extensions, notes: &Notes) -> Result<(), Response> {
    let address = client_address(extensions);
    let forbidden = |what: String| (StatusCode::FORBIDDEN, what + "\n").into_response();
    check_origin(&app.rules().now(), address, is_https(headers), true).map_err(|error| forbidden(error.to_string()))?;
    let principal = credentials::principal(app, headers, extensions).await.map_err(|error| refusal(&error))?;
    let principal = principal.ok_or_else(|| ask_for_login("Only an administrator may see the measurements: log in."))?;
    notes.user(principal.name());
    if allows(&app.rules().now(), &principal, Permission::Administer) {
        Ok(())
    } else {
        Err(forbidden("Only an administrator may see the measurements.".to_owned()))
    }
}

/// What is said of credentials that are not good.
fn refusal(error: &AuthError) -> Response {
    let mut response = match (error, error.status()) {
        // What failed there is for the log.
        (AuthError::Store(_), status) => return status.into_response(),
        (_, StatusCode::UNAUTHORIZED) => ask_for_login(&error.to_string()),
        (_, status) => (status, format!("{error}\n")).into_response(),
    };
    if let Some(seconds) = error.retry_after() {
        response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
    }
    response
}

fn ask_for_login(why: &str) -> Response {
    let ask = [(header::WWW_AUTHENTICATE, "Basic realm=\"offshoot\", charset=\"UTF-8\"")];
    (StatusCode::UNAUTHORIZED, ask, format!("{why}\n")).into_response()
}
