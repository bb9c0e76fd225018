//! A request as the calls see it: its parameters, its format, and its sender.

use std::{net::IpAddr, sync::Arc};

use axum::{
    body::Body,
    extract::Request,
    http::{HeaderMap, header, request::Parts as Head},
};

use super::{
    call::{Call, Exchange, Requirement},
    cookie::{self, session_cookies},
    envelope::Format,
    error::Error,
    identifiers,
    upload::{self, Upload},
};
use crate::{
    api::{
        body::{self, Limit},
        credentials,
        form::{Form, Invalid},
        path_cookie::PathCookie,
    },
    app::{
        App,
        sessions::{LookupError, Session},
        uploads::Received,
    },
    auth::{
        Login, Permission, Principal,
        origin::{check_origin, client_address, is_https},
        permissions::may_call,
    },
    server::requests::Notes,
};

/// A request that has been read.
#[derive(Debug)]
pub struct Incoming {
    /// The parameters of the query and of the body; the latter override the former.
    pub form: Form,
    /// Whether the query has more parameters than are taken.
    query: Result<(), Invalid>,
    /// The format of the answer; `None` when the request names an unknown one.
    pub format: Option<Format>,
    /// The requested path, with the context.
    pub path: String,
    principal: Principal,
    /// Why the request's token is not good.
    refusal: Option<Error>,
    headers: HeaderMap,
    upload: Option<Upload>,
    /// Notes for the log.
    pub notes: Notes,
    /// Whether the call was made below the context, not at the root.
    below_context: bool,
}

impl Incoming {
    /// Reads the head of a request, and returns its body unread.
    pub async fn new(app: &App, kind: Exchange, request: Request) -> (Self, Body) {
        let notes = Notes::of(&request);
        let (head, body) = request.into_parts();
        let mut form = Form::new(app.settings().http.form_fields);
        let query = form.add(head.uri.query().unwrap_or_default().as_bytes());
        let address = client_address(&head.extensions);
        let nobody = || Principal::nobody(address);
        let in_login = |principal: Principal| app.login_without_cookie(&principal).map(|login| principal.given(login));
        let (principal, refusal) = match credentials::token_principal(app, &head.headers, address).await {
            Ok(Some(principal)) => (in_login(principal).unwrap_or_else(nobody), None),
            Ok(None) => match login(app, &head.headers, head.extensions.get()) {
                Some(login) => (Principal::of_login(&app.rules().now(), login, address), None),
                None => match credentials::certificate_principal(app, &head.extensions, address) {
                    Ok(principal) => (principal.and_then(in_login).unwrap_or_else(nobody), None),
                    Err(refused) => (nobody(), Some(Error::from(refused))),
                },
            },
            Err(refused) => (nobody(), Some(Error::from(refused))),
        };
        let incoming = Self {
            format: format(&form, Some(kind)),
            form,
            query,
            principal,
            refusal,
            path: head.uri.path().to_owned(),
            below_context: below_context(app, head.uri.path()).is_some(),
            headers: head.headers,
            upload: None,
            notes,
        };
        incoming.notes.user(incoming.principal.name());
        (incoming, body)
    }

    /// Checks that the sender may make the call, and only then reads the body.
    ///
    /// # Errors
    /// 400, 401, 403, 408, 413, and 503 while a logout is under way.
    pub async fn read(&mut self, app: &App, call: &Call, body: Body) -> Result<(), Error> {
        if let Err(error) = self.check_access(app, call).and_then(|()| Ok(self.query.clone()?)) {
            self.glance(call.kind, body).await;
            return Err(error);
        }
        let read = if let Exchange::Upload(destination) = call.kind {
            upload::read(app, destination, &self.headers, body, &mut self.form).await.map(|upload| self.upload = upload)
        } else {
            match body::collect(&app.settings().http, self.limit(app), &self.headers, body).await {
                Ok(body) => upload::parameters(&self.headers, body, &mut self.form).await,
                Err(error) => Err(error.into()),
            }
        };
        self.format = format(&self.form, Some(call.kind));
        read?;
        self.check_format()
    }

