//! A request as the calls see it: its parameters, its format, and who sends it.

use std::{net::IpAddr, sync::Arc};

use axum::{
    body::Body,
    extract::Request,
    http::{HeaderMap, Uri, header},
};

use super::{
    cookie::session_cookies,
    envelope::Format,
    error::Error,
    identifiers,
    routes::{Access, Call, Route},
    upload::{self, Upload},
};
use crate::{
    api::{
        body::{self, Limit},
        form::{Form, Invalid},
        path_cookie::PathCookie,
    },
    app::{App, upload::Received},
    auth::{
        Caller, Login, Permission,
        origin::{check_origin, client_address, is_https},
        permissions::may_call,
    },
    config::SameSite,
    session::{LookupError, Session},
    store::policies::Policy,
    telemetry::requests::Notes,
};

/// A request that has been read.
#[derive(Debug)]
pub struct Incoming {
    /// The parameters of the query and, overriding them, of the body.
    pub form: Form,
    /// Whether the query has more of them than are taken.
    query: Result<(), Invalid>,
    /// The form that the answer is to have; `None` when the request names one that does not exist.
    pub format: Option<Format>,
    /// Who has logged in, if anybody.
    login: Option<Arc<Login>>,
    /// Where the request comes from.
    pub address: IpAddr,
    headers: HeaderMap,
    upload: Option<Upload>,
    /// For the log.
    pub notes: Notes,
    /// Whether the call was made below the context, and not at the root.
    below_context: bool,
}

impl Incoming {
    /// What the head of a request tells, and its body.
    pub fn new(app: &App, call: Call, request: Request) -> (Self, Body) {
        let notes = Notes::of(&request);
        let (head, body) = request.into_parts();
        let mut form = Form::new(app.config.http.form_fields);
        let query = form.add(head.uri.query().unwrap_or_default().as_bytes());
        let incoming = Self {
            format: format(&form, Some(call)),
            form,
            query,
            login: login(app, &head.headers, head.extensions.get()),
            address: client_address(&head.extensions),
            below_context: below_context(app, head.uri.path()).is_some(),
            headers: head.headers,
            upload: None,
            notes,
        };
        if let Some(login) = &incoming.login {
            incoming.notes.user(&login.user);
        }
        (incoming, body)
    }

    /// Looks whether the sender may make the call, and only then reads the body.
    ///
    /// # Errors
    /// 400, 401, 403, 408, 413, and 503 while a logout is under way.
    pub async fn read(&mut self, app: &App, route: &Route, body: Body) -> Result<(), Error> {
        if let Err(error) = self.check_access(app, route).and_then(|()| Ok(self.query.clone()?)) {
            self.glance(route.call, body).await;
            return Err(error);
        }
        let read = if route.call.takes_upload() {
            upload::read(app, &self.headers, body, &mut self.form).await.map(|upload| self.upload = upload)
        } else {
            match body::collect(&app.config.http, self.limit(app), &self.headers, body).await {
                Ok(body) => upload::parameters(&self.headers, body, &mut self.form).await,
                Err(error) => Err(error.into()),
            }
        };
        self.format = format(&self.form, Some(route.call));
        read?;
        self.check_format()
    }

    /// The most that a form may have: little, of those of whom nothing is known.
    fn limit(&self, app: &App) -> Limit {
        let http = &app.config.http;
        if self.is_known() { Limit::Mib(http.form_mib) } else { Limit::AnonymousKib(http.anonymous_form_kib) }
    }

    /// Whether the cookie is that of an account's login.
    fn is_known(&self) -> bool {
        self.login.as_ref().is_some_and(|login| !login.is_anonymous())
    }

    /// Looks at the beginning of the body of a request that is refused: it may name the format of the answer.
    pub async fn glance(&mut self, call: Call, body: Body) {
        upload::glance(&self.headers, body, &mut self.form).await;
        self.format = format(&self.form, Some(call));
    }

