//! Numbers as text: the shortest digits that read back as the same number, and whole numbers without a point.

use super::Out;

/// Appends a finite double: `13` and not `13.0`. `-0` keeps its sign.
#[inline]
pub fn push_double(out: &mut Out, number: f64) {
    // Up to 2^53 every whole double is an exact integer, and integers print faster.
    const EXACT: f64 = 9_007_199_254_740_992.0;
    #[expect(clippy::cast_possible_truncation, reason = "whole and below 2^53")]
    if number.abs() < EXACT {
        let whole = number as i64;
        #[expect(clippy::cast_precision_loss, clippy::float_cmp, reason = "compares whether the double is whole")]
        if whole as f64 == number && (whole != 0 || number.is_sign_positive()) {
            out.push(itoa::Buffer::new().format(whole).as_bytes());
            return;
        }
    }
    let mut buffer = zmij::Buffer::new();
    let text = buffer.format_finite(number);
    out.push(text.strip_suffix(".0").unwrap_or(text).as_bytes());
}

/// Appends an integer.
#[inline]
pub fn push_integer(out: &mut Out, number: i32) {
    out.push(itoa::Buffer::new().format(number).as_bytes());
}

/// R's word for an infinity.
#[must_use]
pub fn infinity(number: f64) -> &'static str {
    if number > 0.0 { "Inf" } else { "-Inf" }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn text(number: f64) -> String {
        let mut out = Out::new();
        push_double(&mut out, number);
        String::from_utf8(out.finish().unwrap()).unwrap()
    }

    #[test]
    fn whole_numbers_have_no_point() {
        for (number, expected) in [(13.0, "13"), (-7.0, "-7"), (0.0, "0"), (-0.0, "-0"), (1e15, "1000000000000000"), (0.1, "0.1")] {
            assert_eq!(text(number), expected);
        }
    }

    #[test]
    fn extremes_read_back() {
        for number in [f64::MAX, f64::MIN, f64::MIN_POSITIVE, 5e-324, 1e300, 9_007_199_254_740_993.0, 1e16, 1e17, 123_456_789_012_345_680.0]
        {
            assert_eq!(text(number).parse::<f64>().unwrap().to_bits(), number.to_bits());
        }
    }

    proptest! {
        #[test]
        fn doubles_read_back_as_json(bits in any::<u64>()) {
            let number = f64::from_bits(bits);
            prop_assume!(number.is_finite());
            let written = text(number);
            prop_assert_eq!(written.parse::<f64>().unwrap().to_bits(), bits);
            prop_assert!(serde_json::from_str::<serde_json::Value>(&written).unwrap().is_number());
        }
    }
}
