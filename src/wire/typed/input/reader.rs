//! Reads JSON (RFC 8259) into [`Raw`].
//!
//! Clients send arrays of millions of numbers and texts. Each number is put into its vector as it is read, and a text is
//! borrowed from the request. `serde_json` reads texts with escapes, and words the errors.

use serde::de::IgnoredAny;

use super::{
    Column, Sent,
    raw::{Elements, OutOfMemory, Raw, push},
};

/// Most levels of arrays and objects within each other, as in `serde_json`.
const DEPTH: u8 = 127;

/// Why a text was not read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::wire) enum Fault {
    /// It is not JSON: what is wrong, and where.
    Syntax(String),
    /// Arrays and objects are nested deeper than [`DEPTH`].
    TooDeep,
    /// It does not fit in the session's memory.
    OutOfMemory,
    /// An integer that would become another one, where that is not allowed.
    Inexact(String),
}

impl From<OutOfMemory> for Fault {
    fn from(_: OutOfMemory) -> Self {
        Self::OutOfMemory
    }
}

/// Reads a text that is one JSON value. An integer that no double is equal to becomes the nearest one.
pub(super) fn read(text: &str) -> Result<Raw<'_>, Fault> {
    Reader { text, at: 0, is_exact: false }.read()
}

/// Reads a text that is one JSON value, and in which every integer can be told from all others when it is a double.
pub(in crate::wire) fn read_exactly(text: &str) -> Result<Raw<'_>, Fault> {
    Reader { text, at: 0, is_exact: true }.read()
}

struct Reader<'a> {
    text: &'a str,
    /// How many bytes have been read.
    at: usize,
    /// Whether integers that would become others are refused.
    is_exact: bool,
}

