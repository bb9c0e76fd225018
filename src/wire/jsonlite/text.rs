//! Escapes strings as jsonlite does: with all of JSON's short escapes, and an escaped slash in `</`.

use crate::wire::{
    Out, Text,
    text::{is_plain, push_json_code},
};

/// Bytes that may have to be escaped.
const LOOKED_AT: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < 0x20 {
        table[byte] = true;
        byte += 1;
    }
    table[b'"' as usize] = true;
    table[b'\\' as usize] = true;
    table[b'/' as usize] = true;
    table
};

/// Appends a string in its quotes, or `null` for `NA`.
#[inline]
pub(super) fn push_string(out: &mut Out, text: Text<'_>) {
    if text.is_na() {
        out.push(b"null");
        return;
    }
    out.byte(b'"');
    if is_plain::<b'<'>(text.bytes()) {
        out.push(text.bytes());
    } else {
        let mut last = 0;
        text.pieces(|piece| {
            push_escaped(out, piece, last);
            last = piece.last().copied().unwrap_or(last);
        });
    }
    out.byte(b'"');
}

/// Appends valid UTF-8 with its escapes; `last` is the byte before it.
fn push_escaped(out: &mut Out, text: &[u8], last: u8) {
    let mut done = 0;
    for (at, &byte) in text.iter().enumerate() {
        if !LOOKED_AT[usize::from(byte)] {
            continue;
        }
        let escape = match byte {
            b'"' | b'\\' => byte,
            b'/' if (if at == 0 { last } else { text[at - 1] }) == b'<' => byte,
            b'/' => continue,
            b'\n' => b'n',
            b'\r' => b'r',
            b'\t' => b't',
            0x08 => b'b',
            0x0c => b'f',
            _ => {
                out.push(&text[done..at]);
                push_json_code(out, byte);
                done = at + 1;
                continue;
            }
        };
        out.push(&text[done..at]);
        out.push(&[b'\\', escape]);
        done = at + 1;
    }
    out.push(&text[done..]);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn written(text: Text<'_>) -> String {
        let mut out = Out::new();
        push_string(&mut out, text);
        String::from_utf8(out.finish().unwrap()).unwrap()
    }

    #[test]
    fn escapes_are_those_of_jsonlite() {
        assert_eq!(written(Text::of("\"\\\n\r\t\u{8}\u{c}\u{1}\u{1f}\u{7f}")), "\"\\\"\\\\\\n\\r\\t\\b\\f\\u0001\\u001f\u{7f}\"");
        assert_eq!(written(Text::of("/a/</script>")), r#""/a/<\/script>""#);
        assert_eq!(written(Text::Latin1(b"</\xe9")), "\"<\\/é\"");
        assert_eq!(written(Text::Na), "null");
    }

    proptest! {
        #[test]
        fn strings_read_back(text in "(?s).*") {
            let read: String = serde_json::from_str(&written(Text::of(&text))).unwrap();
            prop_assert_eq!(read, text);
        }
    }
}
