//! The parameters of a query or of a form, decoded as leniently as old clients need.

use std::collections::HashSet;

use bytes::Bytes;

/// The parameters of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Form {
    fields: Vec<(String, Bytes)>,
    /// The most parameters that are taken: reading one by name looks at all of them.
    most: usize,
}

/// A parameter is wrong; the text says which one and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invalid(pub String);

impl Form {
    /// A form without parameters, which takes at most this many.
    #[must_use]
    pub fn new(most: usize) -> Self {
        Self { fields: Vec::new(), most }
    }

    /// Adds the pairs of a query string or of a body. If a name occurs more than once, its last pair counts.
    ///
    /// # Errors
    /// When there are too many pairs; those that fit have been added.
    pub fn add(&mut self, encoded: &[u8]) -> Result<(), Invalid> {
        let mut rest = encoded;
        while !rest.is_empty() {
            let (pair, after) = split(rest, b'&');
            rest = after;
            if !pair.is_empty() {
                let (name, value) = split(pair, b'=');
                // Checked before decoding, because there may be millions of pairs.
                self.check_room()?;
                self.push(String::from_utf8_lossy(&decode(name)).trim(), decode(value).into())?;
            }
        }
        Ok(())
    }

    /// Adds a parameter. It replaces earlier ones of the same name.
    ///
    /// # Errors
    /// When there are too many.
    pub fn push(&mut self, name: &str, value: Bytes) -> Result<(), Invalid> {
        self.check_room()?;
        self.fields.push((name.to_owned(), value));
        Ok(())
    }

    fn check_room(&self) -> Result<(), Invalid> {
        if self.fields.len() < self.most { Ok(()) } else { Err(too_many(self.most)) }
    }

    /// The value of a parameter. An empty parameter counts as absent.
    ///
    /// # Errors
    /// When it is not UTF-8.
    pub fn get(&self, name: &str) -> Result<Option<&str>, Invalid> {
        self.find(name).map(|value| text(name, value)).transpose()
    }

    fn find(&self, name: &str) -> Option<&Bytes> {
        self.fields.iter().rev().find(|(known, _)| known == name).map(|(_, value)| value).filter(|value| !value.is_empty())
    }

    /// All values of a parameter, without the empty ones.
    ///
    /// # Errors
    /// When one is not UTF-8.
    pub fn all(&self, name: &str) -> Result<Vec<&str>, Invalid> {
        let values = self.fields.iter().filter(|(known, value)| known == name && !value.is_empty());
        values.map(|(_, value)| text(name, value)).collect()
    }

    /// The value of a required parameter.
    ///
    /// # Errors
    /// When it is not, or is not UTF-8.
    pub fn require(&self, name: &str) -> Result<&str, Invalid> {
        self.get(name)?.ok_or_else(|| missing(name))
    }

    /// A name, an identifier or a description: blanks around it do not count, and one of blanks alone is absent.
    ///
    /// # Errors
    /// When it is not UTF-8.
    pub fn label(&self, name: &str) -> Result<Option<&str>, Invalid> {
        Ok(self.get(name)?.map(str::trim_ascii).filter(|label| !label.is_empty()))
    }

    /// A required [`Self::label`].
    ///
    /// # Errors
    /// When it is not there, or is not UTF-8.
    pub fn require_label(&self, name: &str) -> Result<&str, Invalid> {
        self.label(name)?.ok_or_else(|| missing(name))
    }

    /// The bytes of a required parameter, which are sent on unchanged.
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

    /// A boolean, written in any of the words that clients use.
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

    /// A count: 0 or more.
    ///
    /// # Errors
    /// When the value is not such a number.
    pub fn count(&self, name: &str) -> Result<Option<usize>, Invalid> {
        let Some(text) = self.get(name)? else { return Ok(None) };
        text.trim().parse().map(Some).map_err(|_| Invalid(format!("Parameter {name} is not a whole number of 0 or more: {text}")))
    }
}

/// The text before the first occurrence of a byte, and the text after it.
fn split(text: &[u8], byte: u8) -> (&[u8], &[u8]) {
    memchr::memchr(byte, text).map_or((text, &[]), |at| (&text[..at], &text[at + 1..]))
}

/// The error for more parameters than the server takes.
#[must_use]
pub fn too_many(most: usize) -> Invalid {
    Invalid(format!("The request has more than {most} parameters, which is the most this server takes (http.form_fields)."))
}

fn missing(name: &str) -> Invalid {
    Invalid(format!("Parameter {name} is missing."))
}

fn text<'v>(name: &str, value: &'v [u8]) -> Result<&'v str, Invalid> {
    std::str::from_utf8(value).map_err(|_| Invalid(format!("Parameter {name} is not UTF-8 text.")))
}

/// `+` is a space and `%41` is A; a `%` without two hexadecimal digits stays a `%`.
pub(super) fn decode(text: &[u8]) -> Vec<u8> {
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
        let mut form = Form::new(1000);
        form.add(text.as_bytes()).unwrap();
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
        let form = form("l=x, y,,z ,x&b=TRUE&n=-1&w=maybe&bad=%ff&descr = test_x &blank=+%0d%0a");
        assert_eq!((form.require_label("descr").unwrap(), form.get("descr").unwrap()), ("test_x", Some(" test_x ")));
        assert_eq!(form.label("blank").unwrap(), None);
        assert_eq!(form.list("l").unwrap(), ["x", "y", "z"]);
        assert_eq!(form.boolean("b").unwrap(), Some(true));
        assert!(form.count("n").unwrap_err().0.contains("Parameter n"));
        assert!(form.boolean("w").unwrap_err().0.contains("Parameter w"));
        assert_eq!(form.get("bad").unwrap_err().0, "Parameter bad is not UTF-8 text.");
    }

    #[test]
    fn more_parameters_than_allowed_are_not_kept() {
        let mut form = Form::new(3);
        // Empty pairs do not count.
        form.add(b"a=1&&&&&b=2&").unwrap();
        let refusal = form.add(&b"c=3&".repeat(1_000_000)).unwrap_err();
        assert_eq!(refusal.0, "The request has more than 3 parameters, which is the most this server takes (http.form_fields).");
        assert_eq!((form.fields.len(), form.require("c").unwrap()), (3, "3"));
        assert!(form.push("d", Bytes::new()).is_err());
    }

    proptest! {
        #[test]
        fn encoded_pairs_come_back(value in "\\PC*") {
            let encoded: String = percent_encoding::utf8_percent_encode(&value, percent_encoding::NON_ALPHANUMERIC).collect();
            let form = form(&format!("v={encoded}"));
            prop_assert_eq!(form.get("v").unwrap().unwrap_or_default(), value);
        }

        #[test]
        fn any_bytes_are_decoded(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = Form::new(10).add(&bytes);
        }
    }
}
