//! Cookies in the path, as Java servers take them: `/r/user/whoami;jsessionid=...`

use axum::extract::Request;

/// A cookie that came in the path. It becomes an extension of the request.
#[derive(Debug, Clone)]
pub struct PathCookie(pub String);

/// Removes such a cookie from the path, wherever in the path it is, so that the path is that of a call.
#[must_use]
pub fn take(mut request: Request) -> Request {
    let Some((before, rest)) = request.uri().path().split_once(";jsessionid=") else { return request };
    let (cookie, after) = rest.split_at(rest.find(['/', ';']).unwrap_or(rest.len()));
    let cookie = PathCookie(cookie.to_owned());
    let query = request.uri().query().map(|query| format!("?{query}")).unwrap_or_default();
    if let Ok(uri) = format!("{before}{after}{query}").parse() {
        *request.uri_mut() = uri;
        request.extensions_mut().insert(cookie);
    }
    request
}