    /// What was uploaded, under a name that a file can have.
    ///
    /// # Errors
    /// 400.
    pub fn take_upload(&mut self) -> Result<(String, Received), Error> {
        let upload = self.upload.take().ok_or_else(|| Error::invalid("Parameter file is missing."))?;
        let name = match (self.form.get("name")?, upload.file_name) {
            (Some(name), _) => name.trim().to_owned(),
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

    /// Whether the format is one of ours.
    ///
    /// # Errors
    /// 400.
    fn check_format(&self) -> Result<(), Error> {
        self.format.map(drop).ok_or_else(|| Error::invalid("Parameter format is neither json nor xml."))
    }

    /// Whether the caller may make this call, and from where it is made.
    ///
    /// # Errors
    /// 401, 403, and 503 while a logout is under way.
    fn check_access(&self, app: &App, route: &Route) -> Result<(), Error> {
        // Who logs in is going to be a caller with a login.
        let with_login = route.call == Call::UserLogin || self.is_known();
        check_origin(&app.rules.now(), self.address, is_https(&self.headers), with_login)
            .map_err(|error| Error::forbidden(error.to_string()))?;
        match route.access {
            Access::Open => Ok(()),
            Access::Login(needs) => self.check_permission(app, route.path, needs),
        }
    }

    /// Whether the caller's account may make the call at `path`.
    ///
    /// # Errors
    /// 401, 403, and 503 while a logout is under way.
    pub fn check_permission(&self, app: &App, path: &str, needs: Permission) -> Result<(), Error> {
        let login = self.login()?;
        if may_call(&app.rules.now(), &login.user, path, needs) {
            Ok(())
        } else {
            Err(Error::forbidden("Your account may not make this call."))
        }
    }

    /// Who has logged in.
    ///
    /// # Errors
    /// 401, and 503 while a logout is under way.
    pub fn login(&self) -> Result<&Arc<Login>, Error> {
        self.holder()?.filter(|login| !login.is_anonymous()).ok_or_else(Error::not_logged_in)
    }

    /// The login that files and objects go with; one without an account, where a run has needed it.
    ///
    /// # Errors
    /// 503 while a logout is under way.
    pub fn holder(&self) -> Result<Option<&Arc<Login>>, Error> {
        match &self.login {
            Some(login) if login.is_closing() => Err(Error::logging_out()),
            login => Ok(login.as_ref()),
        }
    }

    /// Whoever calls, for what is open to all.
    ///
    /// # Errors
    /// 503 while a logout is under way.
    pub fn caller(&self) -> Result<Caller<'_>, Error> {
        Ok(match self.holder()?.filter(|login| !login.is_anonymous()) {
            Some(login) => Caller::Account(&login.user),
            None => Caller::Anonymous(self.address),
        })
    }

    /// Who has logged in before, for those who log in again.
    #[must_use]
    pub fn earlier_login(&self) -> Option<&Arc<Login>> {
        self.login.as_ref()
    }

    /// The caller's session that parameter `session` names.
    ///
    /// # Errors
    /// 400 for one that is unknown, somebody else's or dead.
    pub fn session(&self, app: &App) -> Result<Arc<Session>, Error> {
        let login = self.login()?;
        let identifier = self.form.require("session")?;
        let unknown = || Error::invalid(format!("Invalid session identifier: {identifier}"));
        let id = identifiers::parse("LIVE", identifier).ok_or_else(unknown)?;
        match app.sessions.get(id, &login.user) {
            Ok(session) => {
                self.notes.session(id);
                Ok(session)
            }
            Err(LookupError::Unknown) => Err(unknown()),
            Err(dead @ LookupError::Dead(_)) => Err(Error::from(dead).of_session(id)),
        }
    }

    /// The same, when it runs nothing at the moment.
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
        let policies = &app.rules.now().policies;
        identifiers::base(&app.config.revodeployr, policies.text(Policy::WebContext), &self.headers)
    }

    /// The attributes of a cookie (RFC 6265, section 4.1). Requests for pages of other sites may bring it back where the
    /// configuration wants that, and by HTTPS only, without which browsers do not take a cookie like that.
    #[must_use]
    pub fn cookie_attributes(&self, app: &App) -> String {
        let path = if self.below_context { app.config.revodeployr.context.as_str() } else { "/" };
        let https = is_https(&self.headers);
        let same_site = match app.config.revodeployr.cookie_same_site {
            SameSite::Strict => "Strict",
            SameSite::None if https => "None",
            // What `*` lets in brings no cookies.
            SameSite::Auto if https && app.config.http.cors_origins.iter().any(|origin| origin != "*") => "None",
            SameSite::Auto | SameSite::Lax | SameSite::None => "Lax",
        };
        let secure = if https { "; Secure" } else { "" };
        format!("Path={path}; HttpOnly{secure}; SameSite={same_site}")
    }
}

/// Whether a file can have this name.
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

/// The format that a query names; JSON when it names none.
#[must_use]
pub fn format_of_query(app: &App, uri: &Uri) -> Format {
    let mut form = Form::new(app.config.http.form_fields);
    // Of too many, the first ones count.
    let _ = form.add(uri.query().unwrap_or_default().as_bytes());
    format(&form, None).unwrap_or_default()
}

/// What a path is below the context; `None` for one at the root.
#[must_use]
pub fn below_context<'p>(app: &App, path: &'p str) -> Option<&'p str> {
    let context = Some(app.config.revodeployr.context.as_str()).filter(|context| !context.is_empty())?;
    path.strip_prefix(context).filter(|rest| rest.starts_with('/'))
}

/// `text` is for uploads from a page, and for downloads, where it says nothing (contract, section 6).
fn format(form: &Form, call: Option<Call>) -> Option<Format> {
    let name = form.get("format").ok().flatten();
    match name.map(|name| name.trim().to_ascii_lowercase()).as_deref() {
        None | Some("json") => Some(Format::Json),
        Some("xml") => Some(Format::Xml),
        Some("text") if call.is_some_and(Call::takes_upload) => Some(Format::Page),
        Some("text") if call.is_some_and(Call::is_download) => Some(Format::Json),
        Some(_) => None,
    }
}

/// Cookies of our name that are looked at: browsers send one for each path, and programs all that they were ever given.
const COOKIES: usize = 32;

/// The login of the first cookie that is one.
fn login(app: &App, headers: &HeaderMap, path_cookie: Option<&PathCookie>) -> Option<Arc<Login>> {
    let headers = headers.get_all(header::COOKIE);
    let lifetime = app.login_lifetime();
    let mut cookies = headers.iter().flat_map(|value| session_cookies(value.as_bytes())).take(COOKIES);
    let from_cookie = cookies.find_map(|cookie| app.logins.get(&cookie, lifetime));
    from_cookie.or_else(|| app.logins.get(&path_cookie?.0, lifetime))
}
