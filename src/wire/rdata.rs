//! Tells by its first bytes whether a content is R data, such as `save()` and `saveRDS()` write.

use std::io::{self, Read};

use flate2::read::GzDecoder;

/// Whether this is R data. `None` if it is compressed by bzip2 or xz, as R may have done: it is not unpacked.
///
/// # Errors
/// The reader's.
pub fn is_r_data(mut content: impl Read) -> io::Result<Option<bool>> {
    let start = beginning(&mut content)?;
    Ok(match start.as_slice() {
        [0x1f, 0x8b, ..] => Some(is_beginning(&beginning(GzDecoder::new(start.chain(content))).unwrap_or_default())),
        [b'B', b'Z', b'h', ..] | [0xfd, b'7', b'z', b'X', b'Z', ..] => None,
        plain => Some(is_beginning(plain)),
    })
}

/// What follows the line of its own that `save()` puts before R's format: what `unserialize()` takes. `None` if this is anything else, or
/// compressed.
#[must_use]
pub fn serialized(saved: &[u8]) -> Option<&[u8]> {
    saved.strip_prefix(b"RDX3\n").or_else(|| saved.strip_prefix(b"RDX2\n"))
}

fn beginning(from: impl Read) -> io::Result<Vec<u8>> {
    let mut start = Vec::new();
    from.take(6).read_to_end(&mut start)?;
    Ok(start)
}

/// Whether R's own format begins like this: that of serialization ("R Internals", section 1.8), or that of `save()`, which
/// puts a line of its own before it.
fn is_beginning(start: &[u8]) -> bool {
    matches!(
        start,
        [b'R', b'D', b'X' | b'A' | b'B', b'2' | b'3', b'\n', ..]
            | [b'X', b'\n', 0, 0, 0, 2 | 3]
            | [b'A', b'\n', b'2' | b'3', b'\n', ..]
            | [b'B', b'\n', 2 | 3, 0, 0, 0]
    )
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn packed(content: &[u8]) -> Vec<u8> {
        let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        packer.write_all(content).unwrap();
        packer.finish().unwrap()
    }

    #[test]
    fn r_data_is_known_by_its_beginning() {
        for data in [b"RDX3\nX\n\0\0\0\x03".as_slice(), b"RDA2\nA\n2\n", b"X\n\0\0\0\x03\0", b"A\n3\n", b"B\n\x03\0\0\0\0"] {
            assert_eq!(is_r_data(data).unwrap(), Some(true));
            assert_eq!(is_r_data(packed(data).as_slice()).unwrap(), Some(true));
        }
        for other in [b"".as_slice(), b"a,b\n1,2\n", b"X\nY\n", b"RD", b"\x1f\x8b", b"A\n4\n"] {
            assert_eq!(is_r_data(other).unwrap(), Some(false));
            assert_eq!(is_r_data(packed(other).as_slice()).unwrap(), Some(false));
        }
        for compressed in [b"BZh91AY".as_slice(), b"\xfd7zXZ\0"] {
            assert_eq!(is_r_data(compressed).unwrap(), None);
        }
    }
}
