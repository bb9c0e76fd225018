//! The APIs that clients speak: one folder each, with all its peculiarities.
//!
//! A dialect translates: it parses a request into terms of the core (`crate::app`), and writes the answer in
//! its own form. It never touches the store, a worker or R, and nothing outside its folder knows its name.

pub mod body;
pub mod revodeployr;

use std::sync::Arc;

use axum::Router;

use crate::app::App;

/// All dialects on one listener: their paths do not collide.
pub fn router(app: &Arc<App>) -> Router {
    revodeployr::router(app)
}

/// Whether one of the dialects has a call of that path, written as in the table of its routes.
#[must_use]
pub fn has_call(path: &str) -> bool {
    revodeployr::routes::ROUTES.iter().any(|route| route.path == path)
}
