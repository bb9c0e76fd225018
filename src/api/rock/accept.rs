//! The choice between the two forms of an answer (contract, section 1).

use axum::http::HeaderMap;

use super::error::Error;
pub use crate::api::accept::{prefer, takes};

/// The media type of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MediaType {
    /// `application/json`
    Json,
    /// `application/octet-stream`: R's own serialization.
    Rds,
}

impl MediaType {
    /// The value of `Content-Type`.
    #[must_use]
    pub fn content_type(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::Rds => "application/octet-stream",
        }
    }

    /// The form that the client likes best. Among forms of the same quality, the one that the header names first wins. A client that takes
    /// anything gets JSON.
    ///
    /// # Errors
    /// 406 when the client takes neither.
    pub fn negotiate(headers: &HeaderMap) -> Result<Self, Error> {
        const FORMS: [MediaType; 2] = [MediaType::Json, MediaType::Rds];
        let preferred = prefer(headers, FORMS.map(Self::content_type)).and_then(|at| FORMS.get(at).copied());
        preferred.ok_or_else(|| Error::not_acceptable("application/json and as application/octet-stream"))
    }
}

#[cfg(test)]
mod tests {
    use axum::http::header;

    use super::*;

    #[test]
    fn the_best_form_is_chosen() {
        for (accepted, expected) in [
            ("", Some(MediaType::Json)),
            ("*/*", Some(MediaType::Json)),
            ("application/*", Some(MediaType::Json)),
            ("application/json, text/xml, application/xml, */*", Some(MediaType::Json)),
            ("application/octet-stream, application/json", Some(MediaType::Rds)),
            ("application/octet-stream;q=0.5, application/json", Some(MediaType::Json)),
            ("application/json;q=0.1, application/octet-stream;q=0.2", Some(MediaType::Rds)),
            ("text/plain, Application/Octet-Stream", Some(MediaType::Rds)),
            ("application/json;q=0, application/octet-stream", Some(MediaType::Rds)),
            ("application/json;charset=utf-8", Some(MediaType::Json)),
            ("text/plain", None),
            ("application/octet-stream;q=0", None),
            ("application/json;q=0, */*", Some(MediaType::Rds)),
            ("*/*;q=0.1, application/octet-stream;q=0.5, application/*;q=0.2", Some(MediaType::Rds)),
            ("*/*, application/json;q=0.5", Some(MediaType::Rds)),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::ACCEPT, accepted.parse().unwrap());
            assert_eq!(MediaType::negotiate(&headers).ok(), expected, "{accepted}");
        }
    }
}
