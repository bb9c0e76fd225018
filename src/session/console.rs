//! The console text of a session: the stream from its pipe, and the part of it that is kept.

use std::collections::VecDeque;

use crate::link::marks::{Mark, TAG_LENGTH, Tag};

/// Removes the marks from the pipe's bytes.
#[derive(Debug)]
pub struct Stream {
    finder: memchr::memmem::Finder<'static>,
    /// The end of the last piece, if it may be the beginning of a mark.
    held: Vec<u8>,
    current: Mark,
}

impl Stream {
    /// A parser for the stream of the worker with this `tag`.
    #[must_use]
    pub fn new(tag: &Tag) -> Self {
        Self { finder: memchr::memmem::Finder::new(tag).into_owned(), held: Vec::new(), current: Mark::Output }
    }

    /// Passes the text in `bytes` to `each`, piece by piece, with the stream that it belongs to. Where a message was sent, there is an empty
    /// piece for it.
    pub fn push(&mut self, bytes: &[u8], mut each: impl FnMut(Mark, &[u8])) {
        let joined;
        let mut rest = if self.held.is_empty() {
            bytes
        } else {
            joined = [std::mem::take(&mut self.held).as_slice(), bytes].concat();
            joined.as_slice()
        };
        while let Some(at) = self.finder.find(rest) {
            let Some(&letter) = rest.get(at + TAG_LENGTH) else { break };
            if at > 0 {
                each(self.current, &rest[..at]);
            }
            match letter {
                letter if letter == Mark::Error as u8 => self.current = Mark::Error,
                letter if letter == Mark::Message as u8 => each(Mark::Message, b""),
                _ => self.current = Mark::Output,
            }
            rest = &rest[at + TAG_LENGTH + 1..];
        }
        let keep = self.unfinished(rest);
        let (text, held) = rest.split_at(rest.len() - keep);
        if !text.is_empty() {
            each(self.current, text);
        }
        self.held = held.to_vec();
    }

    /// Passes on the text that was held back as the possible beginning of a mark. Called when no mark can be incomplete, because R writes a
    /// whole mark before it goes on.
    pub fn flush(&mut self, mut each: impl FnMut(Mark, &[u8])) {
        let held = std::mem::take(&mut self.held);
        if !held.is_empty() {
            each(self.current, &held);
        }
    }

    /// How many bytes at the end of `text` may be the beginning of a mark.
    fn unfinished(&self, text: &[u8]) -> usize {
        let tag = self.finder.needle();
        let longest = TAG_LENGTH.min(text.len());
        (1..=longest).rev().find(|&length| text[text.len() - length..] == tag[..length]).unwrap_or(0)
    }
}

/// Console text of one operation. Up to a limit all of it is kept, and beyond that the beginning and the end.
#[derive(Debug)]
pub struct Kept {
    half: usize,
    head: Vec<u8>,
    tail: VecDeque<u8>,
    dropped: usize,
}

impl Kept {
    /// Keeps up to `limit` bytes; 0 is no limit.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        let half = if limit == 0 { usize::MAX } else { limit.div_ceil(2) };
        Self { half, head: Vec::new(), tail: VecDeque::new(), dropped: 0 }
    }

    /// Adds text.
    pub fn push(&mut self, text: &[u8]) {
        let room = (self.half - self.head.len()).min(text.len());
        let (head, rest) = text.split_at(room);
        self.head.extend_from_slice(head);
        self.tail.extend(rest);
        let excess = self.tail.len().saturating_sub(self.half);
        self.tail.drain(..excess);
        self.dropped += excess;
    }

    /// The text, as UTF-8, with a notice where text was left out.
    #[must_use]
    pub fn text(&self) -> String {
        let tail = self.tail.iter().copied();
        match self.dropped {
            0 => text(self.head.iter().copied().chain(tail).collect()),
            dropped => format!("{}{}{}", text(self.head.clone()), notice(dropped), text(tail.collect())),
        }
    }

    /// The text after the first `position` bytes, and the position after it. An incomplete character at the end is left for the next call,
    /// unless this is the `last`.
    #[must_use]
    pub fn since(&self, position: usize, last: bool) -> (String, usize) {
        let gap = self.head.len()..self.head.len() + self.dropped;
        if !gap.is_empty() && position < gap.start {
            return (text(self.head[position..].to_vec()), gap.start);
        }
        let missed = if gap.contains(&position) { gap.end - position } else { 0 };
        let start = position + missed - self.dropped;
        let mut bytes: Vec<u8> = self.head.iter().chain(&self.tail).skip(start).copied().collect();
        if !last {
            bytes.truncate(bytes.len() - unfinished_character(&bytes));
        }
        let after = position + missed + bytes.len();
        (if missed > 0 { notice(missed) } else { String::new() } + &text(bytes), after)
    }

    /// The last `length` bytes, as UTF-8.
    #[must_use]
    pub fn end(&self, length: usize) -> String {
        let mut last: Vec<u8> = self.tail.iter().rev().chain(self.head.iter().rev()).take(length).copied().collect();
        last.reverse();
        text(last)
    }
}

