//! What a listener serves.

use axum::{Router, extract::Request, response::Response};
use tower::ServiceExt;

use crate::telemetry::requests;

/// A router, and what happens to each request around it.
///
/// These are no layers of the router: those stand around each of its routes, and would be there only when one has
/// been found.
#[derive(Debug, Clone)]
pub struct Site {
    router: Router,
    prepare: fn(Request) -> Request,
}

impl Site {
    /// Serves a router. `prepare` sees each request before it looks for a route.
    #[must_use]
    pub fn new(router: Router, prepare: fn(Request) -> Request) -> Self {
        Self { router, prepare }
    }

    /// Answers a request, which is followed from its head to the end of its answer.
    pub(super) fn answer(&self, request: Request) -> impl Future<Output = Response> + Send + use<> {
        let Self { router, prepare } = self.clone();
        requests::follow(request, async move |request| {
            let Ok(response) = router.oneshot(prepare(request)).await;
            response
        })
    }
}
