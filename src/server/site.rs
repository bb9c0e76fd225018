//! What a listener serves.

use std::sync::Arc;

use axum::{Router, extract::Request, http::HeaderName, response::Response};
use tower::ServiceExt;

use super::requests;
use crate::auth::{Arrival, Gate, Refused};

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
    /// A header that no page can have a browser send to another site.
    of_programs: Option<HeaderName>,
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
        Self { gate, router, refusals, prepare: Arc::new(prepare), of_programs: None }
    }

    /// The same, where requests with this header are taken for those of programs, whatever page they name: a browser sends such a header to
    /// another site only if that agrees (Fetch, section 4.10), and this site does not.
    #[must_use]
    pub fn with_header_of_programs(self, name: HeaderName) -> Self {
        Self { of_programs: Some(name), ..self }
    }

    /// Answers a request. It is followed, for the log, from its head to the end of its answer.
    pub(super) fn answer(&self, mut request: Request, arrival: Arrival) -> impl Future<Output = Response> + Send + use<> {
        let router = match self.gate.check(arrival, &request) {
            Ok(()) => self.router.clone(),
            Err(Refused::OtherSite) if self.of_programs.as_ref().is_some_and(|name| request.headers().contains_key(name)) => {
                self.router.clone()
            }
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
