//! `/_ready`, `/metrics` and, on listeners of their own, `/_check`: for whoever operates the server.

use std::{net::IpAddr, sync::Arc};

use axum::{
    Extension, Router,
    extract::{Request, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
    routing::{any, get},
};
use metrics_exporter_prometheus::PrometheusHandle;

use crate::{
    api::{self, RETRY_AFTER, basic, path_cookie},
    app::App,
    auth::{
        AuthError, Gate, Permission, Principal, Refused,
        origin::{check_origin, client_address, is_https},
        permissions::allows,
    },
    config::Http,
    server::{Site, layers, requests::Notes},
    telemetry::measures,
};

/// The content type of measurements (Prometheus, "Exposition formats").
const TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// What the calls need; cheap to clone.
#[derive(Debug, Clone)]
struct Operation {
    app: Arc<App>,
    measures: PrometheusHandle,
    /// Whether everybody may see the measurements.
    open: bool,
}

/// All dialects, with the calls beside them, and what every request passes.
///
/// # Errors
/// A sentence that names the setting at fault.
pub fn site(app: &Arc<App>, gate: &Arc<Gate>, measures: &PrometheusHandle, http: &Http) -> Result<Site, String> {
    let router = layers::around(calls(app, measures, false).merge(api::router(app)), http)?;
    // Pages that may call are told why they were refused.
    let refusals = layers::around(api::refusals(app).route("/_ready", any(refuse)).route("/metrics", any(refuse)), http)?;
    // A cookie is no part of any path that is looked for.
    Ok(Site::new(Arc::clone(gate), router, refusals, path_cookie::take))
}

/// The calls alone, open to whoever reaches the listener.
pub fn open_site(app: &Arc<App>, gate: &Arc<Gate>, measures: &PrometheusHandle) -> Site {
    let router = calls(app, measures, true).route("/_check", get(check));
    Site::new(Arc::clone(gate), router, Router::new().fallback(refuse), |request| request)
}

/// Says why the gate has refused a request.
async fn refuse(Extension(refused): Extension<Refused>) -> Response {
    (refused.status(), format!("{refused}\n")).into_response()
}

fn calls(app: &Arc<App>, measures: &PrometheusHandle, open: bool) -> Router {
    let state = Operation { app: Arc::clone(app), measures: measures.clone(), open };
    Router::new().route("/_ready", get(ready)).route("/metrics", get(metrics)).with_state(state)
}

/// The server is alive: it answers. At the addresses of the APIs this is a call of Rock's, which asks R as well.
async fn check() -> StatusCode {
    StatusCode::NO_CONTENT
}

/// The server can open a session, or what it wants for that.
async fn ready(State(Operation { app, .. }): State<Operation>) -> Response {
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

async fn metrics(State(operation): State<Operation>, request: Request) -> Response {
    let Operation { app, measures, open } = operation;
    if !open {
        let notes = Notes::of(&request);
        notes.call("operation", "/metrics");
        let address = client_address(request.extensions());
        if let Err(refusal) = check_administrator(&app, request.headers(), address, &notes).await {
            return refusal;
        }
    }
    app.measure();
    ([(header::CONTENT_TYPE, TEXT)], measures::text(&measures)).into_response()
}

/// Whether an administrator asks, by HTTP's basic authentication.
async fn check_administrator(app: &App, headers: &HeaderMap, address: IpAddr, notes: &Notes) -> Result<(), Response> {
    let forbidden = |what: String| (StatusCode::FORBIDDEN, what + "\n").into_response();
    check_origin(&app.rules().now(), address, is_https(headers), true).map_err(|error| forbidden(error.to_string()))?;
    let Some((name, password)) = basic::credentials(headers).flatten() else {
        let ask = [(header::WWW_AUTHENTICATE, "Basic realm=\"offshoot\", charset=\"UTF-8\"")];
        return Err((StatusCode::UNAUTHORIZED, ask, "Only an administrator may see the measurements: log in.\n").into_response());
    };
    app.accounts().authenticate(&name, &password, address).await.map_err(|error| match error {
        AuthError::Store(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
        AuthError::TooMany => (StatusCode::TOO_MANY_REQUESTS, [(header::RETRY_AFTER, RETRY_AFTER)], format!("{error}\n")).into_response(),
        error => forbidden(error.to_string()),
    })?;
    notes.user(&name);
    let rules = app.rules().now();
    if allows(&rules, &Principal::with_password(&rules, &name, address), Permission::Administer) {
        Ok(())
    } else {
        Err(forbidden("Only an administrator may see the measurements.".to_owned()))
    }
}
