//! Names of list elements as keys: present, and each only once.

use std::collections::HashMap;

use crate::wire::{Out, Text, Value};

/// The keys of one list while it is written: an element without a name gets its position ("1", "2"...), a
/// repeated name gets a suffix, as R's `make.unique` does ("a", "a.1").
#[derive(Debug, Default)]
pub struct Names {
    /// Whether some name is missing or repeated; most often none is.
    mend: bool,
    /// The keys used so far, each with the suffix to try next.
    used: HashMap<Vec<u8>, u32>,
    mended: Out,
}

impl Names {
    /// Looks at the names of `list`, before its elements are written.
    pub fn open<'a, V: Value<'a>>(&mut self, list: V) {
        self.used.clear();
        self.mend = list.is_named()
            && (0..list.len()).any(|at| {
                let name = list.name(at).bytes();
                name.is_empty() || self.used.insert(name.to_vec(), 1).is_some()
            });
        self.used.clear();
    }

    /// The key of the element at `at`. Elements are asked for in order.
    pub fn key<'s, 'a: 's, V: Value<'a>>(&'s mut self, list: V, at: usize) -> Text<'s> {
        if list.is_named() && !self.mend {
            return list.name(at);
        }
        let name = if list.is_named() { list.name(at) } else { Text::Na };
        let mended = &mut self.mended;
        mended.truncate(0);
        if name.bytes().is_empty() {
            mended.push(itoa::Buffer::new().format(at + 1).as_bytes());
        } else {
            name.pieces(|piece| mended.push(piece));
        }
        if self.mend {
            self.make_unique();
        }
        Text::Utf8(self.mended.as_bytes())
    }

    fn make_unique(&mut self) {
        let key = self.mended.as_bytes().to_vec();
        let Some(&first) = self.used.get(&key) else {
            self.used.insert(key, 1);
            return;
        };
        let mut suffix = first;
        loop {
            self.mended.truncate(key.len());
            self.mended.byte(b'.');
            self.mended.push(itoa::Buffer::new().format(suffix).as_bytes());
            suffix += 1;
            if !self.used.contains_key(self.mended.as_bytes()) {
                break;
            }
        }
        self.used.insert(self.mended.as_bytes().to_vec(), 1);
        self.used.insert(key, suffix);
    }
}
