//! A request as the calls see it.

use std::{
    collections::HashMap,
    ops::RangeInclusive,
    sync::{Arc, Mutex, PoisonError},
};

use axum::{
    body::Body,
    extract::Request,
    http::{HeaderMap, Method, header},
};
use bytes::Bytes;
use uuid::Uuid;

use super::{
    access::{may_see, may_use},
    error::Error,
};
use crate::{
    api::{
        body::{self, Limit},
        form::Form,
    },
    app::{
        App,
        sessions::{Found, Session},
    },
    auth::Principal,
    config::layers::truth,
    server::requests::Notes,
};

/// Some editors put this before a text in UTF-8.
const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();

/// A request whose sender may make it, and whose body has not been read yet.
#[derive(Debug)]
pub struct Incoming {
    /// The core.
    pub app: Arc<App>,
    /// The parameters of the query.
    pub query: Form,
    /// Whether the client wants only the head of the answer.
    pub head: bool,
    /// The headers.
    pub headers: HeaderMap,
    /// Never locked: the mutex only makes the type `Sync`.
    body: Mutex<Body>,
    /// The variable parts of the path.
    path: HashMap<String, String>,
    principal: Principal,
    notes: Notes,
}

impl Incoming {
    /// Takes a request apart.
    ///
    /// # Errors
    /// 400 if the query has too many parameters.
    pub fn new(app: Arc<App>, principal: Principal, path: HashMap<String, String>, request: Request) -> Result<Self, Error> {
        let notes = Notes::of(&request);
        let (head, body) = request.into_parts();
        let mut query = Form::new(app.settings().http.form_fields);
        query.add(head.uri.query().unwrap_or_default().as_bytes())?;
        Ok(Self { app, query, head: head.method == Method::HEAD, headers: head.headers, body: Mutex::new(body), path, principal, notes })
    }

    /// The sender. It has an account, except on public paths.
    #[must_use]
    pub fn principal(&self) -> &Principal {
        &self.principal
    }

    /// A variable part of the path.
    #[must_use]
    pub fn part(&self, name: &str) -> &str {
        self.path.get(name).map_or("", String::as_str)
    }

    /// A boolean parameter of the query. An empty one counts as absent.
    ///
    /// # Errors
    /// 400 if it is not a boolean.
    pub fn boolean(&self, name: &str, default: bool) -> Result<bool, Error> {
        boolean(self.query.get(name)?, default)
    }

    /// The parameter `width` or `height` of a picture, in pixels, if the query has it.
    ///
    /// # Errors
    /// 400 if it is not between 10 and 10,000.
    pub fn pixels(&self, name: &str) -> Result<Option<u32>, Error> {
        self.number(name, 10..=10_000)
    }

    /// The parameter `resolution` of a picture, in pixels per inch, if the query has it.
    ///
    /// # Errors
    /// 400 if it is not between 10 and 1,200.
    pub fn resolution(&self) -> Result<Option<u32>, Error> {
        self.number("resolution", 10..=1_200)
    }

    fn number(&self, name: &str, range: RangeInclusive<u32>) -> Result<Option<u32>, Error> {
        let Some(given) = self.query.count(name)? else { return Ok(None) };
        let number = u32::try_from(given).ok().filter(|number| range.contains(number));
        let wrong = || Error::invalid(format!("Parameter {name} is not between {} and {}", range.start(), range.end()));
        number.map(Some).ok_or_else(wrong)
    }

    /// The session that the path names, if the caller may see it.
    ///
    /// # Errors
    /// 404 and 403.
    pub fn seen_session(&self) -> Result<Arc<Session>, Error> {
        let session = self.find_session()?;
        if may_see(&self.principal, &session.owner) { Ok(session) } else { Err(not_owned()) }
    }

