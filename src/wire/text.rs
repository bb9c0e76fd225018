//! R's strings as UTF-8, escaped for JSON and for XML.
//!
//! R marks a string's encoding: native (UTF-8 in our sessions), UTF-8, latin1, or "bytes". Bytes that are not valid
//! UTF-8 are written as R prints them, each as `\xHH`, so nothing is lost and the output is always UTF-8.

use super::Out;

/// A string in the memory of its owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Text<'a> {
    /// `NA_character_`.
    Na,
    /// It should be UTF-8, which is checked when it is written.
    Utf8(&'a [u8]),
    /// ISO 8859-1, which R reads as Windows-1252, a superset of it.
    Latin1(&'a [u8]),
}

impl<'a> Text<'a> {
    /// A Rust string.
    #[must_use]
    pub fn of(text: &'a str) -> Self {
        Self::Utf8(text.as_bytes())
    }

    /// Whether this is `NA`.
    #[must_use]
    pub fn is_na(self) -> bool {
        matches!(self, Self::Na)
    }

    /// The string's bytes as stored; none for `NA`.
    #[must_use]
    pub fn bytes(self) -> &'a [u8] {
        match self {
            Self::Na => &[],
            Self::Utf8(bytes) | Self::Latin1(bytes) => bytes,
        }
    }

    /// Hands the string's characters to `push` as pieces of valid UTF-8, unescaped.
    #[inline]
    pub fn pieces(self, mut push: impl FnMut(&[u8])) {
        match self {
            Self::Na => {}
            Self::Utf8(bytes) => {
                if simdutf8::basic::from_utf8(bytes).is_ok() {
                    push(bytes);
                } else {
                    repaired(bytes, push);
                }
            }
            Self::Latin1(bytes) => {
                let mut buffer = [0; 4];
                for &byte in bytes {
                    push(windows_1252(byte).encode_utf8(&mut buffer).as_bytes());
                }
            }
        }
    }
}

/// Hands out valid UTF-8 as it is, and other bytes as `\xHH`.
#[cold]
fn repaired(bytes: &[u8], mut push: impl FnMut(&[u8])) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    for chunk in bytes.utf8_chunks() {
        push(chunk.valid().as_bytes());
        for &byte in chunk.invalid() {
            push(&[b'\\', b'x', HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]]);
        }
    }
}

/// The characters of 0x80 to 0x9F in Windows-1252; its five holes are the control characters of ISO 8859-1.
const CP1252: [char; 32] = [
    '€', '\u{81}', '‚', 'ƒ', '„', '…', '†', '‡', 'ˆ', '‰', 'Š', '‹', 'Œ', '\u{8d}', 'Ž', '\u{8f}', '\u{90}', '‘', '’', '“', '”', '•', '–',
    '—', '˜', '™', 'š', '›', 'œ', '\u{9d}', 'ž', 'Ÿ',
];

fn windows_1252(byte: u8) -> char {
    match byte {
        0x80..=0x9f => CP1252[usize::from(byte - 0x80)],
        _ => char::from(byte),
    }
}

/// Which bytes a JSON string cannot hold as they are (RFC 8259, section 7).
const JSON_ESCAPED: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < 0x20 {
        table[byte] = true;
        byte += 1;
    }
    table[b'"' as usize] = true;
    table[b'\\' as usize] = true;
    table
};

/// Whether a text is plain: ASCII only, with no byte that JSON has to escape, and without `MARK`. Most strings are plain,
/// and can be copied whatever their encoding.
#[must_use]
#[inline]
pub fn is_plain<const MARK: u8>(text: &[u8]) -> bool {
    let (words, rest) = text.as_chunks();
    let found = words.iter().fold(0, |found, &word| found | special::<MARK>(word));
    let last = match text.last_chunk() {
        Some(&last) => special::<MARK>(last),
        None => {
            let mut word = [b' '; 8];
            for (place, byte) in word.iter_mut().zip(rest) {
                *place = *byte;
            }
            special::<MARK>(word)
        }
    };
    found | last == 0
}

