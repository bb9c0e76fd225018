//! The parameters of a query or of a form, decoded as leniently as old clients need.

use std::collections::HashSet;

use bytes::Bytes;

/// The parameters of a request.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Form(Vec<(String, Bytes)>);

/// A parameter that is not as it has to be; the text says which and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invalid(pub String);

impl Form {
    /// Adds the pairs of a query string or of a body. Of pairs with one name, the last counts.
    pub fn add(&mut self, encoded: &[u8]) {
        let mut rest = encoded;
        while !rest.is_empty() {
            let (pair, after) = split(rest, b'&');
            rest = after;
            if pair.is_empty() {
                continue;
            }
            let (name, value) = split(pair, b'=');
            self.0.push((String::from_utf8_lossy(&decode(name)).trim().to_owned(), decode(value).into()));
        }
    }

    /// Sets a parameter, in place of earlier ones of its name.
    pub fn set(&mut self, name: &str, value: Bytes) {
        self.0.retain(|(known, _)| known != name);
        self.0.push((name.to_owned(), value));
    }

    /// A parameter; an empty one is absent.
    ///
    /// # Errors
    /// When it is not UTF-8.
    pub fn get(&self, name: &str) -> Result<Option<&str>, Invalid> {
        self.find(name).map(|value| text(name, value)).transpose()
    }

    fn find(&self, name: &str) -> Option<&Bytes> {
        self.0.iter().rev().find(|(known, _)| known == name).map(|(_, value)| value).filter(|value| !value.is_empty())
    }

    /// All values of a parameter, empty ones left out.
    ///
    /// # Errors
    /// When one is not UTF-8.
    pub fn all(&self, name: &str) -> Result<Vec<&str>, Invalid> {
        let values = self.0.iter().filter(|(known, value)| known == name && !value.is_empty());
        values.map(|(_, value)| text(name, value)).collect()
    }

    /// A parameter that has to be there.
    ///
    /// # Errors
    /// When it is not, or is not UTF-8.
    pub fn require(&self, name: &str) -> Result<&str, Invalid> {
        self.get(name)?.ok_or_else(|| missing(name))
    }

    /// The same, to be sent on as it is.
    ///
    /// # Errors
    /// When it is not there.
    pub fn content(&self, name: &str) -> Result<Bytes, Invalid> {
        self.find(name).cloned().ok_or_else(|| missing(name))
    }

    /// A list: items separated by commas, trimmed, each once; empty ones are dropped.
    ///
    /// # Errors
    /// When it is not UTF-8.
    pub fn list(&self, name: &str) -> Result<Vec<String>, Invalid> {
        let text = self.get(name)?.unwrap_or_default();
        let mut known = HashSet::new();
        let items = text.split(',').map(str::trim).filter(|item| !item.is_empty() && known.insert(*item));
        Ok(items.map(str::to_owned).collect())
    }

    /// A boolean, in any of the words that clients use.
    ///
    /// # Errors
    /// When it is none of them.
    pub fn boolean(&self, name: &str) -> Result<Option<bool>, Invalid> {
        let Some(text) = self.get(name)? else { return Ok(None) };
        match text.trim().to_ascii_lowercase().as_str() {
            "true" | "t" | "1" | "on" => Ok(Some(true)),
            "false" | "f" | "0" | "off" => Ok(Some(false)),
            _ => Err(Invalid(format!("Parameter {name} is neither true nor false: {text}"))),
        }
    }

    /// A number of things: 0 or more.
    ///
    /// # Errors
    /// When it is no such number.
    pub fn count(&self, name: &str) -> Result<Option<usize>, Invalid> {
        let Some(text) = self.get(name)? else { return Ok(None) };
        text.trim().parse().map(Some).map_err(|_| Invalid(format!("Parameter {name} is not a whole number of 0 or more: {text}")))
    }
}

/// What stands before the first such byte, and what stands after it.
fn split(text: &[u8], byte: u8) -> (&[u8], &[u8]) {
    memchr::memchr(byte, text).map_or((text, &[]), |at| (&text[..at], &text[at + 1..]))
}

fn missing(name: &str) -> Invalid {
    Invalid(format!("Parameter {name} is missing."))
}

fn text<'v>(name: &str, value: &'v [u8]) -> Result<&'v str, Invalid> {
    std::str::from_utf8(value).map_err(|_| Invalid(format!("Parameter {name} is not UTF-8 text.")))
}

/// A body read piece by piece, in which one parameter is a file that does not fit in memory.
#[derive(Debug)]
pub struct Pieces {
    file: &'static str,
    /// Most that is kept of the other parameters, in bytes.
    limit: usize,
    /// What cannot be decoded yet.
    rest: Vec<u8>,
    in_file: bool,
}

/// A parameter is larger than what is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TooLarge;

impl Pieces {
    /// `file` is the parameter that holds the file.
    #[must_use]
    pub fn new(file: &'static str, limit: usize) -> Self {
        Self { file, limit, rest: Vec::new(), in_file: false }
    }

