//! What a listener serves.

use std::sync::Arc;

use axum::{Router, extract::Request, response::Response};
use tower::ServiceExt;

use super::requests;
use crate::auth::{Arrival, Gate};

/// A router, and what happens to each request around it.
///
/// These are no layers of the router: those stand around each of its routes, and would be there only when one has
/// been found.
#[derive(Debug, Clone)]
pub struct Site {
    gate: Arc<Gate>,
    router: Router,
    refusals: Router,
    prepare: fn(Request) -> Request,
}

impl Site {
    /// Serves a router. `prepare` sees each request before it looks for a route. Those that the gate refuses go to
    /// `refusals`, with the reason as an extension.
    #[must_use]
    pub fn new(gate: Arc<Gate>, router: Router, refusals: Router, prepare: fn(Request) -> Request) -> Self {
        Self { gate, router, refusals, prepare }
    }

    /// Answers a request, which is followed from its head to the end of its answer.
    pub(super) fn answer(&self, mut request: Request, arrival: Arrival) -> impl Future<Output = Response> + Send + use<> {
        let router = match self.gate.check(arrival, &request) {
            Ok(()) => self.router.clone(),
            Err(refused) => {
                request.extensions_mut().insert(refused);
                self.refusals.clone()
            }
        };
        let prepare = self.prepare;
        requests::follow(request, async move |request| {
            let Ok(response) = router.oneshot(prepare(request)).await;
            response
        })
    }
}