    /// The largest form that is taken. It is small for a sender whom the server does not know.
    fn limit(&self, app: &App) -> Limit {
        let http = &app.settings().http;
        if self.is_known() { Limit::Mib(http.form_mib) } else { Limit::AnonymousKib(http.anonymous_form_kib) }
    }

    /// Whether the cookie is that of an account's login.
    fn is_known(&self) -> bool {
        self.principal.account().is_some()
    }

    /// The address that the request comes from.
    #[must_use]
    pub fn address(&self) -> IpAddr {
        self.principal.address()
    }

    /// Reads the beginning of the body of a refused request, because it may name the format of the answer.
    pub async fn glance(&mut self, kind: Exchange, body: Body) {
        upload::glance(&self.headers, body, &mut self.form).await;
        self.format = format(&self.form, Some(kind));
    }

    /// Takes the uploaded file, with a name that is valid for a file.
    ///
    /// # Errors
    /// 400.
    pub fn take_upload(&mut self) -> Result<(String, Received), Error> {
        let upload = self.upload.take().ok_or_else(|| Error::invalid("Parameter file is missing."))?;
        let name = match (self.form.label("name")?, upload.file_name) {
            (Some(name), _) => name.to_owned(),
            (None, Some(name)) => name,
            (None, None) => return Err(Error::invalid("Parameter name is missing.")),
        };
        check_file_name(&name)?;
        Ok((name, upload.content))
    }

    /// Whether the answer is to be XML.
    #[must_use]
    pub fn is_xml(&self) -> bool {
        self.format == Some(Format::Xml)
    }

    /// Checks that the format is known.
    ///
    /// # Errors
    /// 400.
    fn check_format(&self) -> Result<(), Error> {
        self.format.map(drop).ok_or_else(|| Error::invalid("Parameter format is neither json nor xml."))
    }

    /// Checks that the caller may make this call, and from this address.
    ///
    /// # Errors
    /// 401, 403, and 503 while a logout is under way.
    fn check_access(&self, app: &App, call: &Call) -> Result<(), Error> {
        if let Some(refusal) = &self.refusal {
            return Err(refusal.clone());
        }
        let with_login = call.access == Requirement::Entrance || self.is_known();
        check_origin(&app.rules().now(), self.address(), is_https(&self.headers), with_login)
            .map_err(|error| Error::forbidden(error.to_string()))?;
        match call.access {
            Requirement::Open | Requirement::Entrance => Ok(()),
            Requirement::Login(needs) => self.check_permission(app, call.path, needs),
        }
    }

    /// Checks that the caller's account may make the call at `path`.
    ///
    /// # Errors
    /// 401, 403, and 503 while a logout is under way.
    pub fn check_permission(&self, app: &App, path: &str, needs: Permission) -> Result<(), Error> {
        if may_call(&app.rules().now(), self.user()?, path, needs) {
            Ok(())
        } else {
            Err(Error::forbidden("Your account may not make this call."))
        }
    }

    /// The caller, who has to have logged in.
    ///
    /// # Errors
    /// 401, and 503 while a logout is under way.
    pub fn user(&self) -> Result<&Principal, Error> {
        self.caller().and_then(|caller| if self.is_known() { Ok(caller) } else { Err(Error::not_logged_in()) })
    }

    /// The login of the caller, who has to have logged in.
    ///
    /// # Errors
    /// As [`Self::user`].
    pub fn login(&self) -> Result<&Arc<Login>, Error> {
        self.user()?.login().ok_or_else(Error::not_logged_in)
    }

    /// The caller, with or without a login, for calls that are open to all.
    ///
    /// # Errors
    /// 503 while a logout is under way.
    pub fn caller(&self) -> Result<&Principal, Error> {
        match self.principal.login() {
            Some(login) if login.is_closing() => Err(Error::logging_out()),
            _ => Ok(&self.principal),
        }
    }

    /// The earlier login of a caller who logs in again.
    #[must_use]
    pub fn earlier_login(&self) -> Option<&Arc<Login>> {
        self.principal.login()
    }

