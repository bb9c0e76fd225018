//! Logins by a browser at an issuer outside: [`LOGIN`] leads there, [`CALLBACK`] is where the issuer sends the browser back to.
//!
//! Nothing that a browser brings leads it to another server, and an answer of an issuer counts only in the browser that has asked for it.

use std::sync::Arc;

use super::page;
use crate::{
    api::{
        self,
        form::{Form, Invalid},
        sentences::sentence,
    },
    app::App,
    auth::{
        AuthError, TokenFault,
        issuers::browser::{BrowserLoginFault, LIFETIME, LoginReturn},
        origin::{check_origin, client_address, is_https},
    },
    server::requests::Notes,
};
use askama::Template;
use axum::{
    Router,
    extract::{Path, Request, State},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};

/// Where a login begins.
pub(super) const LOGIN: &str = "/oidc/{name}/login";
/// Where it comes back.
pub(super) const CALLBACK: &str = "/oidc/{name}/callback";

/// The cookie by which a browser is known again when it comes back.
const COOKIE: &str = "offshoot-login";
/// The longest path that a login may lead to.
const LONGEST: usize = 1000;

#[derive(Template)]
#[template(path = "login.html")]
struct Page<'a> {
    server: &'a str,
    title: &'a str,
    text: &'a str,
    /// Where the login begins anew, if that makes sense.
    again: Option<String>,
}

/// Both addresses, for each issuer.
pub(super) fn router(app: &Arc<App>) -> Router {
    Router::new().route(LOGIN, get(login)).route(CALLBACK, get(callback)).with_state(Arc::clone(app))
}

async fn login(State(app): State<Arc<App>>, Path(name): Path<String>, request: Request) -> Response {
    Notes::of(&request).call("login", LOGIN);
    let (headers, address) = (request.headers(), client_address(request.extensions()));
    let at = Place { app: &app, headers, name: &name };
    if let Err(refused) = check_origin(&app.rules().now(), address, is_https(headers), true) {
        return at.page(StatusCode::FORBIDDEN, &refused.to_string(), false);
    }
    let root = api::public_address(&app, headers);
    let query = query(&app, &request);
    let return_to = match query.as_ref().map(|query| query.get("return")) {
        Ok(Ok(None)) => format!("{}/", path_of(&root)),
        Ok(Ok(Some(path))) if is_path_here(path) => path.to_owned(),
        _ => {
            return at.page(
                StatusCode::BAD_REQUEST,
                "The parameter return has to be a path on this server, such as /r/user/whoami.",
                false,
            );
        }
    };
    match app.login_lead(&name, &format!("{root}/oidc/{name}/callback"), &return_to, address).await {
        Ok(Some(begun)) => at.lead(&begun.location, &[at.cookie(&begun.browser, LIFETIME.as_secs())]),
        Ok(None) => at.page(StatusCode::NOT_FOUND, "Nobody logs in here in this way: no issuer with a client_id has this name.", false),
        Err(error) => at.refusal(&error),
    }
}

async fn callback(State(app): State<Arc<App>>, Path(name): Path<String>, request: Request) -> Response {
    let notes = Notes::of(&request);
    notes.call("login", CALLBACK);
    let (headers, address) = (request.headers(), client_address(request.extensions()));
    let at = Place { app: &app, headers, name: &name };
    if let Err(refused) = check_origin(&app.rules().now(), address, is_https(headers), true) {
        return at.page(StatusCode::FORBIDDEN, &refused.to_string(), false);
    }
    let Ok(answer) = query(&app, &request).and_then(|query| answer_of(&query)) else {
        return at.page(StatusCode::BAD_REQUEST, "What the issuer has sent cannot be read.", true);
    };
    match app.login_arrive(&name, cookie(headers).unwrap_or_default(), answer, address).await {
        Ok((user, cookie, return_to)) => {
            notes.user(&user);
            at.lead(&return_to, &[api::login_cookie(&app, headers, &cookie), at.cookie("", 0)])
        }
        Err(fault @ BrowserLoginFault::Unknown) => at.page(StatusCode::BAD_REQUEST, &sentence(&fault.to_string()), true),
        Err(fault @ BrowserLoginFault::Refused(..)) => at.page(StatusCode::FORBIDDEN, &sentence(&fault.to_string()), true),
        Err(BrowserLoginFault::Auth(error)) => at.refusal(&error),
    }
}

/// The parameters of a request.
fn query(app: &App, request: &Request) -> Result<Form, Invalid> {
    let mut query = Form::new(app.settings().http.form_fields);
    query.add(request.uri().query().unwrap_or_default().as_bytes())?;
    Ok(query)
}

