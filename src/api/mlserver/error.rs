//! Errors in the dialect's form (contract, Errors).

use axum::{
    Json,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;

use crate::{
    api::{RETRY_AFTER, body::BodyError, form::Invalid, log_failure, sentences::sentence},
    auth::{AuthError, Refused},
};

/// The answer to a request that did not succeed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error {
    status: StatusCode,
    message: String,
    /// The methods that the path has.
    allow: Option<&'static str>,
    /// When to try again, in seconds, if that is not the usual time.
    retry_after: Option<u64>,
}

#[derive(Serialize)]
struct Body<'a> {
    message: &'a str,
    link: &'a str,
}

impl Error {
    fn new(status: StatusCode, message: impl Into<String>) -> Self {
        Self { status, message: message.into(), allow: None, retry_after: None }
    }

    /// 400: something in the request is wrong.
    pub fn invalid(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, message)
    }

    /// 403: the caller may not do this.
    pub fn forbidden(message: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, message)
    }

    /// 405: the path has other methods.
    #[must_use]
    pub fn wrong_method(allow: &'static str) -> Self {
        Self { allow: Some(allow), ..Self::new(StatusCode::METHOD_NOT_ALLOWED, format!("This path takes {allow} only.")) }
    }
}

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        let mut response = (self.status, Json(Body { message: &self.message, link: "" })).into_response();
        let headers = response.headers_mut();
        match self.status {
            StatusCode::TOO_MANY_REQUESTS => {
                headers.insert(header::RETRY_AFTER, self.retry_after.map_or(RETRY_AFTER, HeaderValue::from));
            }
            StatusCode::UNAUTHORIZED => {
                headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            }
            _ => {}
        }
        if let Some(allow) = self.allow {
            headers.insert(header::ALLOW, HeaderValue::from_static(allow));
        }
        response
    }
}

impl From<Invalid> for Error {
    fn from(Invalid(message): Invalid) -> Self {
        Self::invalid(message)
    }
}

impl From<BodyError> for Error {
    fn from(error: BodyError) -> Self {
        Self::new(error.status(), error.to_string())
    }
}

impl From<Refused> for Error {
    fn from(refused: Refused) -> Self {
        Self::new(refused.status(), refused.to_string())
    }
}

impl From<AuthError> for Error {
    fn from(error: AuthError) -> Self {
        let status = match error {
            AuthError::Store(error) => {
                log_failure(&error);
                return Self::new(StatusCode::INTERNAL_SERVER_ERROR, "The server could not do this; its log says why.");
            }
            AuthError::Disabled | AuthError::Locked | AuthError::PasswordExpired => StatusCode::UNAUTHORIZED,
            _ => error.status(),
        };
        Self { retry_after: error.retry_after(), ..Self::new(status, sentence(&error.to_string())) }
    }
}