fn notice(dropped: usize) -> String {
    format!("\n[... {dropped} bytes of output left out ...]\n")
}

/// How many bytes at the end are the beginning of a UTF-8 character whose rest is missing.
fn unfinished_character(bytes: &[u8]) -> usize {
    let length = |first: u8| match first {
        0xC2..=0xDF => 2,
        0xE0..=0xEF => 3,
        0xF0..=0xF4 => 4,
        _ => 1,
    };
    (1..=bytes.len().min(3)).find(|&back| length(bytes[bytes.len() - back]) > back).unwrap_or(0)
}

fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const TAG: Tag = *b"0123456789abcdef";

    #[test]
    fn long_output_keeps_its_beginning_and_its_end() {
        let mut kept = Kept::new(10);
        for piece in ["abc", "defghijklmnop", "qrstuvwxyz"] {
            kept.push(piece.as_bytes());
        }
        assert_eq!(kept.end(3), "xyz");
        assert_eq!(kept.text(), "abcde\n[... 16 bytes of output left out ...]\nvwxyz");
    }

    #[test]
    fn a_watcher_gets_each_piece_once_and_whole_characters() {
        let mut kept = Kept::new(10);
        kept.push("aé".as_bytes().split_last().unwrap().1);
        assert_eq!(kept.since(0, false), ("a".to_owned(), 1));
        kept.push(&"é".as_bytes()[1..]);
        assert_eq!(kept.since(1, false), ("é".to_owned(), 3));
        kept.push(b"bcdefgh");
        assert_eq!(kept.since(3, false), ("bcdefgh".to_owned(), 10));
        assert_eq!(kept.since(10, true), (String::new(), 10));
        kept.push(b"ij");
        // Two bytes fell out of the middle. A reader who has seen them misses nothing.
        assert_eq!(kept.since(10, false), ("ij".to_owned(), 12));
        assert_eq!(kept.since(6, false), ("\n[... 1 bytes of output left out ...]\nfghij".to_owned(), 12));
        assert_eq!(kept.since(0, false), ("aébc".to_owned(), 5));
        assert_eq!(kept.since(12, true), (String::new(), 12));
    }

    #[test]
    fn text_that_ends_like_the_beginning_of_a_mark_is_not_lost() {
        let mut parser = Stream::new(&TAG);
        let mut seen = Vec::new();
        parser.push(b"until 0123", |_, text| seen.extend_from_slice(text));
        parser.flush(|_, text| seen.extend_from_slice(text));
        assert_eq!(seen, b"until 0123");
    }

    proptest! {
        #[test]
        fn marks_are_found_however_the_stream_is_cut(
            parts in proptest::collection::vec((any::<bool>(), "[a-z0-9]{0,30}"), 0..8),
            cuts in proptest::collection::vec(1_usize..20, 1..20),
        ) {
            let mut stream = Vec::new();
            let mut expected = (String::new(), String::new());
            for (error, text) in &parts {
                if *error {
                    stream.extend([TAG.as_slice(), b"e", text.as_bytes(), TAG.as_slice(), b"o"].concat());
                    expected.1.push_str(text);
                } else {
                    stream.extend(text.as_bytes());
                    expected.0.push_str(text);
                }
            }
            let mut seen = (String::new(), String::new());
            let mut parser = Stream::new(&TAG);
            let mut keep = |mark, text: &[u8]| {
                let text = std::str::from_utf8(text).unwrap();
                if mark == Mark::Error { seen.1.push_str(text) } else { seen.0.push_str(text) }
            };
            let mut rest = stream.as_slice();
            for cut in cuts.iter().cycle() {
                if rest.is_empty() { break }
                let (piece, later) = rest.split_at((*cut).min(rest.len()));
                parser.push(piece, &mut keep);
                rest = later;
            }
            parser.flush(&mut keep);
            prop_assert_eq!(seen, expected);
        }
    }
}
