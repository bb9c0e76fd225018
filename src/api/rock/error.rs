//! Errors in the dialect's form (contract, section 3).

use axum::{
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;
use uuid::Uuid;

use crate::{
    api::{
        RETRY_AFTER,
        body::{BodyError, Limit},
        form::Invalid,
        log_failure,
        sentences::capital,
    },
    app::sessions::{OpenError, OperationError, Tombstone},
    auth::{AuthError, Refused},
};

/// The answer to a request that did not succeed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error {
    status: StatusCode,
    /// What went wrong, as one word. In the original, it is the name of an exception.
    key: &'static str,
    /// What the message is about; the original sends a list of such arguments.
    subject: Option<String>,
    message: String,
    /// The methods that the path has.
    allow: Option<String>,
    /// When to try again, in seconds, if that is not the usual time.
    retry_after: Option<u64>,
}

/// The body. Its status is text, as in the original.
#[derive(Serialize)]
struct Body<'a> {
    status: &'a str,
    key: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    args: Option<Vec<&'a str>>,
    message: &'a str,
}

impl Error {
    pub(super) fn new(status: StatusCode, key: &'static str, message: impl Into<String>) -> Self {
        Self { status, key, subject: None, message: message.into(), allow: None, retry_after: None }
    }

    /// 400: something in the request is wrong.
    pub fn invalid(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "IllegalArgumentException", message)
    }

    /// 400: a required parameter or part is missing.
    pub fn missing(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "MissingServletRequestParameterException", message)
    }

    /// 400: R raised an error.
    pub fn of_r(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "REvaluationRuntimeException", message)
    }

    /// 401: the name or the password is wrong, or missing.
    pub fn unauthorized(message: impl Into<String>) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "UnAuthorized", message)
    }

    /// 401: the request has no credentials.
    #[must_use]
    pub fn unauthenticated() -> Self {
        Self::unauthorized("Full authentication is required to access this resource")
    }

    /// 403: the caller may not do this.
    pub fn forbidden(message: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, "AccessDeniedException", message)
    }

    /// 404: no such path.
    #[must_use]
    pub fn no_such_path(path: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, "NoResourceFoundException", format!("There is nothing at {path}"))
    }

    /// 404: there is no such session, or not any more. The message says how it ended, if that is known.
    #[must_use]
    pub fn no_such_session(id: &str, end: Option<&Tombstone>) -> Self {
        let reason = end.map(|end| format!(" ({end})")).unwrap_or_default();
        Self {
            subject: Some(id.to_owned()),
            ..Self::new(StatusCode::NOT_FOUND, "RSessionNotFoundException", format!("No such R session: {id}{reason}"))
        }
    }

    /// 404: no such command.
    #[must_use]
    pub fn no_such_command(id: &str) -> Self {
        Self {
            subject: Some(id.to_owned()),
            ..Self::new(StatusCode::NOT_FOUND, "NoSuchRCommandException", format!("No such R command with ID: {id}"))
        }
    }

    /// 404: the last operation has drawn fewer pages.
    #[must_use]
    pub fn no_such_plot(number: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, "NoSuchElementException", format!("No plot with number: {number}"))
    }

    /// 404: no such package.
    #[must_use]
    pub fn no_such_package(name: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, "NoSuchElementException", format!("No package with name: {name}"))
    }

    /// 405: the path has other methods.
    #[must_use]
    pub fn wrong_method(method: &str, allow: &str) -> Self {
        Self {
            allow: Some(allow.to_owned()),
            ..Self::new(
                StatusCode::METHOD_NOT_ALLOWED,
                "HttpRequestMethodNotSupportedException",
                format!("Request method '{method}' is not supported"),
            )
        }
    }

    /// 406: the client takes none of the forms that the answer can have.
    #[must_use]
    pub fn not_acceptable(forms: &str) -> Self {
        Self::new(
            StatusCode::NOT_ACCEPTABLE,
            "HttpMediaTypeNotAcceptableException",
            format!("The answer can be had as {forms}, which the header Accept does not take"),
        )
    }

    /// 415: the body has a type that the call does not take.
    #[must_use]
    pub fn wrong_type(expected: &str) -> Self {
        Self::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "HttpMediaTypeNotSupportedException",
            format!("The content type of the request has to be {expected}"),
        )
    }

    /// 413: the request is larger than this many MiB.
    #[must_use]
    pub fn too_large(mib: u64) -> Self {
        BodyError::TooLarge(Limit::Mib(mib)).into()
    }

    /// 500: R cannot be used.
    pub fn no_r(message: impl Into<String>) -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "RRuntimeException", message)
    }

    /// 500: not the client's fault. The cause is logged here, and the client is not told.
    pub fn internal(error: &(dyn std::error::Error + 'static)) -> Self {
        log_failure(error);
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "RuntimeException", "The server could not do this; its log says why.")
    }

    /// The error for an operation on a session that failed.
    #[must_use]
    pub fn of_operation(error: OperationError, session: Uuid) -> Self {
        match error {
            OperationError::Busy | OperationError::QueueFull => Self::new(
                StatusCode::TOO_MANY_REQUESTS,
                "RejectedExecutionException",
                "Too many operations are waiting for the R session; try again when some have finished",
            ),
            OperationError::NothingKept(_) | OperationError::Unread(_) => {
                Self::new(StatusCode::TOO_MANY_REQUESTS, "RejectedExecutionException", error.to_string())
            }
            OperationError::Refused(message) => Self::of_r(message),
            OperationError::InvalidInput(sentence) => Self::invalid(sentence),
            OperationError::TooLong(..) => Self::invalid(error.to_string()),
            OperationError::Closed(why) => Self::no_such_session(&session.to_string(), why.as_ref()),
            OperationError::Dead(tombstone) => Self::no_r(format!("The R session has ended: {tombstone}")),
        }
    }

    /// The message for the client.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }
}

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        // The original writes only this error by hand: without arguments, and with a line end.
        let by_hand = self.status == StatusCode::UNAUTHORIZED;
        let body = Body {
            status: self.status.as_str(),
            key: self.key,
            args: (!by_hand).then(|| self.subject.as_deref().into_iter().collect()),
            message: &self.message,
        };
        let mut text = serde_json::to_string(&body).unwrap_or_default();
        if by_hand {
            text.push('\n');
        }
        let mut response = (self.status, [(header::CONTENT_TYPE, "application/json")], text).into_response();
        if self.status == StatusCode::TOO_MANY_REQUESTS {
            response.headers_mut().insert(header::RETRY_AFTER, self.retry_after.map_or(RETRY_AFTER, HeaderValue::from));
        }
        if by_hand {
            response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Basic realm=\"RockRealm\""));
        }
        if let Some(methods) = self.allow.and_then(|methods| HeaderValue::from_str(&methods).ok()) {
            response.headers_mut().insert(header::ALLOW, methods);
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
        let key = match error {
            BodyError::TooLarge(_) => "MaxUploadSizeExceededException",
            BodyError::TooSlow => "AsyncRequestTimeoutException",
            BodyError::Broken(_) => "HttpMessageNotReadableException",
        };
        Self::new(error.status(), key, error.to_string())
    }
}

