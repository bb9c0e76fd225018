//! Files as answers: their bytes, and the headers that describe them.

use std::{borrow::Cow, fs::File};

use axum::{
    body::Body,
    http::{HeaderName, HeaderValue, header},
    response::{IntoResponse, Response},
};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use tokio::io::AsyncReadExt;
use tokio_util::io::ReaderStream;

/// Bytes read and sent at a time.
const PIECE: usize = 64 << 10;
/// The longest file name that we send, in bytes. File systems take no longer ones.
const LONGEST: usize = 255;
/// The longest extension, in bytes, that is kept when a name is cut.
const EXTENSION: usize = 16;
/// The characters of a name that are not percent-encoded in a header (RFC 8187, section 3.2.1).
const NAME: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// What a browser is to do with a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Disposition {
    /// Show it.
    Show,
    /// Keep it, under its name.
    Download,
}

/// A body with the first `length` bytes of a file, which are read while they are sent.
pub fn content(file: File, length: u64) -> Body {
    // Limited to `length`, because R may write more of the file meanwhile.
    Body::from_stream(ReaderStream::with_capacity(tokio::fs::File::from_std(file).take(length), PIECE))
}

/// Sends content that is made while it is sent, as an attachment with this name.
#[must_use]
pub fn streamed(content: Body, name: &str) -> Response {
    let mut response = described(content, name);
    if let Ok(value) = HeaderValue::from_str(&attachment(name)) {
        response.headers_mut().insert(header::CONTENT_DISPOSITION, value);
    }
    response
}

/// Sends content of this length. The type is guessed from the name, without its folders.
#[must_use]
pub fn answer(content: Body, length: u64, name: &str, disposition: Disposition) -> Response {
    let mut response = if disposition == Disposition::Download { streamed(content, name) } else { described(content, name) };
    response.headers_mut().insert(header::CONTENT_LENGTH, length.into());
    response
}

/// Content with its type, and what browsers may do with it.
fn described(content: Body, name: &str) -> Response {
    const FIXED: [(HeaderName, &str); 4] = [
        // R may have written a page with scripts, which must not act in this server's name.
        (header::CONTENT_SECURITY_POLICY, "sandbox"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        // The address may be the secret that opens the file while a login lasts, so no cache may keep the address or the file.
        (header::CACHE_CONTROL, "no-store"),
        (header::REFERRER_POLICY, "no-referrer"),
    ];
    let content_type = mime_guess::from_path(name).first_or_octet_stream();
    let mut response = content.into_response();
    let headers = response.headers_mut();
    headers.extend(FIXED.map(|(name, value)| (name, HeaderValue::from_static(value))));
    if let Ok(value) = HeaderValue::from_str(content_type.essence_str()) {
        headers.insert(header::CONTENT_TYPE, value);
    }
    response
}

/// `attachment` with the file's name. A name with letters that this form cannot hold is given a second time in full (RFC 6266, section 4.3;
/// its appendix D forbids a percent sign in the first form).
#[must_use]
pub fn attachment(name: &str) -> String {
    let name: String = last(name).chars().map(|letter| if letter.is_control() { '_' } else { letter }).collect();
    let name = shortened(&name);
    let plain: String =
        name.chars().map(|letter| if matches!(letter, ' '..='~') && !matches!(letter, '"' | '\\' | '%') { letter } else { '_' }).collect();
    if matches!(&*name, "" | "." | "..") {
        "attachment".to_owned()
    } else if plain == name {
        format!("attachment; filename=\"{name}\"")
    } else {
        format!("attachment; filename=\"{plain}\"; filename*=UTF-8''{}", utf8_percent_encode(&name, NAME))
    }
}

/// The name without its folders, whichever system's separators it has.
fn last(path: &str) -> &str {
    path.rsplit(['/', '\\']).next().unwrap_or(path)
}

/// The name, cut if it is longer than file systems allow.
fn shortened(name: &str) -> Cow<'_, str> {
    if name.len() <= LONGEST {
        return Cow::Borrowed(name);
    }
    let extension = name.rfind('.').map(|at| &name[at..]).filter(|extension| extension.len() <= EXTENSION).unwrap_or_default();
    let start = name.floor_char_boundary(LONGEST - extension.len());
    Cow::Owned(format!("{}{extension}", &name[..start]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn names_fit_into_the_header() {
        for (name, expected) in [
            (".RData", "attachment; filename=\".RData\""),
            ("sub/a b.txt", "attachment; filename=\"a b.txt\""),
            ("C:\\sub\\a.txt", "attachment; filename=\"a.txt\""),
            ("a\"b\r\n.txt", "attachment; filename=\"a_b__.txt\"; filename*=UTF-8''a%22b__.txt"),
            ("100%41", "attachment; filename=\"100_41\"; filename*=UTF-8''100%2541"),
            ("größe", "attachment; filename=\"gr__e\"; filename*=UTF-8''gr%C3%B6%C3%9Fe"),
            ("", "attachment"),
            ("a/..", "attachment"),
        ] {
            assert_eq!(attachment(name), expected);
        }
        let long = attachment(&format!("{}.csv", "é".repeat(300)));
        assert!(long.starts_with("attachment; filename=\"____") && long.ends_with("%C3%A9.csv"), "{long}");
        assert_eq!(long.matches("%C3%A9").count(), 125);
    }

    proptest! {
        #[test]
        fn any_name_is_one_value_of_a_header(name in "\\PC*|.*") {
            let value = attachment(&name);
            prop_assert!(HeaderValue::from_str(&value).is_ok() && value.is_ascii() && value.len() < 1200);
            let quoted = value.split('"').nth(1).unwrap_or_default();
            prop_assert!(!quoted.contains(['\\', '/', '%']) && matches!(value.matches('"').count(), 0 | 2));
        }
    }
}
