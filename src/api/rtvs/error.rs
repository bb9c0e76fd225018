//! Errors in the dialect's form (contract a.2 and a.4): bare statuses, and errors of the broker with their name in a header.

use axum::{
    body::Body,
    http::{HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use hyper::ext::ReasonPhrase;

use crate::{
    api::{RETRY_AFTER, body::BodyError, log_failure, sentences::sentence},
    app::prompt::OpenError,
    auth::{AuthError, Refused},
    server::websocket::NoHandshake,
};

/// The header with the name of an error of the broker, by which clients know it.
const API_ERROR: HeaderName = HeaderName::from_static("rtvs-broker-api-error");
/// The header with what there is to say of it.
const EXCEPTION: HeaderName = HeaderName::from_static("rtvs-broker-exception");
/// What clients are asked for.
const CHALLENGE: HeaderValue = HeaderValue::from_static("Basic realm=\"Protected Area\"");
/// The most bytes of a text in a header.
const LONGEST: usize = 1000;

/// The answer to a request that did not succeed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Error {
    /// 401: the credentials are missing or wrong.
    Unauthenticated,
    /// 404: there is nothing here.
    Nothing,
    /// 415: the body is of another type.
    MediaType,
    /// 401 without a challenge: a WebSocket is expected.
    NoWebSocket,
    /// 400 with one of the names that clients know.
    Broker(BrokerError),
    /// Another status, with a sentence for people. Never 401 or 403, at which clients would ask for a password again.
    Other(StatusCode, String),
}

/// The errors of the broker that clients know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BrokerError {
    /// There is no R.
    NoInterpreters,
    /// There is no R with this identity.
    InterpreterNotFound,
    /// R could not be started: a sentence.
    UnableToStart(String),
    /// Another client is connected to the session.
    PipeAlreadyConnected,
}

impl BrokerError {
    /// Its name, its number, and what there is to say.
    fn parts(&self) -> (&'static str, u8, Option<&str>) {
        match self {
            Self::NoInterpreters => ("NoRInterpreters", 1, None),
            Self::InterpreterNotFound => ("InterpreterNotFound", 2, None),
            Self::UnableToStart(why) => ("UnableToStartRHost", 3, Some(why)),
            Self::PipeAlreadyConnected => ("PipeAlreadyConnected", 5, None),
        }
    }
}

impl Error {
    /// 400: something in the request is wrong.
    pub fn invalid(sentence: impl Into<String>) -> Self {
        Self::Other(StatusCode::BAD_REQUEST, sentence.into())
    }
}

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        let status = |status| {
            let mut response = Response::new(Body::empty());
            *response.status_mut() = status;
            response
        };
        match self {
            Self::Unauthenticated => {
                let mut response = status(StatusCode::UNAUTHORIZED);
                response.headers_mut().insert(header::WWW_AUTHENTICATE, CHALLENGE);
                response
            }
            Self::Nothing => status(StatusCode::NOT_FOUND),
            Self::MediaType => status(StatusCode::UNSUPPORTED_MEDIA_TYPE),
            Self::NoWebSocket => {
                let mut response = status(StatusCode::UNAUTHORIZED);
                response.extensions_mut().insert(ReasonPhrase::from_static(b"Websocket connection expected"));
                response
            }
            Self::Broker(error) => {
                let (name, number, text) = error.parts();
                let content = [(header::CONTENT_TYPE, "application/json; charset=utf-8")];
                let mut response = (StatusCode::BAD_REQUEST, content, number.to_string()).into_response();
                response.headers_mut().insert(API_ERROR, HeaderValue::from_static(name));
                if let Some(text) = text.map(in_header) {
                    response.headers_mut().insert(EXCEPTION, text);
                }
                response
            }
            Self::Other(status, sentence) => {
                let mut response = (status, format!("{sentence}\n")).into_response();
                if matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE) {
                    response.headers_mut().insert(header::RETRY_AFTER, RETRY_AFTER);
                }
                response
            }
        }
    }
}

/// A text in a header, where some letters cannot be.
fn in_header(text: &str) -> HeaderValue {
    let plain = |letter: char| if letter.is_ascii_graphic() || letter == ' ' { letter } else { '?' };
    let text: String = text.chars().take(LONGEST).map(plain).collect();
    HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static("?"))
}

impl From<BrokerError> for Error {
    fn from(error: BrokerError) -> Self {
        Self::Broker(error)
    }
}

impl From<AuthError> for Error {
    fn from(error: AuthError) -> Self {
        match error {
            AuthError::Store(error) => {
                log_failure(&error);
                Self::Other(StatusCode::INTERNAL_SERVER_ERROR, "The server could not do this; its log says why.".to_owned())
            }
            AuthError::TooMany | AuthError::Delayed(_) | AuthError::Unavailable(_) => {
                Self::Other(error.status(), sentence(&error.to_string()))
            }
            _ => Self::Unauthenticated,
        }
    }
}

impl From<Refused> for Error {
    fn from(refused: Refused) -> Self {
        Self::invalid(refused.to_string())
    }
}

impl From<BodyError> for Error {
    fn from(error: BodyError) -> Self {
        Self::Other(error.status(), error.to_string())
    }
}

impl From<NoHandshake> for Error {
    fn from(error: NoHandshake) -> Self {
        match error {
            NoHandshake::Plain => Self::NoWebSocket,
            NoHandshake::Wrong(sentence) => Self::invalid(sentence),
        }
    }
}

/// Why R was not started for a session.
impl From<OpenError> for Error {
    fn from(error: OpenError) -> Self {
        if let OpenError::NoWorker(reason) = &error {
            tracing::error!(%reason, "no R session could be opened");
        }
        BrokerError::UnableToStart(sentence(&error.to_string())).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_have_the_form_that_clients_know() {
        let response = Error::Unauthenticated.into_response();
        assert_eq!(
            (response.status().as_u16(), response.headers()["www-authenticate"].to_str().unwrap()),
            (401, "Basic realm=\"Protected Area\"")
        );
        let response = Error::NoWebSocket.into_response();
        assert_eq!((response.status().as_u16(), response.headers().contains_key("www-authenticate")), (401, false));
        let response = Error::from(BrokerError::UnableToStart("é\r\nX: y".to_owned())).into_response();
        assert_eq!(response.status().as_u16(), 400);
        assert_eq!(response.headers()["rtvs-broker-api-error"], "UnableToStartRHost");
        assert_eq!(response.headers()["rtvs-broker-exception"], "???X: y");
    }

    #[test]
    fn only_wrong_credentials_are_answered_as_such() {
        for (error, status) in [
            (AuthError::Credentials, 401),
            (AuthError::Disabled, 401),
            (AuthError::Unusable(String::new()), 401),
            (AuthError::TooMany, 429),
            (AuthError::Unavailable("system".to_owned()), 503),
        ] {
            assert_eq!(Error::from(error).into_response().status().as_u16(), status);
        }
        assert_eq!(Error::from(Refused::OtherSite).into_response().status().as_u16(), 400);
    }
}
