//! What an issuer is asked, and its answers. These are bounded, in size and in time: an issuer may be ill, or be somebody else.

use std::{sync::Arc, time::Duration};

use axum::http;
use serde::de::DeserializeOwned;

use crate::{auth::authorities::trusting, config::issuer::IssuerSettings, with_sources};

/// The largest answer, in bytes. Documents and keys have some ten thousand.
const LARGEST: usize = 1 << 20;

/// An issuer cannot be asked. The text is for the log, and not for the client.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{0}")]
pub(super) struct Unreachable(Arc<str>);

impl Unreachable {
    pub(super) fn new(text: impl Into<Arc<str>>) -> Self {
        Self(text.into())
    }
}

/// Asks one issuer.
#[derive(Debug, Clone)]
pub(super) struct Fetcher(reqwest::Client);

impl Fetcher {
    /// # Errors
    /// A sentence that names the setting at fault.
    pub(super) fn new(settings: &IssuerSettings) -> Result<Self, String> {
        let failed = |what: &str| format!("auth.issuer {}: {what}", settings.name);
        let tls = trusting(&settings.ca).map_err(|what| failed(&what))?;
        let client = reqwest::Client::builder()
            .tls_backend_preconfigured(tls)
            // Where an issuer is, its document says. Whoever leads us elsewhere is not the issuer.
            .redirect(reqwest::redirect::Policy::none())
            .timeout(Duration::from_secs(settings.timeout_seconds))
            .build();
        client.map(Self).map_err(|error| failed(&with_sources(&error)))
    }

    /// Gets a document in JSON.
    pub(super) async fn get<T: DeserializeOwned>(&self, url: &str) -> Result<T, Unreachable> {
        let failed = |what: String| Unreachable::new(format!("{url}: {what}"));
        let response = self.read(self.0.get(url)).await.map_err(&failed)?;
        if response.status() != http::StatusCode::OK {
            return Err(failed(format!("it answers {}", response.status())));
        }
        serde_json::from_slice(response.body()).map_err(|error| failed(format!("the answer is not what it should be: {error}")))
    }

    /// Sends a request that a library has made.
    pub(super) async fn send(&self, request: oauth2::HttpRequest) -> Result<oauth2::HttpResponse, Unreachable> {
        let url = request.uri().to_string();
        let (head, body) = request.into_parts();
        let request = self.0.request(head.method, &url).headers(head.headers).body(body);
        self.read(request).await.map_err(|what| Unreachable::new(format!("{url}: {what}")))
    }

    async fn read(&self, request: reqwest::RequestBuilder) -> Result<http::Response<Vec<u8>>, String> {
        let told = |error: reqwest::Error| with_sources(&error.without_url());
        let mut response = request.send().await.map_err(told)?;
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(told)? {
            if body.len() + chunk.len() > LARGEST {
                return Err(format!("the answer has more than {LARGEST} bytes"));
            }
            body.extend_from_slice(&chunk);
        }
        let mut answer = http::Response::new(body);
        *answer.status_mut() = response.status();
        *answer.headers_mut() = response.headers().clone();
        Ok(answer)
    }
}
