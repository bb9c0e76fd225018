//! What a listener serves.

use std::sync::Arc;

use axum::{Router, extract::Request, response::Response};
use tower::ServiceExt;

use super::requests;
use crate::auth::{Arrival, Gate};

/// Changes a request before a route is looked for.
type Prepare = dyn Fn(Request) -> Request + Send + Sync;

/// A router, and what happens to each request around it.
///
/// None of this is a layer of the router: axum puts layers around each route, so that they would see a request only once
/// its route has been found.
#[derive(Clone)]
pub struct Site {
    gate: Arc<Gate>,
    router: Router,
    refusals: Router,
    prepare: Arc<Prepare>,
}

impl std::fmt::Debug for Site {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Site").finish_non_exhaustive()
    }
}

impl Site {
    /// Serves a router. `prepare` may change a request before its route is looked for. Requests that the gate refuses go
    /// to `refusals`, with the reason as an extension.
    #[must_use]
    pub fn new(gate: Arc<Gate>, router: Router, refusals: Router, prepare: impl Fn(Request) -> Request + Send + Sync + 'static) -> Self {
        Self { gate, router, refusals, prepare: Arc::new(prepare) }
    }

    /// Answers a request. It is followed, for the log, from its head to the end of its answer.
    pub(super) fn answer(&self, mut request: Request, arrival: Arrival) -> impl Future<Output = Response> + Send + use<> {
        let router = match self.gate.check(arrival, &request) {
            Ok(()) => self.router.clone(),
            Err(refused) => {
                request.extensions_mut().insert(refused);
                self.refusals.clone()
            }
        };
        let prepare = Arc::clone(&self.prepare);
        requests::follow(request, async move |request| {
            let Ok(response) = router.oneshot(prepare(request)).await;
            response
        })
    }
}