/// Looks at eight bytes at once. Returns 0 if all are plain; otherwise the high bit is set in some of them.
#[inline]
fn special<const MARK: u8>(bytes: [u8; 8]) -> u64 {
    const EACH: u64 = 0x0101_0101_0101_0101;
    let word = u64::from_le_bytes(bytes);
    // Subtracting the bound sets the high bit of each byte that is below it, and `& !word` leaves out bytes that had that
    // bit before. A borrow may also set the bit of the next byte, but only after a byte that was found itself.
    let below = |word: u64, bound: u8| word.wrapping_sub(EACH * u64::from(bound)) & !word;
    let is = |byte: u8| below(word ^ (EACH * u64::from(byte)), 1);
    (word | below(word, 0x20) | is(b'"') | is(b'\\') | is(MARK)) & (EACH << 7)
}

/// Appends `text` as a JSON string with its quotes, or `null` for `NA`.
#[inline]
pub fn push_json(out: &mut Out, text: Text<'_>) {
    if text.is_na() {
        out.push(b"null");
        return;
    }
    out.byte(b'"');
    if is_plain::<b'"'>(text.bytes()) {
        out.push(text.bytes());
    } else {
        text.pieces(|piece| push_json_escaped(out, piece));
    }
    out.byte(b'"');
}

/// Appends valid UTF-8 with JSON's escapes, without quotes.
#[inline]
pub fn push_json_escaped(out: &mut Out, text: &[u8]) {
    let mut done = 0;
    for (at, &byte) in text.iter().enumerate() {
        if !JSON_ESCAPED[usize::from(byte)] {
            continue;
        }
        out.push(&text[done..at]);
        done = at + 1;
        match byte {
            b'"' => out.push(b"\\\""),
            b'\\' => out.push(b"\\\\"),
            b'\n' => out.push(b"\\n"),
            b'\r' => out.push(b"\\r"),
            b'\t' => out.push(b"\\t"),
            _ => push_json_code(out, byte),
        }
    }
    out.push(&text[done..]);
}

/// Appends a control character as JSON's escape by number, such as `\u001f`.
pub fn push_json_code(out: &mut Out, byte: u8) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    out.push(b"\\u00");
    out.push(&[HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]]);
}

/// Appends `text` for an XML attribute in double quotes; nothing for `NA`.
pub fn push_xml_attribute(out: &mut Out, text: Text<'_>) {
    text.pieces(|piece| push_xml_escaped(out, piece));
}

/// Appends valid UTF-8 with XML's escapes, fit for attributes and for element content. White space that a
/// parser would normalise is a character reference; characters that XML 1.0 cannot hold (section 2.2 of the
/// recommendation) are left out.
pub fn push_xml_escaped(out: &mut Out, text: &[u8]) {
    let mut done = 0;
    let mut at = 0;
    while at < text.len() {
        let (replacement, width): (&[u8], usize) = match text[at] {
            b'&' => (b"&amp;", 1),
            b'<' => (b"&lt;", 1),
            b'>' => (b"&gt;", 1),
            b'"' => (b"&quot;", 1),
            b'\t' => (b"&#9;", 1),
            b'\n' => (b"&#10;", 1),
            b'\r' => (b"&#13;", 1),
            0..0x20 => (b"", 1),
            0xef if is_noncharacter(&text[at..]) => (b"", 3),
            _ => {
                at += 1;
                continue;
            }
        };
        out.push(&text[done..at]);
        out.push(replacement);
        at += width;
        done = at;
    }
    out.push(&text[done..]);
}

/// U+FFFE and U+FFFF.
fn is_noncharacter(text: &[u8]) -> bool {
    matches!(text, [0xef, 0xbf, 0xbe | 0xbf, ..])
}

