//! Distinguished names (RFC 4514), as far as they have to be compared.

/// A distinguished name, part by part, so that two of them are equal if they mean the same entry: neither case nor blanks around the parts
/// count, nor how a character is escaped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct DistinguishedName(Vec<Part>);

/// One part: the type of its attribute, and the value.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Part {
    kind: String,
    value: String,
}

impl DistinguishedName {
    pub(super) fn parse(text: &str) -> Self {
        let mut parts = Vec::new();
        let (mut kind, mut value) = (None, Piece::default());
        let mut bytes = text.bytes();
        while let Some(byte) = bytes.next() {
            match byte {
                b'\\' => value.push_escaped(&mut bytes),
                b',' => parts.push(Part { kind: kind.take().unwrap_or_default(), value: std::mem::take(&mut value).text() }),
                b'=' if kind.is_none() => kind = Some(std::mem::take(&mut value).text()),
                byte => value.push(byte),
            }
        }
        parts.push(Part { kind: kind.unwrap_or_default(), value: value.text() });
        Self(parts)
    }

    /// The common name, if that is the entry's own name; or a text that is no distinguished name at all, as some attributes have them.
    pub(super) fn common_name(&self) -> Option<&str> {
        match self.0.as_slice() {
            [Part { kind, value }] if kind.is_empty() => Some(value),
            [Part { kind, value }, ..] if kind == "cn" => Some(value),
            _ => None,
        }
    }
}

/// A type or a value as it is read.
#[derive(Default)]
struct Piece {
    bytes: Vec<u8>,
    /// How many of them stay if those are blanks that follow.
    kept: usize,
}

impl Piece {
    fn push(&mut self, byte: u8) {
        if byte == b' ' && self.bytes.is_empty() {
            return;
        }
        self.bytes.push(byte);
        if byte != b' ' {
            self.kept = self.bytes.len();
        }
    }

    /// What follows a backslash: two hexadecimal digits, or a character that stands for itself.
    fn push_escaped(&mut self, rest: &mut std::str::Bytes<'_>) {
        let digits: Vec<u8> = rest.clone().take(2).collect();
        let mut byte = [0];
        if hex::decode_to_slice(&digits, &mut byte).is_ok() {
            self.bytes.push(byte[0]);
            rest.nth(1);
        } else {
            self.bytes.extend(rest.next());
        }
        self.kept = self.bytes.len();
    }

    fn text(mut self) -> String {
        self.bytes.truncate(self.kept);
        String::from_utf8_lossy(&self.bytes).to_lowercase()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn same(one: &str, other: &str) -> bool {
        DistinguishedName::parse(one) == DistinguishedName::parse(other)
    }

    #[test]
    fn names_of_one_entry_are_equal_however_they_are_written() {
        for (one, other) in [
            ("cn=R Users,ou=groups,dc=example", "CN=r users , OU=Groups,dc=EXAMPLE"),
            (r"cn=R\, Users,dc=x", r"cn=r\2c users,dc=x"),
            (r"cn=J\C3\BCrgen", "cn=jürgen"),
            (r"cn=a\20", r"cn=a\ "),
            (r"cn=\23a=b", r"cn=\#a\=b"),
        ] {
            assert!(same(one, other), "{one} {other}");
        }
        for (one, other) in
            [("cn=a,dc=x", "cn=a"), ("cn=a", "ou=a"), (r"cn=a\,dc=x", "cn=a,dc=x"), (r"cn=a\20", "cn=a"), ("cn=a b", "cn=ab"), ("", "cn=a")]
        {
            assert!(!same(one, other), "{one} {other}");
        }
    }

    #[test]
    fn the_common_name_is_that_of_the_entry_itself() {
        let common = |text: &str| DistinguishedName::parse(text).common_name().map(str::to_owned);
        assert_eq!(common(r"CN=R\, Users,ou=groups").as_deref(), Some("r, users"));
        assert_eq!(common("Staff").as_deref(), Some("staff"));
        for none in ["ou=groups,cn=admins", "uid=x+cn=admins", "ou=admins", "admins,cn=x"] {
            assert_eq!(common(none), None, "{none}");
        }
    }
}