    /// Takes the next piece, or the `last`. Returns what it holds of the file, decoded; `None` when that has
    /// not begun or is over. All other parameters go into `form`.
    ///
    /// # Errors
    /// [`TooLarge`]
    pub fn push(&mut self, piece: &[u8], last: bool, form: &mut Form) -> Result<Option<Vec<u8>>, TooLarge> {
        self.rest.extend_from_slice(piece);
        let mut of_file = None;
        loop {
            let end = self.rest.iter().position(|&byte| byte == b'&');
            if self.in_file {
                // Half of a `%41` waits for the other half.
                let tail = self.rest.iter().rev().take(2).position(|&byte| byte == b'%').map_or(0, |at| at + 1);
                let whole = end.unwrap_or(self.rest.len() - if last { 0 } else { tail });
                of_file.get_or_insert_with(Vec::new).extend(decode(&self.rest[..whole]));
                self.rest.drain(..whole);
            } else if let Some(equals) = self.rest.iter().position(|&byte| byte == b'=').filter(|&at| end.is_none_or(|end| at < end))
                && decode(&self.rest[..equals]).trim_ascii() == self.file.as_bytes()
            {
                self.rest.drain(..=equals);
                self.in_file = true;
                continue;
            } else if end.is_some() || last {
                form.add(&self.rest[..end.unwrap_or(self.rest.len())]);
                self.rest.drain(..end.unwrap_or(self.rest.len()));
            } else if self.rest.len() > self.limit {
                return Err(TooLarge);
            }
            if end.is_none() {
                return Ok(of_file);
            }
            self.rest.drain(..1);
            self.in_file = false;
        }
    }
}

/// `+` is a blank, `%41` is A; a `%` without two hexadecimal digits stands for itself.
fn decode(text: &[u8]) -> Vec<u8> {
    let mut decoded = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = memchr::memchr2(b'+', b'%', rest) {
        decoded.extend_from_slice(&rest[..at]);
        let (byte, width) = match rest[at..] {
            [b'+', ..] => (b' ', 1),
            [_, high, low, ..] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => (hex(high) << 4 | hex(low), 3),
            _ => (b'%', 1),
        };
        decoded.push(byte);
        rest = &rest[at + width..];
    }
    decoded.extend_from_slice(rest);
    decoded
}

fn hex(digit: u8) -> u8 {
    match digit {
        b'0'..=b'9' => digit - b'0',
        b'a'..=b'f' => digit - b'a' + 10,
        _ => digit - b'A' + 10,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn form(text: &str) -> Form {
        let mut form = Form::default();
        form.add(text.as_bytes());
        form
    }

    #[test]
    fn escapes_are_decoded_wherever_they_stand() {
        for before in 0..20 {
            for (escaped, expected) in [("%2C", ","), ("+", " "), ("%%2B+", "%+ "), ("%4", "%4"), ("%", "%"), ("*&", "*")] {
                let plain = "x".repeat(before);
                let form = form(&format!("a={plain}{escaped}{plain}"));
                let after = if escaped.ends_with('&') { "" } else { &plain };
                assert_eq!(form.require("a").unwrap(), format!("{plain}{expected}{after}"));
            }
        }
    }

    #[test]
    fn what_is_not_encoded_is_taken_as_it_is() {
        let form = form("descr=My Workspace 1&code=x %% 2 + %zz%4&é=ü%C3%BC&a=1&a=2&empty=&flag");
        assert_eq!(form.require("descr").unwrap(), "My Workspace 1");
        assert_eq!(form.require("code").unwrap(), "x %% 2   %zz%4");
        assert_eq!(form.require("é").unwrap(), "üü");
        assert_eq!(form.require("a").unwrap(), "2");
        assert_eq!(form.get("empty").unwrap(), None);
        assert_eq!(form.require("flag").unwrap_err().0, "Parameter flag is missing.");
    }

    #[test]
    fn typed_parameters_say_what_is_wrong() {
        let form = form("l=x, y,,z ,x&b=TRUE&n=-1&w=maybe&bad=%ff");
        assert_eq!(form.list("l").unwrap(), ["x", "y", "z"]);
        assert_eq!(form.boolean("b").unwrap(), Some(true));
        assert!(form.count("n").unwrap_err().0.contains("Parameter n"));
        assert!(form.boolean("w").unwrap_err().0.contains("Parameter w"));
        assert_eq!(form.get("bad").unwrap_err().0, "Parameter bad is not UTF-8 text.");
    }

    proptest! {
        #[test]
        fn a_file_is_found_however_a_body_is_cut(content in proptest::collection::vec(any::<u8>(), 0..60), cut in 1_usize..20) {
            let encoded: String = percent_encoding::percent_encode(&content, percent_encoding::NON_ALPHANUMERIC).collect();
            let body = format!("name=a+b%26&file={encoded}&format=xml");
            let (mut pieces, mut form, mut file) = (Pieces::new("file", 1000), Form::default(), Vec::new());
            let chunks: Vec<_> = body.as_bytes().chunks(cut).collect();
            for (at, chunk) in chunks.iter().enumerate() {
                file.extend(pieces.push(chunk, at + 1 == chunks.len(), &mut form).unwrap().unwrap_or_default());
            }
            prop_assert_eq!(file, content);
            prop_assert_eq!(form.require("name").unwrap(), "a b&");
            prop_assert_eq!(form.require("format").unwrap(), "xml");
        }

        #[test]
        fn encoded_pairs_come_back(value in "\\PC*") {
            let encoded: String = percent_encoding::utf8_percent_encode(&value, percent_encoding::NON_ALPHANUMERIC).collect();
            let form = form(&format!("v={encoded}"));
            prop_assert_eq!(form.get("v").unwrap().unwrap_or_default(), value);
        }

        #[test]
        fn any_bytes_are_decoded(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let mut form = Form::default();
            form.add(&bytes);
        }
    }
}