impl<'a> Reader<'a> {
    fn read(mut self) -> Result<Raw<'a>, Fault> {
        let value = self.value(DEPTH)?;
        match self.peek() {
            None => Ok(value),
            Some(_) => Err(self.fault("trailing characters")),
        }
    }

    fn rest(&self) -> &'a [u8] {
        &self.text.as_bytes()[self.at..]
    }

    /// The next byte that is not white space.
    #[inline]
    fn peek(&mut self) -> Option<u8> {
        loop {
            match self.text.as_bytes().get(self.at) {
                Some(b' ' | b'\n' | b'\t' | b'\r') => self.at += 1,
                next => return next.copied(),
            }
        }
    }

    /// Takes the next byte that is not white space, if it is this one.
    #[inline]
    fn take(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    fn value(&mut self, depth: u8) -> Result<Raw<'a>, Fault> {
        match self.peek() {
            Some(b'"') => self.text().map(Raw::Text),
            Some(b'-' | b'0'..=b'9') => self.number().map(Raw::Number),
            Some(b'[') => self.array(deeper(depth)?),
            Some(b'{') => self.object(deeper(depth)?),
            Some(b'n') => self.word("null", Raw::Null),
            Some(b't') => self.word("true", Raw::Bool(true)),
            Some(b'f') => self.word("false", Raw::Bool(false)),
            _ => Err(self.fault("expected value")),
        }
    }

    fn word(&mut self, word: &str, value: Raw<'a>) -> Result<Raw<'a>, Fault> {
        if !self.rest().starts_with(word.as_bytes()) {
            return Err(self.fault("expected ident"));
        }
        self.at += word.len();
        Ok(value)
    }

    /// Reads a number, of which the first byte comes next.
    #[inline]
    fn number(&mut self) -> Result<f64, Fault> {
        let rest = self.rest();
        let unsigned = rest.strip_prefix(b"-").unwrap_or(rest);
        let whole = unsigned.iter().take_while(|byte| byte.is_ascii_digit()).count();
        // The parser accepts forms that JSON does not have: no digit before or after the point, and zeros in front.
        let is_json = match unsigned.get(whole..) {
            Some([b'.', after, ..]) => after.is_ascii_digit(),
            Some([b'.']) => false,
            _ => true,
        } && whole > 0
            && (whole == 1 || unsigned[0] != b'0');
        let Some((number, length)) = fast_float2::parse_partial::<f64, _>(rest).ok().filter(|_| is_json) else {
            return Err(self.fault("invalid number"));
        };
        // Every integer of that many digits is a double.
        const EXACT: usize = 15;
        if self.is_exact && length > EXACT && !is_same(&self.text[self.at..self.at + length], number) {
            return Err(Fault::Inexact(self.text[self.at..self.at + length].to_owned()));
        }
        self.at += length;
        if number.is_finite() { Ok(number) } else { Err(self.fault("number out of range")) }
    }

    /// Reads a text, of which the first quote comes next.
    #[inline]
    fn text(&mut self) -> Result<Sent<'a>, Fault> {
        let start = self.at + 1;
        let found = self.text.as_bytes()[start..].iter().position(|&byte| matches!(byte, b'"' | b'\\' | 0..0x20));
        let end = found.map_or(self.text.len(), |length| start + length);
        if self.text.as_bytes().get(end) != Some(&b'"') {
            return self.escaped(end);
        }
        self.at = end + 1;
        Ok(Sent::Borrowed(&self.text[start..end]))
    }

    /// Reads a text, of which the first quote comes next, and of which the bytes before `plain` have no escapes.
    #[cold]
    fn escaped(&mut self, plain: usize) -> Result<Sent<'a>, Fault> {
        let (start, mut end) = (self.at, plain);
        loop {
            let Some(found) = memchr::memchr2(b'"', b'\\', self.text.as_bytes().get(end..).unwrap_or_default()) else {
                return Err(self.fault("EOF while parsing a string"));
            };
            end += found;
            if self.text.as_bytes()[end] == b'"' {
                break;
            }
            end += 2; // The escaped byte may be a quote, which is not the end.
        }
        match serde_json::from_str(&self.text[start..=end]) {
            Ok(text) => {
                self.at = end + 1;
                Ok(Sent::Owned(text))
            }
            Err(error) => {
                let message = error.to_string();
                Err(self.fault(message.split(" at line ").next().unwrap_or_default()))
            }
        }
    }

    /// Reads an array, of which the bracket comes next.
    fn array(&mut self, depth: u8) -> Result<Raw<'a>, Fault> {
        self.at += 1;
        let mut elements = Elements::Nulls(0);
        if self.take(b']') {
            return Ok(elements.into());
        }
        loop {
            match (&mut elements, self.peek()) {
                (Elements::Column(Column::Double(all)), Some(b'-' | b'0'..=b'9')) => push(all, self.number()?)?,
                _ => elements.push(self.value(depth)?)?,
            }
            if !self.take(b',') {
                break;
            }
        }
        if self.take(b']') { Ok(elements.into()) } else { Err(self.fault("expected `,` or `]`")) }
    }

    /// Reads an object, of which the brace comes next.
    fn object(&mut self, depth: u8) -> Result<Raw<'a>, Fault> {
        self.at += 1;
        let mut members = Vec::new();
        if self.take(b'}') {
            return Ok(Raw::Object(members));
        }
        loop {
            if self.peek() != Some(b'"') {
                return Err(self.fault("key must be a string"));
            }
            let name = self.text()?;
            if !self.take(b':') {
                return Err(self.fault("expected `:`"));
            }
            push(&mut members, (name, self.value(depth)?))?;
            if !self.take(b',') {
                break;
            }
        }
        if self.take(b'}') { Ok(Raw::Object(members)) } else { Err(self.fault("expected `,` or `}`")) }
    }

    /// The error at this place, in the words of `serde_json`, if it finds an error there as well.
    #[cold]
    fn fault(&self, what: &str) -> Fault {
        let known = serde_json::from_str::<IgnoredAny>(self.text).err();
        Fault::Syntax(known.map_or_else(
            || {
                let read = &self.text.as_bytes()[..self.at];
                let line = memchr::memchr_iter(b'\n', read).count() + 1;
                let column = read.len() - memchr::memrchr(b'\n', read).map_or(0, |at| at + 1);
                format!("{what} at line {line} column {column}")
            },
            |error| error.to_string(),
        ))
    }
}

/// Whether a double is the integer that these digits are, or is written by them: the digits of a double are as few as tell it
/// from all others, and may end in zeros. What is no integer is rounded, as everywhere.
#[cold]
fn is_same(digits: &str, number: f64) -> bool {
    let is_integer = !digits.contains(['.', 'e', 'E']);
    !is_integer || !number.is_finite() || number.to_string() == digits || format!("{number:.0}") == digits
}

