//! What every request passes, whatever it asks for: CORS and compression.

use axum::{
    Router,
    http::{Response, header},
};
use http_body::Body;
use tower_http::{
    CompressionLevel,
    compression::{
        CompressionLayer, Predicate,
        predicate::{And, SizeAbove},
    },
    cors::{AllowHeaders, AllowMethods, AllowOrigin, Any, CorsLayer},
};

use super::{SettingError, requests::REQUEST_ID};
use crate::config;

/// How long a browser may remember what it has been allowed.
const PREFLIGHT: std::time::Duration = std::time::Duration::from_mins(10);

/// Puts the layers that are configured around a router.
///
/// # Errors
/// [`SettingError`]
pub fn around(mut router: Router, config: &config::Http) -> Result<Router, SettingError> {
    if config.compress_kib > 0 {
        let when: And<SizeAbove, Compressible> = SizeAbove::new(config.compress_kib << 10).and(Compressible);
        // The fastest level: it keeps up with any network that is slow enough for compression to pay.
        router = router.layer(CompressionLayer::new().gzip(true).quality(CompressionLevel::Fastest).compress_when(when));
    }
    let origins = config.origins().map_err(SettingError)?;
    if !origins.is_empty() {
        let cors = CorsLayer::new().allow_methods(AllowMethods::mirror_request()).allow_headers(AllowHeaders::mirror_request());
        let cors = cors.max_age(PREFLIGHT).expose_headers([REQUEST_ID]);
        // Browsers ignore credentials with a wildcard (Fetch, section 3.3.5).
        router = router.layer(if origins.iter().any(|origin| origin == "*") {
            cors.allow_origin(Any)
        } else {
            cors.allow_origin(AllowOrigin::list(origins)).allow_credentials(true)
        });
    }
    Ok(router)
}

/// Compresses text whose size is known. Pictures and archives are compressed already, and a stream of events has to
/// arrive piece by piece.
#[derive(Debug, Clone, Copy)]
struct Compressible;

impl Predicate for Compressible {
    fn should_compress<B: Body>(&self, response: &Response<B>) -> bool {
        const KINDS: [&str; 5] = ["text/", "application/json", "application/xml", "application/javascript", "image/svg+xml"];
        let headers = response.headers();
        let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        let known = headers.contains_key(header::CONTENT_LENGTH) || response.body().size_hint().exact().is_some();
        known && KINDS.iter().any(|start| kind.starts_with(start))
    }
}
