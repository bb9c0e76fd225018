//! Texts that are not to be shown.

use std::{
    fmt,
    fs::File,
    io::{self, BufRead, BufReader, Read},
    path::Path,
};

use serde::{Deserialize, Serialize, Serializer};

/// The most bytes of a file that are read for a secret.
const LONGEST: u64 = 65_536;

/// A text that is never printed: what is printed says only whether it is set.
#[derive(Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// The text.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// The first line of a file, without its end. What follows may be a comment.
    ///
    /// # Errors
    /// When the file cannot be read, or is no text.
    pub fn first_line(file: &Path) -> io::Result<Self> {
        let mut line = String::new();
        BufReader::new(File::open(file)?.take(LONGEST)).read_line(&mut line)?;
        Ok(Self::from(line.trim_end_matches(['\r', '\n'])))
    }
}

impl From<&str> for Secret {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("********")
    }
}

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(if self.0.is_empty() { "" } else { "********" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_the_first_line_of_its_file_and_its_blanks_count() {
        let file = tempfile::NamedTempFile::new().unwrap();
        for (content, expected) in [
            (&b"a b"[..], "a b"),
            (b" a \n", " a "),
            (b"a\r\nb\n", "a"),
            (b"\xc3\xbc\n\n", "ü"),
            (b"", ""),
            (b"\nb", ""),
            (b"a\n\xff", "a"),
        ] {
            std::fs::write(file.path(), content).unwrap();
            assert_eq!(Secret::first_line(file.path()).unwrap().expose(), expected, "{content:?}");
        }
        std::fs::write(file.path(), b"\xff\n").unwrap();
        assert_eq!(Secret::first_line(file.path()).unwrap_err().kind(), io::ErrorKind::InvalidData);
        assert_eq!(Secret::first_line(Path::new("/nowhere")).unwrap_err().kind(), io::ErrorKind::NotFound);
    }
}
