//! The cookie of a login (contract, section 1).

use std::borrow::Cow;

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