    /// The caller's session that parameter `session` names.
    ///
    /// # Errors
    /// 400 for a session that is unknown, somebody else's or dead.
    pub fn session(&self, app: &App) -> Result<Arc<Session>, Error> {
        let user = self.user()?;
        let identifier = self.form.require_label("session")?;
        let unknown = || Error::invalid(format!("Invalid session identifier: {identifier}"));
        let id = identifiers::parse("LIVE", identifier).ok_or_else(unknown)?;
        match app.session(id, user) {
            Ok(session) => {
                self.notes.session(id);
                Ok(session)
            }
            Err(LookupError::Unknown) => Err(unknown()),
            Err(dead @ LookupError::Dead(_)) => Err(Error::from(dead).of_session(id)),
        }
    }

    /// The same session, which must not be running anything.
    ///
    /// # Errors
    /// As [`Self::session`], and 409.
    pub fn idle_session(&self, app: &App) -> Result<Arc<Session>, Error> {
        let session = self.session(app)?;
        if session.is_busy() { Err(Error::busy()) } else { Ok(session) }
    }

    /// The server's address, for URLs in the answer.
    #[must_use]
    pub fn base(&self, app: &App) -> String {
        identifiers::base(&app.settings().revodeployr, app.web_context().as_deref(), &self.headers)
    }

    /// The attributes of a login's cookie in the answer.
    #[must_use]
    pub fn cookie_attributes(&self, app: &App) -> String {
        let path = if self.below_context { app.settings().revodeployr.context.as_str() } else { "/" };
        cookie::attributes(app, &self.headers, path)
    }
}

/// Checks that a file can have this name.
///
/// # Errors
/// 400.
pub fn check_file_name(name: &str) -> Result<(), Error> {
    let is_wrong = |letter: char| letter == '/' || letter == '\\' || letter.is_control();
    if matches!(name, "" | "." | "..") || name.len() > 255 || name.contains(is_wrong) {
        return Err(Error::invalid(format!(
            "{name:?} is not a name for a file: it has to be one without folders and control characters, of at most 255 bytes."
        )));
    }
    Ok(())
}

/// The format that a request for no call names, in its query or at the beginning of its body; JSON when it names none.
pub async fn format_of(app: &App, head: &Head, body: Body) -> Format {
    let mut form = Form::new(app.settings().http.form_fields);
    // If there are too many parameters, the first ones count.
    let _ = form.add(head.uri.query().unwrap_or_default().as_bytes());
    upload::glance(&head.headers, body, &mut form).await;
    format(&form, None).unwrap_or_default()
}

/// The path below the context; `None` for a path at the root.
#[must_use]
pub fn below_context<'p>(app: &App, path: &'p str) -> Option<&'p str> {
    let context = Some(app.settings().revodeployr.context.as_str()).filter(|context| !context.is_empty())?;
    path.strip_prefix(context).filter(|rest| rest.starts_with('/'))
}

/// `text` is allowed for uploads from a page, and for downloads, where it has no effect (contract, section 6).
fn format(form: &Form, kind: Option<Exchange>) -> Option<Format> {
    let name = form.get("format").ok().flatten();
    match name.map(|name| name.trim().to_ascii_lowercase()).as_deref() {
        None | Some("json") => Some(Format::Json),
        Some("xml") => Some(Format::Xml),
        Some("text") if matches!(kind, Some(Exchange::Upload(_))) => Some(Format::Page),
        Some("text") if kind == Some(Exchange::Download) => Some(Format::Json),
        Some(_) => None,
    }
}

/// The most cookies of our name that are checked. Browsers send one for each path, and some programs all that they ever got.
const COOKIES: usize = 32;

/// The login of the first cookie that belongs to one.
fn login(app: &App, headers: &HeaderMap, path_cookie: Option<&PathCookie>) -> Option<Arc<Login>> {
    let headers = headers.get_all(header::COOKIE);
    let mut cookies = headers.iter().flat_map(|value| session_cookies(value.as_bytes())).take(COOKIES);
    let from_cookie = cookies.find_map(|cookie| app.login_of(&cookie));
    from_cookie.or_else(|| app.login_of(&path_cookie?.0))
}
