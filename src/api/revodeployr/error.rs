//! Errors in the dialect's form (contract, section 2).

use axum::{
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};

use super::{
    envelope::{Answer, Format},
    identifiers,
};
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
        sessions::{LookupError, OpenError, OperationError},
    },
    auth::{AuthError, Refused},
};

/// The `errorCode` of errors that R raised. Protocol errors have their status as the code.
pub const R_ERROR: u16 = 900;
/// The `errorCode` when a limit was reached: time or processor time.
pub const LIMIT: u16 = 914;

/// The answer to a request that did not succeed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error {
    status: StatusCode,
    message: String,
    /// The status, or one of the dialect's own codes.
    code: u16,
    /// The session that the request named, if it exists.
    session: Option<String>,
    allow: Option<&'static str>,
    /// When to try again, in seconds, if that is not the usual time.
    retry_after: Option<u64>,
}

impl Error {
    fn new(status: StatusCode, message: impl Into<String>) -> Self {
        Self { status, message: message.into(), code: status.as_u16(), session: None, allow: None, retry_after: None }
    }

    /// 400: something in the request is wrong.
    pub fn invalid(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, message)
    }

    /// 200: R raised an error, which is neither the caller's fault nor the server's.
    fn of_r(message: String) -> Self {
        Self { code: R_ERROR, ..Self::new(StatusCode::OK, message) }
    }

    /// 401: nobody is logged in.
    #[must_use]
    pub fn not_logged_in() -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "You are not logged in, or your login has ended: call /r/user/login first.")
    }

    /// 403: the caller may not do this.
    pub fn forbidden(message: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, message)
    }

    /// 404: no such path, or no such file.
    pub fn not_found(message: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, message)
    }

    /// 405: the call has other methods.
    #[must_use]
    pub fn wrong_method(allow: &'static str) -> Self {
        Self { allow: Some(allow), ..Self::new(StatusCode::METHOD_NOT_ALLOWED, format!("This call allows {allow} only.")) }
    }

    /// 409: the session already runs something.
    #[must_use]
    pub fn busy() -> Self {
        Self::new(StatusCode::CONFLICT, "The R session is busy; try again when it has finished.")
    }

    /// 413: the request is larger than this many MiB.
    #[must_use]
    pub fn too_large(mib: u64) -> Self {
        BodyError::TooLarge(Limit::Mib(mib)).into()
    }

    /// 503: a logout is under way.
    #[must_use]
    pub fn logging_out() -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "You are being logged out.")
    }

    /// The message and the code, to be told in an answer about something else.
    #[must_use]
    pub fn told(self) -> (String, u16) {
        (self.message, self.code)
    }

    /// Adds the session that the error is about.
    #[must_use]
    pub fn of_session(self, session: uuid::Uuid) -> Self {
        Self { session: Some(identifiers::session(session)), ..self }
    }

    /// The response to a call.
    #[must_use]
    pub fn answer(self, call: &str, format: Format) -> Response {
        let answer = Answer { error: Some((self.message, self.code)), session: self.session, ..Answer::default() };
        let mut response = (self.status, answer.render(call, format)).into_response();
        if self.status == StatusCode::TOO_MANY_REQUESTS {
            response.headers_mut().insert(header::RETRY_AFTER, self.retry_after.map_or(RETRY_AFTER, HeaderValue::from));
        }
        if let Some(allow) = self.allow {
            response.headers_mut().insert(header::ALLOW, HeaderValue::from_static(allow));
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
        match error {
            AuthError::Store(error) => Self::internal(&error),
            error => Self { retry_after: error.retry_after(), ..Self::new(error.status(), sentence(&error.to_string())) },
        }
    }
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Unknown(text) | Failure::Exists(text) | Failure::Invalid(text) => Self::invalid(sentence(&text)),
            Failure::Forbidden(sentence) => Self::forbidden(sentence),
            Failure::R(message) => Self::of_r(message),
            Failure::TooLarge(mib) => Self::too_large(mib),
            Failure::Operation(error) => error.into(),
            Failure::Open(error) => error.into(),
            failure @ (Failure::Store(_) | Failure::File(_)) => Self::internal(&failure),
        }
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

impl From<LookupError> for Error {
    fn from(error: LookupError) -> Self {
        Self::invalid(format!("Invalid session identifier: {error}."))
    }
}

impl From<OperationError> for Error {
    fn from(error: OperationError) -> Self {
        match error {
            OperationError::Busy | OperationError::QueueFull => Self::busy(),
            OperationError::NothingKept(_) | OperationError::Unread(_) => Self::new(StatusCode::TOO_MANY_REQUESTS, error.to_string()),
            OperationError::Refused(message) => Self::of_r(message),
            OperationError::InvalidInput(sentence) => Self::invalid(sentence),
            OperationError::TooLong(..) => Self::invalid(format!("Too many or too long names: {error}.")),
            OperationError::Closed(_) => Self::invalid(format!("Invalid session identifier: {error}.")),
            OperationError::Dead(tombstone) => Self::new(StatusCode::BAD_GATEWAY, format!("The R session has ended: {tombstone}")),
        }
    }
}

impl Error {
    /// 500: not the client's fault. The cause is logged here, and the client is not told.
    pub fn internal(error: &(dyn std::error::Error + 'static)) -> Self {
        log_failure(error);
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "The server could not do this; its log says why.")
    }
}
