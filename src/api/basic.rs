//! Basic authentication (RFC 7617).

use axum::http::{HeaderMap, header};

use crate::wire::base64;

/// The name and the password of a request, if it has credentials; `Some(None)` when these are of another kind or broken.
#[must_use]
pub fn credentials(headers: &HeaderMap) -> Option<Option<(String, String)>> {
    headers.get(header::AUTHORIZATION).map(|value| parse(value.as_bytes()))
}

/// Older clients send Latin-1 instead of UTF-8.
fn parse(value: &[u8]) -> Option<(String, String)> {
    let (scheme, encoded) = value.split_at_checked(6)?;
    if !scheme.eq_ignore_ascii_case(b"basic ") {
        return None;
    }
    let decoded = base64::decode(encoded.to_vec()).ok()?;
    let text = super::body::text(decoded);
    let (name, password) = text.split_once(':')?;
    Some((name.to_owned(), password.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_read() {
        let parts = |name: &str, password: &str| Some((name.to_owned(), password.to_owned()));
        assert_eq!(parse(b"Basic dXNlcjpwYXNzd29yZA=="), parts("user", "password"));
        assert_eq!(parse(b"basic  dXNlcjphOmI="), parts("user", "a:b"));
        assert_eq!(parse(b"Basic dTr8"), parts("u", "ü"));
        assert_eq!(parse(b"Basic dTrDvA=="), parts("u", "ü"));
        for wrong in
            [&b"Basic"[..], b"Basic ", b"Basic dXNlcg==", b"Bearer dXNlcjpwYXNzd29yZA==", b"Basic !!", b"\xff\xff\xff\xff\xff\xff\xff"]
        {
            assert_eq!(parse(wrong), None);
        }
    }
}
