//! Doubles as jsonlite prints them: C's `%.15g`, and the fixed decimals of its serialized form.

use std::fmt::{self, Write};

use crate::wire::Out;

/// Appends a finite double as C's `printf("%.15g")` does: `0.1`, `100000`, `1e+15`, `-0`.
pub(super) fn push_significant(out: &mut Out, number: f64) {
    // Whole numbers of up to 15 digits are most of those that are met.
    #[expect(clippy::cast_possible_truncation, reason = "whole and below 10^15")]
    if number.abs() < 1e15 {
        let whole = number as i64;
        #[expect(clippy::cast_precision_loss, clippy::float_cmp, reason = "compares whether the double is whole")]
        if whole as f64 == number && (whole != 0 || number.is_sign_positive()) {
            out.push(itoa::Buffer::new().format(whole).as_bytes());
            return;
        }
    }
    Digits::of(number, 15).push(out);
}

/// Appends a finite double with at most 8 decimals, or in the range where those say little with 9 or 15
/// significant digits: what jsonlite makes of `digits = 8`.
pub(super) fn push_decimals(out: &mut Out, number: f64) {
    let size = number.abs();
    if size <= 1e-5 {
        Digits::of(number, 9).push(out);
    } else if size >= f64::from(i32::MAX) {
        Digits::of(number, 15).push(out);
    } else {
        push_fixed(out, number);
    }
}

/// Appends a double between 10^-5 and 2^31 with at most 8 decimals. The decimals come of a multiplication, and
/// a half goes to the even side: both as jsonlite has it, whatever the exact decimal value.
fn push_fixed(out: &mut Out, number: f64) {
    const SCALE: f64 = 1e8;
    let size = number.abs();
    let mut whole = size.trunc();
    let scaled = (size - whole) * SCALE;
    let mut decimals = scaled.trunc();
    let rest = scaled - decimals;
    #[expect(clippy::float_cmp, reason = "a half is exact")]
    if rest > 0.5 || (rest == 0.5 && decimals % 2.0 == 1.0) {
        decimals += 1.0;
        if decimals >= SCALE {
            decimals = 0.0;
            whole += 1.0;
        }
    }
    if number < 0.0 {
        out.byte(b'-');
    }
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "both are whole, positive and below 2^32")]
    let (whole, mut decimals) = (whole as u32, decimals as u32);
    out.push(itoa::Buffer::new().format(whole).as_bytes());
    if decimals == 0 {
        return;
    }
    let mut text = *b".00000000";
    for place in text[1..].iter_mut().rev() {
        *place = b'0' + (decimals % 10) as u8;
        decimals /= 10;
    }
    let zeros = text.iter().rev().take_while(|&&digit| digit == b'0').count();
    out.push(&text[..text.len() - zeros]);
}

/// The significant digits of a double, correctly rounded, without the zeros at their end.
struct Digits {
    negative: bool,
    digits: [u8; 15],
    count: usize,
    /// The power of ten of the first digit.
    exponent: i32,
    /// How many digits were asked for.
    precision: i32,
}

impl Digits {
    fn of(number: f64, precision: u8) -> Self {
        let mut text = Line::default();
        // `-1.25000000000000e-7`: exact for any number of digits. A line has room for 15 of them.
        let _ = write!(text, "{:.*e}", usize::from(precision) - 1, number);
        let mut found = Self { negative: false, digits: [b'0'; 15], count: 0, exponent: 0, precision: i32::from(precision) };
        let mut bytes = text.written().iter();
        let mut downwards = false;
        for &byte in bytes.by_ref() {
            match byte {
                b'-' => found.negative = true,
                b'e' => break,
                b'0'..=b'9' if found.count < found.digits.len() => {
                    found.digits[found.count] = byte;
                    found.count += 1;
                }
                _ => {}
            }
        }
        for &byte in bytes {
            match byte {
                b'-' => downwards = true,
                _ => found.exponent = found.exponent * 10 + i32::from(byte - b'0'),
            }
        }
        if downwards {
            found.exponent = -found.exponent;
        }
        while found.count > 1 && found.digits[found.count - 1] == b'0' {
            found.count -= 1;
        }
        found
    }

