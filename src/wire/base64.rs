//! Base64 (RFC 4648, section 4).

use base64_simd::STANDARD;

use super::Out;

/// Text that is not base64.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this is not base64")]
pub struct NotBase64;

/// Decodes base64 in place, in the memory of the text. Line breaks and blanks are skipped, and the padding at the end may
/// be missing.
///
/// # Errors
/// [`NotBase64`]
pub fn decode(mut text: Vec<u8>) -> Result<Vec<u8>, NotBase64> {
    let length = base64_simd::forgiving_decode_inplace(&mut text).map_err(|_| NotBase64)?.len();
    text.truncate(length);
    Ok(text)
}

/// Appends `bytes` as base64, with padding.
pub(super) fn push(out: &mut Out, bytes: &[u8]) {
    const PIECE: usize = 48;
    let mut text = [0; PIECE / 3 * 4];
    for piece in bytes.chunks(PIECE) {
        out.push(STANDARD.encode(piece, base64_simd::Out::from_slice(&mut text)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn encoded(bytes: &[u8]) -> Vec<u8> {
        let mut out = Out::new();
        push(&mut out, bytes);
        out.finish().unwrap()
    }

    #[test]
    fn line_breaks_and_padding_do_not_matter() {
        for text in ["aGVsbG8=", "aGVsbG8", "aGVs\nbG8=\n", "aGVs\r\nbG8=\r\n", " aGVsbG8 = "] {
            assert_eq!(decode(text.into()).unwrap(), b"hello", "{text:?}");
        }
        assert_eq!(decode(Vec::new()).unwrap(), b"");
        for text in ["aGVsbG8*", "aGVsb", "aGVs-G8_", "a=b=", "\u{e9}"] {
            assert_eq!(decode(text.into()), Err(NotBase64), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn bytes_read_back(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let text = encoded(&bytes);
            prop_assert_eq!(text.len(), bytes.len().div_ceil(3) * 4);
            prop_assert_eq!(decode(text).unwrap(), bytes);
        }
    }
}
