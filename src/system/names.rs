//! Names of files as text. Linux takes any bytes, and clients, JSON and XML take text without control characters.
//!
//! A byte that cannot stand in a text is written as R prints it: `\xff`. A name in which that could be meant literally has its backslashes
//! doubled. So each name has one text, which leads back to it; and a name that is plain text is its own.

use std::{
    ffi::OsString,
    fmt::Write,
    os::unix::ffi::{OsStrExt, OsStringExt},
    path::{Path, PathBuf},
};

/// The text for a path.
#[must_use]
pub fn shown(path: &Path) -> String {
    let bytes = path.as_os_str().as_bytes();
    let is_plain = |text: &str| text.trim_ascii() == text && !text.bytes().any(|byte| byte.is_ascii_control());
    if let Ok(text) = std::str::from_utf8(bytes)
        && is_plain(text)
        && meant(text).as_os_str().as_bytes() == bytes
    {
        return text.to_owned();
    }
    let mut shown = String::with_capacity(bytes.len() + 8);
    let mut at = 0;
    for chunk in bytes.utf8_chunks() {
        for letter in chunk.valid().chars() {
            // Clients may trim blanks at the ends.
            let is_at_end = at == 0 || at + 1 == bytes.len();
            match letter {
                '\\' => shown.push_str(r"\\"),
                ' ' if is_at_end => shown.push_str(r"\x20"),
                letter if letter.is_ascii_control() => push_escaped(&mut shown, letter.to_string().as_bytes()),
                letter => shown.push(letter),
            }
            at += letter.len_utf8();
        }
        push_escaped(&mut shown, chunk.invalid());
        at += chunk.invalid().len();
    }
    shown
}

fn push_escaped(text: &mut String, bytes: &[u8]) {
    for byte in bytes {
        let _ = write!(text, r"\x{byte:02x}");
    }
}

/// The path that a text means. A backslash that begins no escape is one of the name's.
#[must_use]
pub fn meant(text: &str) -> PathBuf {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        let (byte, following) = match (first, after) {
            (b'\\', [b'\\', following @ ..]) => (b'\\', following),
            (b'\\', [b'x', high, low, following @ ..]) => match escaped(*high, *low) {
                Some(byte) => (byte, following),
                None => (b'\\', after),
            },
            _ => (*first, after),
        };
        bytes.push(byte);
        rest = following;
    }
    OsString::from_vec(bytes).into()
}

/// The byte that two digits stand for. Visible characters of ASCII are never escaped, and NUL is in no name.
fn escaped(high: u8, low: u8) -> Option<u8> {
    let digit = |digit: u8| char::from(digit).to_digit(16);
    let byte = u8::try_from(digit(high)? << 4 | digit(low)?).ok()?;
    (byte != 0 && !byte.is_ascii_graphic()).then_some(byte)
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn bytes_that_are_no_text_are_escaped_and_other_names_stay_as_they_are() {
        for (name, text) in [
            (b"plain.txt".as_slice(), "plain.txt"),
            ("größe 1/日本".as_bytes(), "größe 1/日本"),
            (b"caf\xe9.txt", r"caf\xe9.txt"),
            (b"\xc3", r"\xc3"),
            (br"C:\data\x.txt", r"C:\data\x.txt"),
            (br"a\x41", r"a\x41"),
            (br"a\xff", r"a\\xff"),
            (br"a\\b", r"a\\\\b"),
            (b"\\\xff", r"\\\xff"),
            (b" a b ", r"\x20a b\x20"),
            (b"a\nb\x7f", r"a\x0ab\x7f"),
        ] {
            assert_eq!(shown(Path::new(OsStr::from_bytes(name))), text);
            assert_eq!(meant(text).as_os_str().as_bytes(), name);
        }
        // Nothing visible can be smuggled in.
        for text in [r"a\x2fb", r"\x2e\x2e", r"\x00", r"\xf", r"\x", r"\"] {
            assert_eq!(meant(text).as_os_str().as_bytes(), text.as_bytes());
        }
    }

    proptest! {
        #[test]
        fn each_name_has_a_text_that_leads_back(bytes in proptest::collection::vec(any::<u8>(), 0..12)) {
            let path = Path::new(OsStr::from_bytes(&bytes));
            let meant = meant(&shown(path));
            prop_assert!(bytes.contains(&0) || meant.as_os_str().as_bytes() == bytes);
        }

        #[test]
        fn names_of_backslashes_and_digits_lead_back(text in r"[\\xf0a\x00-\x1f]{0,10}") {
            let meant = meant(&shown(Path::new(&text)));
            prop_assert!(text.contains('\0') || meant.as_os_str().as_bytes() == text.as_bytes());
        }
    }
}