    /// Appends the digits in the form that `%g` chooses: with an exponent when that is below -4 or not below
    /// the precision.
    fn push(&self, out: &mut Out) {
        if self.negative {
            out.byte(b'-');
        }
        let digits = &self.digits[..self.count];
        if self.exponent < -4 || self.exponent >= self.precision {
            push_with_point(out, digits, 1);
            out.push(if self.exponent < 0 { b"e-" } else { b"e+" });
            let exponent = self.exponent.unsigned_abs();
            if exponent < 10 {
                out.byte(b'0');
            }
            out.push(itoa::Buffer::new().format(exponent).as_bytes());
            return;
        }
        match usize::try_from(self.exponent) {
            Ok(exponent) => push_with_point(out, digits, exponent + 1),
            Err(_) => {
                out.push(&b"0.000"[..1 + self.exponent.unsigned_abs() as usize]);
                out.push(digits);
            }
        }
    }
}

/// Appends digits with a point after the first `whole` of them, unless it would be the end.
fn push_with_point(out: &mut Out, digits: &[u8], whole: usize) {
    let (before, after) = digits.split_at(whole.min(digits.len()));
    out.push(before);
    for _ in before.len()..whole {
        out.byte(b'0');
    }
    if !after.is_empty() {
        out.byte(b'.');
        out.push(after);
    }
}

/// A short text on the stack.
#[derive(Default)]
struct Line {
    bytes: [u8; 32],
    length: usize,
}

impl Line {
    fn written(&self) -> &[u8] {
        &self.bytes[..self.length]
    }
}

impl Write for Line {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let room = self.bytes.get_mut(self.length..self.length + text.len()).ok_or(fmt::Error)?;
        room.copy_from_slice(text.as_bytes());
        self.length += text.len();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn written(push: impl FnOnce(&mut Out)) -> String {
        let mut out = Out::new();
        push(&mut out);
        String::from_utf8(out.finish().unwrap()).unwrap()
    }

    #[test]
    fn significant_digits_are_those_of_printf() {
        for (number, expected) in [
            (0.0, "0"),
            (-0.0, "-0"),
            (1.0 / 3.0, "0.333333333333333"),
            (2.0 / 3.0, "0.666666666666667"),
            (100_000.0, "100000"),
            (123_456_789_012_345.0, "123456789012345"),
            (999_999_999_999_999.0, "999999999999999"),
            (999_999_999_999_999.9, "1e+15"),
            (1e15, "1e+15"),
            (1_234_567_890_123_456.0, "1.23456789012346e+15"),
            (0.0001, "0.0001"),
            (0.000_099_999, "9.9999e-05"),
            (-1.5e-7, "-1.5e-07"),
            (5e-324, "4.94065645841247e-324"),
            (f64::MAX, "1.79769313486232e+308"),
            (0.1 + 0.2, "0.3"),
            (1e22, "1e+22"),
            (12.5, "12.5"),
        ] {
            assert_eq!(written(|out| push_significant(out, number)), expected);
        }
    }

    #[test]
    fn decimals_are_those_of_jsonlite() {
        for (number, expected) in [
            (0.0, "0"),
            (-0.0, "-0"),
            (1.0 / 3.0, "0.33333333"),
            (-2.0 / 3.0, "-0.66666667"),
            (0.999_999_999, "1"),
            (123.456, "123.456"),
            (0.00001, "1e-05"),
            (0.000_012_345_678, "0.00001235"),
            (1e-300, "1e-300"),
            (5e-324, "4.94065646e-324"),
            (2_147_483_646.5, "2147483646.5"),
            (2_147_483_647.0, "2147483647"),
            (1e10 + 0.5, "10000000000.5"),
            (1e15, "1e+15"),
        ] {
            assert_eq!(written(|out| push_decimals(out, number)), expected);
        }
    }

    proptest! {
        #[test]
        fn digits_read_back_as_the_number_rounded(bits in any::<u64>()) {
            let number = f64::from_bits(bits);
            prop_assume!(number.is_finite());
            let text = written(|out| push_significant(out, number));
            let rounded: f64 = format!("{number:.14e}").parse().unwrap();
            prop_assert_eq!(text.parse::<f64>().unwrap().to_bits(), rounded.to_bits());
            prop_assert!(serde_json::from_str::<serde::de::IgnoredAny>(&text).is_ok());
        }
    }
}