fn answer_of(query: &Form) -> Result<LoginReturn, Invalid> {
    let text = |name: &str| Ok(query.get(name)?.map(str::to_owned));
    Ok(LoginReturn {
        state: text("state")?.unwrap_or_default(),
        code: text("code")?,
        iss: text("iss")?,
        error: text("error")?,
        error_description: text("error_description")?,
    })
}

/// What an answer needs to know of its request.
struct Place<'a> {
    app: &'a App,
    headers: &'a HeaderMap,
    name: &'a str,
}

impl Place<'_> {
    /// Our cookie, which the browser shows to the callback alone, also when the issuer leads it there.
    fn cookie(&self, value: &str, seconds: u64) -> String {
        let root = api::public_address(self.app, self.headers);
        let secure = if is_https(self.headers) || root.starts_with("https:") { "; Secure" } else { "" };
        format!("{COOKIE}={value}; Path={}/oidc/{}/callback; Max-Age={seconds}; HttpOnly{secure}; SameSite=Lax", path_of(&root), self.name)
    }

    fn lead(&self, location: &str, cookies: &[String]) -> Response {
        let Ok(location) = HeaderValue::from_str(location) else {
            return self.page(StatusCode::INTERNAL_SERVER_ERROR, "There is no way to lead you on.", false);
        };
        let mut response = StatusCode::SEE_OTHER.into_response();
        response.headers_mut().insert(header::LOCATION, location);
        response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        for cookie in cookies.iter().filter_map(|cookie| HeaderValue::from_str(cookie).ok()) {
            response.headers_mut().append(header::SET_COOKIE, cookie);
        }
        response
    }

    fn refusal(&self, error: &AuthError) -> Response {
        match error {
            AuthError::Store(error) => {
                api::log_failure(error);
                self.page(StatusCode::INTERNAL_SERVER_ERROR, "The server failed; its log says why.", true)
            }
            AuthError::Token(TokenFault::Invalid) => {
                self.page(StatusCode::UNAUTHORIZED, "What the issuer says of you is not valid here.", true)
            }
            error => self.page(error.status(), &sentence(&error.to_string()), true),
        }
    }

    fn page(&self, status: StatusCode, text: &str, can_begin_again: bool) -> Response {
        let again = can_begin_again.then(|| format!("{}/oidc/{}/login", path_of(&api::public_address(self.app, self.headers)), self.name));
        let page = Page { server: &self.app.server_name(), title: "You are not logged in", text, again };
        // The address of the callback has a code.
        page::answer(status, &page, (header::REFERRER_POLICY, "no-referrer"))
    }
}

/// The value of our cookie.
fn cookie(headers: &HeaderMap) -> Option<&str> {
    let all = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    all.flat_map(|value| value.split(';')).find_map(|pair| pair.trim().strip_prefix(COOKIE)?.strip_prefix('='))
}

/// The path of an address, without a slash at its end.
fn path_of(address: &str) -> &str {
    let after = address.split_once("://").map_or(address, |(_, after)| after);
    after.find('/').map_or("", |at| after[at..].trim_end_matches('/'))
}

/// Whether a text is a path on this server for every browser: these read backslashes as slashes, and leave out line breaks and tabs.
fn is_path_here(text: &str) -> bool {
    let is_plain = text.len() <= LONGEST && text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\');
    is_plain && text.starts_with('/') && !text.starts_with("//")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_login_leads_to_paths_of_this_server_only() {
        for path in ["/", "/r/user/whoami?format=xml", "/a//b", "/deployr/", "/%2F%2Fevil.example.org", "/@evil.example.org", "/a:b"] {
            assert!(is_path_here(path), "{path}");
        }
        let long = format!("/{}", "a".repeat(LONGEST));
        for path in [
            "",
            "a",
            "//evil",
            "///evil",
            "/\\evil",
            "\\\\evil",
            "/a\\b",
            "https://evil",
            "https:/evil",
            "javascript:alert(1)",
            "/\t/evil",
            "/\n/evil",
            " /a",
            "/a b",
            "/ä",
            "@evil",
            "?a",
            "#a",
            long.as_str(),
        ] {
            assert!(!is_path_here(path), "{path:?}");
        }
    }

    #[test]
    fn addresses_have_a_path_or_none() {
        for (address, path) in [("https://r.example.org", ""), ("https://r.example.org/", ""), ("http://a:1/b/c/", "/b/c")] {
            assert_eq!(path_of(address), path);
        }
    }
}
