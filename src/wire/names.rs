//! Names of list elements as keys of a JSON object: each element has one, and no two are the same.

use std::collections::{HashMap, HashSet};

use super::{Out, Text, Value};

/// The keys of one list while it is written: an element without a name gets its position ("1", "2"...), and
/// repeated names get suffixes, as R's `make.unique` gives them ("a", "a.1").
#[derive(Debug, Default)]
pub struct Names {
    /// Whether a name is missing or repeated. Most lists have neither, and need no new keys.
    mend: bool,
    /// The names in the list and the keys made so far: a new key must be none of these.
    taken: HashSet<Vec<u8>>,
    /// The names that have been used as keys, each with the suffix to try next.
    given: HashMap<Vec<u8>, usize>,
    /// The name or key that was made last.
    mended: Out,
}

/// The names of lists within lists.
#[derive(Debug, Default)]
pub(super) struct NamesByDepth(Vec<Names>);

impl NamesByDepth {
    /// The names of the list at this depth.
    pub(super) fn at(&mut self, depth: usize) -> &mut Names {
        if self.0.len() <= depth {
            self.0.resize_with(depth + 1, Names::default);
        }
        &mut self.0[depth]
    }
}

impl Names {
    /// Looks at the names of `list`, before its elements are written.
    pub fn open<'a, V: Value<'a>>(&mut self, list: V) {
        self.taken.clear();
        self.given.clear();
        self.mend = false;
        if !list.is_named() {
            return;
        }
        for at in 0..list.len() {
            let name = list.name(at);
            let missing = name.bytes().is_empty();
            // A name in Latin-1 has other bytes than the same name in UTF-8: they are compared in UTF-8.
            let same = if matches!(name, Text::Latin1(_)) || missing {
                self.mended_name(list, at);
                !self.taken.insert(self.mended.as_bytes().to_vec())
            } else {
                !self.taken.insert(name.bytes().to_vec())
            };
            self.mend |= missing || same;
        }
    }

    /// The key of the element at `at`. Elements are asked for in order.
    pub fn key<'s, 'a: 's, V: Value<'a>>(&'s mut self, list: V, at: usize) -> Text<'s> {
        if list.is_named() && !self.mend {
            return list.name(at);
        }
        self.mended_name(list, at);
        if self.mend {
            self.make_unique(list.len());
        }
        Text::Utf8(self.mended.as_bytes())
    }

    /// Puts the name of an element, or its position where it has none, into `mended`.
    fn mended_name<'a, V: Value<'a>>(&mut self, list: V, at: usize) {
        let name = if list.is_named() { list.name(at) } else { Text::Na };
        let mended = &mut self.mended;
        mended.truncate(0);
        if name.bytes().is_empty() {
            mended.push(itoa::Buffer::new().format(at + 1).as_bytes());
        } else {
            name.pieces(|piece| mended.push(piece));
        }
    }

    /// Appends a suffix to `mended`, unless it is there for the first time.
    fn make_unique(&mut self, most: usize) {
        let name = self.mended.as_bytes().to_vec();
        let Some(&first) = self.given.get(&name) else {
            self.given.insert(name, 1);
            return;
        };
        let mut suffix = first;
        while suffix <= most {
            self.mended.truncate(name.len());
            self.mended.byte(b'.');
            self.mended.push(itoa::Buffer::new().format(suffix).as_bytes());
            suffix += 1;
            if self.taken.insert(self.mended.as_bytes().to_vec()) {
                break;
            }
        }
        self.given.insert(name, suffix);
    }
}
