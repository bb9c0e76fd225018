//! Errors in the dialect's form (contract, Errors).

use axum::{
    Json,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;

use crate::{
    api::{
        RETRY_AFTER,
        body::{BodyError, Limit},
        form::Invalid,
        log_failure,
        sentences::sentence,
    },
    app::{
        Failure,
        files::FileError,
        sessions::{OpenError, OperationError},
    },
    auth::{AuthError, Refused},
};

/// The answer to a request that did not succeed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error {
    status: StatusCode,
    message: String,
    /// The methods that the path has.
    allow: Option<String>,
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

    /// 401: the request has no token.
    #[must_use]
    pub fn unauthenticated() -> Self {
        Self::new(
            StatusCode::UNAUTHORIZED,
            "This needs an access token: POST /login gives one, to be sent as \"Authorization: Bearer ...\".",
        )
    }

    /// 404: there is no such thing, or the caller may not know of it.
    pub fn unknown(message: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, message)
    }

    /// 410: the session has been, and is gone.
    pub fn gone(message: impl Into<String>) -> Self {
        Self::new(StatusCode::GONE, message)
    }

    /// 500: not the client's fault. The cause is logged here, and the client is not told.
    pub fn internal(error: &(dyn std::error::Error + 'static)) -> Self {
        log_failure(error);
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "The server could not do this; its log says why.")
    }

    /// 403: the caller may not do this.
    pub fn forbidden(message: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, message)
    }

    /// 405: the path has other methods.
    #[must_use]
    pub fn wrong_method(allow: String) -> Self {
        let message = format!("This path takes {allow} only.");
        Self { allow: Some(allow), ..Self::new(StatusCode::METHOD_NOT_ALLOWED, message) }
    }
}

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        let mut response = (self.status, Json(Body { message: &self.message, link: "" })).into_response();
        let headers = response.headers_mut();
        match self.status {
            StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => {
                headers.insert(header::RETRY_AFTER, self.retry_after.map_or(RETRY_AFTER, HeaderValue::from));
            }
            StatusCode::UNAUTHORIZED => {
                headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            }
            _ => {}
        }
        if let Some(allow) = self.allow.and_then(|allow| HeaderValue::from_str(&allow).ok()) {
            headers.insert(header::ALLOW, allow);
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
            AuthError::Store(error) => return Self::internal(&error),
            AuthError::Disabled | AuthError::Locked | AuthError::PasswordExpired => StatusCode::UNAUTHORIZED,
            _ => error.status(),
        };
        Self { retry_after: error.retry_after(), ..Self::new(status, sentence(&error.to_string())) }
    }
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Unknown(sentence) => Self::unknown(sentence),
            Failure::Forbidden(sentence) => Self::forbidden(sentence),
            Failure::Exists(sentence) => Self::new(StatusCode::CONFLICT, sentence),
            Failure::Invalid(sentence) => Self::invalid(sentence),
            Failure::R(message) => Self::invalid(sentence(&message)),
            Failure::TooLarge(mib) => BodyError::TooLarge(Limit::Mib(mib)).into(),
            Failure::Operation(error) => error.into(),
            Failure::Open(error) => error.into(),
            Failure::Store(error) => Self::internal(&error),
            Failure::File(error) => Self::internal(&error),
        }
    }
}

impl From<OperationError> for Error {
    fn from(error: OperationError) -> Self {
        let status = match error {
            OperationError::Busy | OperationError::QueueFull | OperationError::NothingKept(_) | OperationError::Unread(_) => {
                StatusCode::TOO_MANY_REQUESTS
            }
            OperationError::Refused(_) | OperationError::InvalidInput(_) | OperationError::TooLong(..) => StatusCode::BAD_REQUEST,
            OperationError::Closed(_) | OperationError::Dead(_) => StatusCode::GONE,
        };
        Self::new(status, sentence(&error.to_string()))
    }
}

impl From<OpenError> for Error {
    fn from(error: OpenError) -> Self {
        if let OpenError::NoWorker(reason) = &error {
            tracing::error!(%reason, "no R session could be opened");
        }
        Self::new(StatusCode::SERVICE_UNAVAILABLE, sentence(&error.to_string()))
    }
}

impl From<FileError> for Error {
    fn from(error: FileError) -> Self {
        Failure::from(error).into()
    }
}