    /// The session that the path names, if the caller may work in it. It is marked as used.
    ///
    /// # Errors
    /// 404 and 403.
    pub fn session(&self) -> Result<Arc<Session>, Error> {
        let session = self.find_session()?;
        if !may_use(&self.principal, &session.owner) {
            return Err(not_owned());
        }
        session.touch();
        Ok(session)
    }

    fn find_session(&self) -> Result<Arc<Session>, Error> {
        let id = self.part("id");
        // Only the usual form is taken, so that each session has one address.
        let uuid = Uuid::try_parse(id).ok().filter(|_| id.len() == 36);
        match uuid.and_then(|uuid| self.app.session_find(uuid)) {
            Some(Found::Live(session)) => {
                self.notes.session(session.id);
                Ok(session)
            }
            Some(Found::Dead { owner, tombstone }) if may_see(&self.principal, &owner) => Err(Error::no_such_session(id, Some(&tombstone))),
            _ => Err(Error::no_such_session(id, None)),
        }
    }

    /// The type of the body, without parameters and in lower case; empty if the request does not say.
    #[must_use]
    pub fn content_type(&self) -> String {
        let value = self.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
    }

    /// Takes the body, which the caller reads.
    pub fn take_body(&mut self) -> Body {
        std::mem::take(self.body.get_mut().unwrap_or_else(PoisonError::into_inner))
    }

    /// Reads the body.
    ///
    /// # Errors
    /// 400 for an empty one, 408, 413.
    pub async fn read_body(&mut self) -> Result<Bytes, Error> {
        let body = self.take_body();
        let content = body::read(&self.app.settings().http, Limit::Mib(self.app.settings().rock.body_mib), &self.headers, body).await?;
        if content.is_empty() { Err(Error::missing("The body of the request is missing")) } else { Ok(content) }
    }

    /// Reads the body as R code. A charset in the request counts if it is one of the two that clients use. Otherwise the text is read as
    /// UTF-8, or as Latin-1 if it is not UTF-8 (contract of the clients, section 2).
    ///
    /// # Errors
    /// As [`Self::read_body`].
    pub async fn read_script(&mut self) -> Result<String, Error> {
        let latin1 = is_latin1(&self.headers);
        let content = self.read_body().await?;
        let content = content.strip_prefix(BYTE_ORDER_MARK).map(|rest| content.slice_ref(rest)).unwrap_or(content);
        Ok(if latin1 { body::from_latin1(&content) } else { body::text(content.into()) })
    }
}

fn not_owned() -> Error {
    Error::forbidden("R session is not owned by authenticated user")
}

/// A boolean, in any of the words that the original takes.
///
/// # Errors
/// 400 if it is not a boolean.
pub fn boolean(text: Option<&str>, default: bool) -> Result<bool, Error> {
    let Some(text) = text.map(str::trim).filter(|text| !text.is_empty()) else { return Ok(default) };
    truth(text).ok_or_else(|| Error::invalid(format!("Invalid boolean value '{text}'")))
}

fn is_latin1(headers: &HeaderMap) -> bool {
    let value = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default().to_ascii_lowercase();
    let charset = value.split(';').find_map(|part| part.trim().strip_prefix("charset="));
    charset.is_some_and(|charset| matches!(charset.trim_matches('"'), "iso-8859-1" | "latin1" | "windows-1252"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn booleans_are_words_in_any_case() {
        for (word, expected) in [("TRUE", true), ("yes", true), ("1", true), ("On", true), ("FALSE", false), ("off", false), ("", true)] {
            assert_eq!(boolean(Some(word), true).unwrap(), expected, "{word}");
        }
        assert_eq!(boolean(Some("maybe"), true).unwrap_err().message(), "Invalid boolean value 'maybe'");
    }

    #[test]
    fn text_is_utf8_or_latin1() {
        assert_eq!(body::text("größe".into()), "größe");
        assert_eq!(body::text(b"gr\xf6\xdfe".to_vec()), "größe");
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, "application/x-rscript; charset=ISO-8859-1".parse().unwrap());
        assert!(is_latin1(&headers));
    }
}
