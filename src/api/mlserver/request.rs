//! A request as the calls see it.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Arc, Mutex, PoisonError},
};

use axum::{body::Body, extract::Request, http::HeaderMap};
use bytes::Bytes;
use serde::de::DeserializeOwned;
use uuid::Uuid;

use super::error::Error;
use crate::{
    api::{
        body::{self, Limit},
        form::Form,
    },
    app::{
        App,
        sessions::{Found, Session},
    },
    auth::{Principal, origin::client_address},
    server::requests::Notes,
};

/// A request whose sender may make it, and whose body has not been read yet.
#[derive(Debug)]
pub struct Incoming {
    /// The core.
    pub app: Arc<App>,
    /// The parameters of the query.
    pub query: Form,
    /// The headers.
    pub headers: HeaderMap,
    /// Where the sender is.
    pub address: IpAddr,
    /// What is noted of the request.
    pub notes: Notes,
    /// Never locked: the mutex only makes the type `Sync`.
    body: Mutex<Body>,
    /// The variable parts of the path.
    path: HashMap<String, String>,
    principal: Principal,
}

impl Incoming {
    /// Takes a request apart.
    ///
    /// # Errors
    /// 400 if the query has too many parameters.
    pub fn new(app: Arc<App>, principal: Principal, path: HashMap<String, String>, request: Request) -> Result<Self, Error> {
        let notes = Notes::of(&request);
        let address = client_address(request.extensions());
        let (head, body) = request.into_parts();
        let mut query = Form::new(app.settings().http.form_fields);
        query.add(head.uri.query().unwrap_or_default().as_bytes())?;
        Ok(Self { app, query, headers: head.headers, address, notes, body: Mutex::new(body), path, principal })
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

    /// A variable part of the path that is an identity.
    ///
    /// # Errors
    /// 404: nothing has an identity that is none. `what` is the thing that has it.
    pub fn id(&self, name: &str, what: &str) -> Result<Uuid, Error> {
        Uuid::try_parse(self.part(name)).map_err(|_| Error::unknown(format!("There is no {what} {:?}.", self.part(name))))
    }

    /// The sender's session that the path names. It is marked as used.
    ///
    /// # Errors
    /// 404 if there never was one, or it is somebody else's; 410 if it has ended.
    pub fn session(&self) -> Result<Arc<Session>, Error> {
        let id = self.id("id", "session")?;
        let me = self.principal.name();
        match self.app.session_find(id) {
            Some(Found::Live(session)) if session.owner == me => {
                self.notes.session(session.id);
                session.touch();
                Ok(session)
            }
            Some(Found::Dead { owner, tombstone }) if owner == me => Err(Error::gone(format!("The session {id} has ended: {tombstone}."))),
            Some(Found::Closed { owner }) if owner == me => Err(Error::gone(format!("The session {id} was closed."))),
            _ => Err(Error::unknown(format!("There is no session {id}."))),
        }
    }

    /// Takes the body, which the caller reads.
    pub fn take_body(&mut self) -> Body {
        std::mem::take(self.body.get_mut().unwrap_or_else(PoisonError::into_inner))
    }

    /// Reads the body.
    ///
    /// # Errors
    /// 408, 413.
    pub async fn read_body(&mut self) -> Result<Bytes, Error> {
        let body = self.take_body();
        let settings = self.app.settings();
        let limit = match self.principal.account() {
            Some(_) => Limit::Mib(settings.mlserver.body_mib),
            None => Limit::AnonymousKib(settings.http.anonymous_form_kib),
        };
        Ok(body::read(&settings.http, limit, &self.headers, body).await?)
    }

    /// Reads a body of JSON, of whose members only those that are known count. `form` is shown where it is another.
    ///
    /// # Errors
    /// 400, 408, 413.
    pub async fn read_json<T: DeserializeOwned>(&mut self, form: &str) -> Result<T, Error> {
        parse(&self.read_body().await?, form)
    }

    /// The same, for a body that may be empty.
    ///
    /// # Errors
    /// 400, 408, 413.
    pub async fn read_optional_json<T: DeserializeOwned + Default>(&mut self, form: &str) -> Result<T, Error> {
        let body = self.read_body().await?;
        if body.trim_ascii().is_empty() { Ok(T::default()) } else { parse(&body, form) }
    }
}

/// Reads an object in JSON, which may borrow from the text.
///
/// # Errors
/// 400
pub fn parse<'a, T: serde::Deserialize<'a>>(body: &'a [u8], form: &str) -> Result<T, Error> {
    // Some clients of .NET put it before a text.
    let body = body.strip_prefix("\u{feff}".as_bytes()).unwrap_or(body);
    // The library would take an array for the members in their order.
    if body.trim_ascii_start().first() == Some(&b'[') {
        return Err(Error::invalid(format!("The body has to be {form}, and not an array.")));
    }
    serde_json::from_slice(body).map_err(|error| Error::invalid(format!("The body has to be {form}: {error}.")))
}
