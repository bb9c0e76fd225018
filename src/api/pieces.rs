//! URL-encoded bodies, read piece by piece, in which one parameter is a file that does not fit in memory.
//!
//! Each byte is looked at a fixed number of times, however the body is cut and whatever it contains: bytes that have been searched are not
//! searched again, and finished bytes are dropped once for each piece.

use super::form::{Form, Invalid, decode};

/// A body that is being read.
#[derive(Debug)]
pub struct Pieces {
    file: &'static str,
    /// How many more bytes of the other parameters may be kept.
    left: usize,
    /// Bytes that cannot be decoded yet.
    rest: Vec<u8>,
    /// How much of `rest` has been searched.
    seen: usize,
    place: Place,
    /// How many bytes have been looked at or moved.
    #[cfg(test)]
    steps: usize,
}

/// The part of the body that is being read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Name,
    /// The value of a parameter other than the file.
    Value,
    File,
}

/// Why reading a body stopped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PiecesError {
    /// The other parameters are larger than the limit.
    TooLarge,
    /// There are too many parameters.
    Invalid(Invalid),
}

impl From<Invalid> for PiecesError {
    fn from(invalid: Invalid) -> Self {
        Self::Invalid(invalid)
    }
}

impl Pieces {
    /// `file` is the parameter that holds the file. At most `limit` bytes of all other parameters are kept.
    #[must_use]
    pub fn new(file: &'static str, limit: usize) -> Self {
        Self {
            file,
            left: limit,
            rest: Vec::new(),
            seen: 0,
            place: Place::Name,
            #[cfg(test)]
            steps: 0,
        }
    }

    /// Takes the next piece; `last` marks the last one. Returns the decoded part of the file in this piece, or `None` when the file has not
    /// begun or is over. All other parameters go into `form`.
    ///
    /// # Errors
    /// [`PiecesError`]
    pub fn push(&mut self, piece: &[u8], last: bool, form: &mut Form) -> Result<Option<Vec<u8>>, PiecesError> {
        self.rest.extend_from_slice(piece);
        self.count(piece.len());
        let mut of_file = None;
        // Everything before this position is finished.
        let mut at = 0;
        loop {
            let found = self.find(at);
            let rest = &self.rest[at..];
            match (self.place, found) {
                (Place::Name, Some(equals)) if rest[equals] == b'=' => {
                    if decode(&rest[..equals]).trim_ascii() == self.file.as_bytes() {
                        (self.place, self.seen) = (Place::File, 0);
                        at += equals + 1;
                    } else {
                        (self.place, self.seen) = (Place::Value, equals + 1);
                    }
                    continue;
                }
                (Place::Name | Place::Value, Some(end)) => {
                    self.left = self.left.checked_sub(end).ok_or(PiecesError::TooLarge)?;
                    form.add(&rest[..end])?;
                }
                (Place::Name | Place::Value, None) => {
                    if rest.len() > self.left {
                        return Err(PiecesError::TooLarge);
                    }
                    if last {
                        form.add(rest)?;
                    }
                    self.seen = rest.len();
                }
                (Place::File, found) => {
                    // The first half of a `%41` waits for the second.
                    let tail = rest.iter().rev().take(2).position(|&byte| byte == b'%').map_or(0, |at| at + 1);
                    let whole = found.unwrap_or(rest.len() - if last { 0 } else { tail });
                    of_file.get_or_insert_with(Vec::new).extend(decode(&rest[..whole]));
                    if found.is_none() {
                        at += whole;
                        self.seen = 0;
                    }
                }
            }
            let Some(end) = found else { break };
            at += end + 1;
            (self.place, self.seen) = (Place::Name, 0);
        }
        self.rest.drain(..at);
        self.count(self.rest.len().min(at));
        Ok(of_file)
    }

    /// Where the current name or value ends, searched from `at`. A name also ends at its `=`.
    fn find(&mut self, at: usize) -> Option<usize> {
        let unseen = &self.rest[at + self.seen..];
        let found = match self.place {
            Place::Name => memchr::memchr2(b'&', b'=', unseen),
            Place::Value | Place::File => memchr::memchr(b'&', unseen),
        };
        let looked = found.map_or(unseen.len(), |found| found + 1);
        self.count(looked);
        found.map(|found| found + self.seen)
    }

    #[cfg(test)]
    fn count(&mut self, steps: usize) {
        self.steps += steps;
    }

    #[cfg(not(test))]
    fn count(&mut self, _: usize) {}
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Reads a body in pieces of `cut` bytes. Returns the form, the file, and how many steps were taken.
    fn read(body: &[u8], cut: usize, limit: usize) -> Result<(Form, Option<Vec<u8>>, usize), PiecesError> {
        let (mut pieces, mut form, mut file) = (Pieces::new("file", limit), Form::new(1000), None::<Vec<u8>>);
        for chunk in body.chunks(cut) {
            if let Some(of_file) = pieces.push(chunk, false, &mut form)? {
                file.get_or_insert_default().extend(of_file);
            }
        }
        if let Some(of_file) = pieces.push(b"", true, &mut form)? {
            file.get_or_insert_default().extend(of_file);
        }
        Ok((form, file, pieces.steps))
    }

    #[test]
    fn what_is_kept_beside_the_file_is_bounded_in_all() {
        let body = b"a=123456789&file=0123456789012345678901234567890123456789&b=123456789";
        assert!(read(body, 7, 22).is_ok());
        assert_eq!(read(body, 7, 21), Err(PiecesError::TooLarge));
        assert_eq!(read(&b"a".repeat(100), 7, 50), Err(PiecesError::TooLarge));
        assert!(matches!(read(&b"a&".repeat(1001), 7, 10_000), Err(PiecesError::Invalid(_))));
    }

    #[test]
    fn time_grows_with_the_size_of_a_body_and_not_with_its_square() {
        // Endless pairs, one value, one name, a file, escapes, and nothing at all.
        for pattern in ["&", "a=b", "a", "file=", "%", "file=%4", "file=&"] {
            for cut in [1, 64, 16 << 10, usize::MAX] {
                for size in [1 << 10, 1 << 12, 1 << 16] {
                    let body = pattern.repeat(size);
                    let mut pieces = Pieces::new("file", body.len());
                    let mut form = Form::new(usize::MAX);
                    for chunk in body.as_bytes().chunks(cut) {
                        pieces.push(chunk, false, &mut form).unwrap();
                    }
                    assert!(pieces.steps <= 4 * body.len(), "{pattern} {cut} {size}: {}", pieces.steps);
                }
            }
        }
    }

    proptest! {
        #[test]
        fn a_file_is_found_however_a_body_is_cut(content in proptest::collection::vec(any::<u8>(), 0..60), cut in 1_usize..20) {
            let encoded: String = percent_encoding::percent_encode(&content, percent_encoding::NON_ALPHANUMERIC).collect();
            let body = format!("name=a+b%26&file={encoded}&format=xml");
            let (form, file, _) = read(body.as_bytes(), cut, 1000).unwrap();
            prop_assert_eq!(file, Some(content));
            prop_assert_eq!(form.require("name").unwrap(), "a b&");
            prop_assert_eq!(form.require("format").unwrap(), "xml");
        }

        #[test]
        fn a_body_without_a_file_is_a_form_like_any_other(body in "[a=&%4 ]{0,60}", cut in 1_usize..20) {
            let mut whole = Form::new(1000);
            whole.add(body.as_bytes()).unwrap();
            let (form, file, _) = read(body.as_bytes(), cut, 1000).unwrap();
            prop_assert_eq!((form, file), (whole, None));
        }
    }
}
