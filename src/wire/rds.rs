//! Values of our own in R's serialization (R Internals, section 1.8).

/// A vector of strings.
const VECTOR: i32 = 16;
/// A string, marked as UTF-8.
const STRING: i32 = 9 | 1 << 15;

/// A character vector, as the second version of the format has it.
#[must_use]
pub fn strings(values: &[&str]) -> Vec<u8> {
    let mut bytes = b"X\n".to_vec();
    let number = |bytes: &mut Vec<u8>, number: i32| bytes.extend(number.to_be_bytes());
    // The version, the R that writes (4.2.0), and the oldest that can read (2.3.0).
    for head in [2, 0x0004_0200, 0x0002_0300, VECTOR, length(values.len())] {
        number(&mut bytes, head);
    }
    for value in values {
        number(&mut bytes, STRING);
        number(&mut bytes, length(value.len()));
        bytes.extend(value.as_bytes());
    }
    bytes
}

fn length(length: usize) -> i32 {
    i32::try_from(length).unwrap_or(i32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_format_is_that_of_serialize() {
        // serialize("é", NULL, version = 2), but for the version of R.
        let expected = b"X\n\0\0\0\x02\0\x04\x02\0\0\x02\x03\0\0\0\0\x10\0\0\0\x01\0\0\x80\x09\0\0\0\x02\xc3\xa9";
        assert_eq!(strings(&["é"]), expected);
    }
}