/// Appends a CDATA section. Where the text contains the end mark of one, it is split into two sections.
pub fn push_cdata(out: &mut Out, text: &str) {
    out.push(b"<![CDATA[");
    let mut rest = text.as_bytes();
    while let Some(end) = rest.windows(3).position(|window| window == b"]]>") {
        push_xml_characters(out, &rest[..end + 2]);
        out.push(b"]]><![CDATA[");
        rest = &rest[end + 2..];
    }
    push_xml_characters(out, rest);
    out.push(b"]]>");
}

/// Appends the characters that XML 1.0 can hold, unescaped.
fn push_xml_characters(out: &mut Out, text: &[u8]) {
    let mut done = 0;
    let mut at = 0;
    while at < text.len() {
        let width = match text[at] {
            b'\t' | b'\n' | b'\r' => 0,
            0..0x20 => 1,
            0xef if is_noncharacter(&text[at..]) => 3,
            _ => 0,
        };
        if width == 0 {
            at += 1;
            continue;
        }
        out.push(&text[done..at]);
        at += width;
        done = at;
    }
    out.push(&text[done..]);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn json(text: Text<'_>) -> String {
        let mut out = Out::new();
        push_json(&mut out, text);
        String::from_utf8(out.finish().unwrap()).unwrap()
    }

    fn xml(text: &str) -> String {
        let mut out = Out::new();
        push_xml_attribute(&mut out, Text::of(text));
        String::from_utf8(out.finish().unwrap()).unwrap()
    }

    #[test]
    fn plain_is_what_json_has_as_it_is() {
        for length in 0..40 {
            let text = vec![b'a'; length];
            assert!(is_plain::<b'<'>(&text));
            for (at, byte) in (0..length).flat_map(|at| (0..=255).map(move |byte| (at, byte))) {
                let mut text = text.clone();
                text[at] = byte;
                let expected = (0x20..0x80).contains(&byte) && !b"\"\\<".contains(&byte);
                assert_eq!(is_plain::<b'<'>(&text), expected, "{byte} at {at} of {length}");
            }
        }
    }

    #[test]
    fn latin1_is_read_as_windows_1252() {
        assert_eq!(json(Text::Latin1(b"caf\xe9 \x80\x93")), "\"café €“\"");
    }

    #[test]
    fn invalid_utf8_is_written_as_r_prints_it() {
        assert_eq!(json(Text::Utf8(b"a\xff\xfe\"b")), r#""a\\xff\\xfe\"b""#);
        assert_eq!(json(Text::Na), "null");
    }

    #[test]
    fn xml_attributes_keep_white_space_and_drop_what_xml_cannot_hold() {
        assert_eq!(xml("a<b>&\"c\"\n\t\r\u{1}\u{ffff}é"), "a&lt;b&gt;&amp;&quot;c&quot;&#10;&#9;&#13;é");
    }

    #[test]
    fn cdata_never_holds_its_end_mark() {
        let mut out = Out::new();
        push_cdata(&mut out, "a]]>b\u{8}]]");
        assert_eq!(out.finish().unwrap(), b"<![CDATA[a]]]]><![CDATA[>b]]]]>");
    }

    proptest! {
        #[test]
        fn json_strings_read_back(text in ".*") {
            let read: String = serde_json::from_str(&json(Text::of(&text))).unwrap();
            prop_assert_eq!(read, text);
        }

        #[test]
        fn any_bytes_give_valid_json(bytes in proptest::collection::vec(1_u8.., 0..60)) {
            serde_json::from_str::<String>(&json(Text::Utf8(&bytes))).unwrap();
            serde_json::from_str::<String>(&json(Text::Latin1(&bytes))).unwrap();
        }

        #[test]
        fn xml_attributes_read_back(text in "[\\t\\n\\r -\u{d7ff}]*") {
            let document = format!("<a b=\"{}\"/>", xml(&text));
            let parsed = roxmltree::Document::parse(&document).unwrap();
            prop_assert_eq!(parsed.root_element().attribute("b").unwrap(), text);
        }
    }
}
