//! What the listeners serve: the dialects, of which that of remote workspaces has listeners of its own, and, beside them, what is no dialect's. That is the start page for people
//! (`start`), logins by a browser (`oidc`), `/_ready` and `/_check` for monitors (`health`), and `/metrics` for Prometheus (`metrics`). The control socket
//! has calls for the administrator's commands (`control`).

mod control;
mod health;
mod metrics;
mod oidc;
mod page;
mod start;

use std::sync::Arc;

use axum::{
    Extension, Router,
    response::{IntoResponse, Response},
    routing::any,
};
use metrics_exporter_prometheus::PrometheusHandle;

use crate::{
    api::{self, path_cookie},
    app::App,
    auth::{Gate, Refused},
    config::Http,
    server::{SettingError, Site, layers},
};

pub use control::control;

/// The site of the addresses in `listen`: everything. A demonstration shows its passwords on the start page.
///
/// # Errors
/// [`SettingError`]
pub fn public(
    app: &Arc<App>,
    gate: &Arc<Gate>,
    measures: &PrometheusHandle,
    http: &Http,
    is_demonstration: bool,
) -> Result<Site, SettingError> {
    let router = health::router(app)
        .merge(metrics::router(app, measures, false))
        .merge(start::router(app, is_demonstration))
        .merge(oidc::router(app));
    let router = layers::around(router.merge(api::router(app)), http)?;
    // The gate's refusals carry CORS headers too, so that pages that may call can read why.
    let refusals = ["/_ready", "/metrics", start::PATH, oidc::LOGIN, oidc::CALLBACK]
        .into_iter()
        .fold(api::refusals(app), |router, path| router.route(path, any(refuse)));
    let refusals = layers::around(refusals, http)?;
    let context = api::context(app).to_owned();
    // A cookie in the path would hide the path that is looked for.
    Ok(Site::new(Arc::clone(gate), router, refusals, move |request| start::lead(path_cookie::take(request), &context)))
}

/// The site of the listeners that remote workspaces have. It has no layers, as its clients are no browsers.
#[must_use]
pub fn workspaces(app: &Arc<App>, gate: &Arc<Gate>) -> Site {
    let (router, refusals) = api::workspaces(app);
    Site::new(Arc::clone(gate), router, refusals, |request| request).with_header_of_programs(api::WORKSPACE_PAGE)
}

/// The site of the addresses in `metrics.listen`: for monitors, and open to whoever reaches it.
pub fn monitors(app: &Arc<App>, gate: &Arc<Gate>, measures: &PrometheusHandle) -> Site {
    let router = health::router(app).merge(health::check_router()).merge(metrics::router(app, measures, true));
    Site::new(Arc::clone(gate), router, Router::new().fallback(refuse), |request| request)
}

/// Says why the gate has refused a request.
async fn refuse(Extension(refused): Extension<Refused>) -> Response {
    (refused.status(), format!("{refused}\n")).into_response()
}