fn deeper(depth: u8) -> Result<u8, Fault> {
    depth.checked_sub(1).ok_or(Fault::TooDeep)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    /// A value that was read, as one of `serde_json`.
    fn value(raw: Raw<'_>) -> Value {
        match raw {
            Raw::Null => Value::Null,
            Raw::Bool(truth) => truth.into(),
            Raw::Number(number) => number.into(),
            Raw::Text(text) => text.into(),
            Raw::Column(column) => Raw::elements(column).into_iter().map(value).collect(),
            Raw::Array(all) => all.into_iter().map(value).collect(),
            Raw::Object(members) => members.into_iter().map(|(name, member)| (name, value(member))).collect(),
        }
    }

    /// A value of `serde_json`, with all numbers as doubles.
    fn with_doubles(value: Value) -> Value {
        match value {
            Value::Number(number) => number.as_f64().into(),
            Value::Array(all) => all.into_iter().map(with_doubles).collect(),
            Value::Object(members) => members.into_iter().map(|(name, member)| (name, with_doubles(member))).collect(),
            other => other,
        }
    }

    fn any_json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<u64>().prop_map(Value::from),
            any::<String>().prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 64, 8, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..8).prop_map(Value::from),
                proptest::collection::vec((any::<String>(), inner), 0..8).prop_map(|members| members.into_iter().collect()),
            ]
        })
    }

    fn check(text: &str) -> Result<(), TestCaseError> {
        let (ours, theirs) = (read(text), serde_json::from_str::<Value>(text));
        match (ours, theirs) {
            (Ok(ours), Ok(theirs)) => prop_assert_eq!(value(ours), with_doubles(theirs), "{}", text),
            (Err(_), Err(_)) => {}
            (ours, theirs) => prop_assert!(false, "{}: {:?}, {:?}", text, ours, theirs),
        }
        Ok(())
    }

    proptest! {
        #[test]
        fn what_is_json_is_read_as_serde_json_reads_it(json in any_json(), is_pretty in any::<bool>()) {
            check(&if is_pretty { serde_json::to_string_pretty(&json).unwrap() } else { json.to_string() })?;
        }

        #[test]
        fn what_is_none_is_refused(text in r#"[\[{"]?[-+0-9.eE,:\[\]{}" a\\untrlsf]{0,12}[\]}"]?"#) {
            check(&text)?;
        }

        #[test]
        fn numbers_are_exact(number in "-?(0|[1-9][0-9]{0,25})(\\.[0-9]{1,30})?([eE][-+]?[0-9]{1,3})?") {
            check(&format!("[1,{number}]"))?;
        }
    }

    #[test]
    fn what_looks_like_json_is_told_apart() {
        for text in [
            "",
            " ",
            "01",
            "-",
            "-01",
            "1.",
            ".5",
            "-.5",
            "+1",
            "1.e5",
            "1e",
            "1e+",
            "1e5.",
            "inf",
            "NaN",
            "nul",
            "nulll",
            "[1,]",
            "[,1]",
            "[1 2]",
            "{\"a\"}",
            "{\"a\":}",
            "{a:1}",
            "{\"a\":1,}",
            "\"\\x\"",
            "\"\\ud800\"",
            "\"\\",
            "\"\\\"",
            "\"a\nb\"",
            "\"",
            "1 2",
            "[1,1.]",
            "[1,01]",
            "[1,-]",
            "[1,inf]",
            "[1,+1]",
            "[1,1e999]",
            "-0",
            "-0.0",
            "1E5",
            "0e0",
            "[1,-0]",
            "\"\\ud83d\\ude00\\\\\"",
            "\u{a0}1",
        ] {
            check(text).unwrap();
        }
    }

    #[test]
    fn what_is_wrong_is_told_with_its_place() {
        for (text, message) in [
            ("[1,\n 1e999]", "number out of range at line 2 column 6"),
            ("[1,\n x]", "expected value at line 2 column 2"),
            ("{\"a\":\"\\ud800\"}", "unexpected end of hex escape at line 1 column 5"),
        ] {
            assert_eq!(read(text), Err(Fault::Syntax(message.to_owned())), "{text}");
        }
    }

    #[test]
    fn depth_is_that_of_serde_json() {
        for depth in [1, 126, 127, 128, 129] {
            let text = "[".repeat(depth) + &"]".repeat(depth);
            assert_eq!(read(&text).is_ok(), serde_json::from_str::<Value>(&text).is_ok(), "{depth}");
        }
    }
}
