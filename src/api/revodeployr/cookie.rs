//! The cookie of a login (contract, section 1).

use std::borrow::Cow;

use axum::http::HeaderMap;

use crate::{app::App, auth::origin::is_https, config::SameSite};

/// The attributes of a cookie for this path (RFC 6265, section 4.1). If the configuration allows it, browsers send the cookie also for pages
/// of other sites; they take such a cookie only with HTTPS.
#[must_use]
pub fn attributes(app: &App, headers: &HeaderMap, path: &str) -> String {
    let https = is_https(headers);
    let same_site = match app.settings().revodeployr.cookie_same_site {
        SameSite::Strict => "Strict",
        SameSite::None if https => "None",
        // Origins that only `*` lets in send no cookies.
        SameSite::Auto if https && app.settings().http.cors_origins.iter().any(|origin| origin != "*") => "None",
        SameSite::Auto | SameSite::Lax | SameSite::None => "Lax",
    };
    let secure = if https { "; Secure" } else { "" };
    format!("Path={path}; HttpOnly{secure}; SameSite={same_site}")
}

/// The header `Set-Cookie` of a login that was begun elsewhere, for all paths.
#[must_use]
pub fn of_login(app: &App, headers: &HeaderMap, cookie: &str) -> String {
    format!("JSESSIONID={cookie}; {}", attributes(app, headers, "/"))
}

/// The values of the cookie `JSESSIONID` in a `Cookie` header. Unknown pairs are ignored, because some clients send back the whole
/// `Set-Cookie` with its attributes.
pub fn session_cookies(header: &[u8]) -> impl Iterator<Item = Cow<'_, str>> {
    header.split(|&byte| byte == b';' || byte == b',').filter_map(|pair| {
        let pair = pair.trim_ascii();
        let at = pair.iter().position(|&byte| byte == b'=')?;
        let (name, value) = (pair[..at].trim_ascii(), pair[at + 1..].trim_ascii());
        name.eq_ignore_ascii_case(b"JSESSIONID").then(|| String::from_utf8_lossy(unquoted(value)))
    })
}

fn unquoted(value: &[u8]) -> &[u8] {
    match value {
        [b'"', inner @ .., b'"'] => inner,
        plain => plain,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn cookies_are_found_among_others() {
        let found: Vec<_> = session_cookies(b"a=b; JSESSIONID=7B55; Path=/deployr/; HttpOnly, jsessionid=\"X\"").collect();
        assert_eq!(found, ["7B55", "X"]);
    }

    proptest! {
        #[test]
        fn any_bytes_are_searched(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = session_cookies(&bytes).count();
        }
    }
}