impl From<Refused> for Error {
    fn from(refused: Refused) -> Self {
        let key = if refused.status() == StatusCode::FORBIDDEN { "AccessDeniedException" } else { "IllegalArgumentException" };
        Self::new(refused.status(), key, refused.to_string().trim_end_matches('.'))
    }
}

impl From<AuthError> for Error {
    fn from(error: AuthError) -> Self {
        match error {
            AuthError::Credentials | AuthError::Digest(_) => Self::unauthorized("Bad credentials"),
            AuthError::Token(fault) => Self::unauthorized(capital(&fault.to_string())),
            AuthError::Disabled => Self::unauthorized("User is disabled"),
            AuthError::Locked => Self::unauthorized("User account is locked"),
            AuthError::PasswordExpired => Self::unauthorized("User credentials have expired"),
            error @ (AuthError::TooMany | AuthError::Delayed(_)) => Self {
                retry_after: error.retry_after(),
                ..Self::new(StatusCode::TOO_MANY_REQUESTS, "RejectedExecutionException", capital(&error.to_string()))
            },
            error @ AuthError::Unavailable(_) => {
                Self::new(StatusCode::SERVICE_UNAVAILABLE, "AuthenticationServiceException", capital(&error.to_string()))
            }
            AuthError::Unusable(why) => Self::forbidden(capital(&why)),
            AuthError::Store(error) => Self::internal(&error),
        }
    }
}

impl From<OpenError> for Error {
    fn from(error: OpenError) -> Self {
        let status = match &error {
            OpenError::TooMany(_)
            | OpenError::TooManyOfUser { .. }
            | OpenError::TooManyOfNobody(_)
            | OpenError::LoginOver
            | OpenError::Person(_)
            | OpenError::Stopping => StatusCode::SERVICE_UNAVAILABLE,
            OpenError::Stopped => StatusCode::INTERNAL_SERVER_ERROR,
            OpenError::NoWorker(reason) => {
                tracing::error!(%reason, "no R session could be opened");
                StatusCode::INTERNAL_SERVER_ERROR
            }
        };
        Self::new(status, "RRuntimeException", error.to_string())
    }
}
