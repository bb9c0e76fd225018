//! Doubles as jsonlite prints them: C's `%.15g`, and the fixed decimals of its serialized form.

use std::fmt::{self, Write};

use crate::wire::Out;

/// Appends a finite double as C's `printf("%.15g")` does: `0.1`, `100000`, `1e+15`, `-0`.
pub(super) fn push_significant(out: &mut Out, number: f64) {
    // Most numbers are whole and have up to 15 digits.
    #[expect(clippy::cast_possible_truncation, reason = "whole and below 10^15")]
    if number.abs() < 1e15 {
        let whole = number as i64;
        #[expect(clippy::cast_precision_loss, clippy::float_cmp, reason = "compares whether the double is whole")]
        if whole as f64 == number && (whole != 0 || number.is_sign_positive()) {
            out.push(itoa::Buffer::new().format(whole).as_bytes());
            return;
        }
    }
    if (FIXED..1e15).contains(&number.abs()) {
        push_scaled(out, number);
    } else {
        Decimal::significant(number).push(out, 15);
    }
}

/// The same, for a double of a size that is written without an exponent.
fn push_scaled(out: &mut Out, number: f64) {
    let (digits, first) = scaled(number);
    if digits == LIMIT {
        // The digits were rounded up to a power of ten.
        return Decimal::significant(number).push(out, 15);
    }
    let digits = ascii(digits);
    let count = 16 - (digits ^ ZEROS).leading_zeros() as usize / 8;
    // Always writes 15 digits, before and after the point: bytes that are too many are overwritten later, or not counted.
    let put = |place: &mut [u8], digits: u128| {
        if let Some(place) = place.first_chunk_mut() {
            *place = digits.to_le_bytes();
        }
    };
    out.write::<40>(|line| {
        line[0] = b'-';
        let line = &mut line[usize::from(number.is_sign_negative())..];
        let whole = (first + 1).unsigned_abs() as usize;
        let length = if first < 0 {
            put(line, ZEROS);
            line[1] = b'.';
            put(&mut line[2 + whole..], digits);
            2 + whole + count
        } else {
            put(line, digits);
            if count <= whole {
                whole
            } else {
                line[whole] = b'.';
                put(&mut line[whole + 1..], digits >> (8 * whole));
                count + 1
            }
        };
        usize::from(number.is_sign_negative()) + length
    });
}

/// Fifteen times the digit 0, in the form of [`ascii`].
const ZEROS: u128 = (u128::MAX / 0xff * 0x30) >> 8;

/// Fifteen digits as text, the first in the lowest byte.
#[inline]
fn ascii(digits: u64) -> u128 {
    let (high, low) = (digits / 100_000_000, digits % 100_000_000);
    (u128::from(ascii_of_eight(high)) | u128::from(ascii_of_eight(low)) << 64) >> 8
}

/// Eight digits as text, the first in the lowest byte. The number is split into two of four digits, those into four of two,
/// and those into eight, in one word. Each division is a multiplication, which is exact for numbers of that size.
#[inline]
fn ascii_of_eight(digits: u64) -> u64 {
    let fours = (digits / 10_000) | (digits % 10_000) << 32;
    let hundreds = ((fours * 10_486) >> 20) & 0x7f_0000_007f;
    let twos = hundreds | (fours - hundreds * 100) << 16;
    let tens = ((twos * 103) >> 10) & 0xf_000f_000f_000f;
    (tens | (twos - tens * 10) << 8) + 0x3030_3030_3030_3030
}

/// The first 15 digits of a double that is written without an exponent, correctly rounded, and the power of ten of the
/// first digit. The double's mantissa is multiplied by a power of ten such that 15 digits are before the point, and then
/// shifted by the double's exponent, all of it exactly. No branch depends on the digits, as the processor could not
/// predict it.
#[inline]
fn scaled(number: f64) -> (u64, i32) {
    let (bits, size) = (number.to_bits(), number.abs());
    // The exponent of two, from -14 to 49. It gives the exponent of ten, or one less than that, as 1233 / 4096 is a little
    // less than log10(2).
    let binary = (((bits >> 52) & 0x7ff) as i32) - 1023;
    let least = (binary * 1233) >> 12;
    let power = |exponent: i32| POWERS[(exponent + 4).unsigned_abs() as usize];
    // The constant is the double that is nearest to the power of ten, so no double is between the two.
    let first = least + i32::from(size >= power(least + 1));
    let (scale, zeros) = SCALES[(14 - first).unsigned_abs() as usize];
    // The highest bit of both factors is set, so that the digits, which have 50 bits, are in the upper half of the product.
    let product = u128::from((bits << 11) | (1 << 63)) * u128::from(scale);
    #[expect(clippy::cast_possible_truncation, reason = "the halves of it")]
    let (upper, lower) = ((product >> 64) as u64, product as u64);
    let shift = (zeros - 1 - binary).unsigned_abs();
    let (digits, half) = (upper >> shift, (upper >> (shift - 1)) & 1);
    let beyond = (upper & ((1 << (shift - 1)) - 1)) | lower;
    (digits + (half & (u64::from(beyond != 0) | digits)), first)
}

/// Appends a finite double as jsonlite does for `digits = 8`: with at most 8 decimals, or with 9 significant digits if it
/// is small, or with 15 if it is large.
pub(super) fn push_decimals(out: &mut Out, number: f64) {
    let size = number.abs();
    if size <= 1e-5 {
        Decimal::exact(number, 9).push(out, 9);
    } else if size >= f64::from(i32::MAX) {
        Decimal::significant(number).push(out, 15);
    } else {
        push_fixed(out, number);
    }
}

/// Appends a double between 10^-5 and 2^31 with at most 8 decimals. The decimals are computed by a multiplication, and a
/// half is rounded to the even side. Both may differ from the exact decimal value, and are what jsonlite does.
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

/// The first number with 16 digits.
const LIMIT: u64 = 1_000_000_000_000_000;
/// Smaller numbers are written with an exponent.
const FIXED: f64 = 1e-4;
/// The powers of ten of numbers that are written without an exponent, from -4 on, and the one after these.
const POWERS: [f64; 20] = [FIXED, 1e-3, 1e-2, 1e-1, 1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15];
/// Powers of ten, shifted such that the highest bit is set, and by how much.
const SCALES: [(u64, i32); 19] = {
    let mut scales = [(0, 0); 19];
    let (mut at, mut power) = (0, 1_u64);
    while at < scales.len() {
        let zeros = power.leading_zeros().cast_signed();
        scales[at] = (power << zeros, zeros);
        power *= 10;
        at += 1;
    }
    scales
};

/// A decimal number without zeros at its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Decimal {
    negative: bool,
    /// The digits.
    digits: u64,
    /// The power of ten of the last digit.
    exponent: i32,
}

impl Decimal {
    /// A double, correctly rounded to 15 digits.
    fn significant(number: f64) -> Self {
        if (FIXED..1e15).contains(&number.abs()) {
            let (digits, first) = scaled(number);
            return Self { negative: number.is_sign_negative(), digits, exponent: first - 14 }.without_zeros();
        }
        // A subnormal double has fewer digits than these.
        let shortest = if number.is_normal() { Self::shortest(number).rounded() } else { None };
        shortest.unwrap_or_else(|| Self::exact(number, 15))
    }

    /// A double, correctly rounded to a number of digits, which is at most 17.
    fn exact(number: f64, precision: u8) -> Self {
        let mut line = Line::default();
        // The line is long enough for the digits, the point, a sign and the exponent.
        let _ = write!(line, "{:.*e}", usize::from(precision) - 1, number);
        Self::read(line.written())
    }

    /// The fewest digits that read back as the same double, at most 17; of several such numbers, the nearest.
    fn shortest(number: f64) -> Self {
        Self::read(zmij::Buffer::new().format_finite(number).as_bytes())
    }

    /// Reads a number of up to 19 digits: `-0.00123`, `1.5e-7`.
    fn read(text: &[u8]) -> Self {
        let mut read = Self { negative: false, digits: 0, exponent: 0 };
        let mut fraction = false;
        let mut bytes = text.iter();
        for &byte in bytes.by_ref() {
            match byte {
                b'-' => read.negative = true,
                b'.' => fraction = true,
                b'e' => break,
                _ => {
                    read.digits = read.digits * 10 + u64::from(byte - b'0');
                    read.exponent -= i32::from(fraction);
                }
            }
        }
        let (mut power, mut sign) = (0, 1);
        for &byte in bytes {
            match byte {
                b'-' => sign = -1,
                b'+' => {}
                _ => power = power * 10 + i32::from(byte - b'0'),
            }
        }
        read.exponent += sign * power;
        read.without_zeros()
    }

    fn without_zeros(mut self) -> Self {
        if self.digits == 0 {
            self.exponent = 0;
        }
        while self.digits != 0 && self.digits.is_multiple_of(10) {
            self.digits /= 10;
            self.exponent += 1;
        }
        self
    }

    /// The shortest digits of a double, rounded to 15 digits. The result is the same as that of rounding the double itself.
    /// `None` if the shortest digits are the middle between two numbers of 15 digits, as the double may be on either side.
    ///
    /// Why it is the same: rounding the two could differ only if such a middle were between the double and its shortest
    /// digits. The middle has 16 digits. It would read back as the double as well, and would be shorter than the shortest
    /// digits, or as short and nearer.
    fn rounded(self) -> Option<Self> {
        let (unit, exponent) = match self.digits {
            0..LIMIT => return Some(self),
            digits if digits < 10 * LIMIT => (10, self.exponent + 1),
            _ => (100, self.exponent + 2),
        };
        let rest = self.digits % unit;
        if rest == unit / 2 {
            return None;
        }
        Some(Self { digits: self.digits / unit + u64::from(rest > unit / 2), exponent, ..self }.without_zeros())
    }

    /// Appends the number in the form that C's `%g` chooses for a precision: with an exponent if the power of ten of the
    /// first digit is below -4, or is not below the precision.
    fn push(self, out: &mut Out, precision: i32) {
        let mut buffer = itoa::Buffer::new();
        let digits = buffer.format(self.digits).as_bytes();
        let exponent = self.exponent + i32::try_from(digits.len()).unwrap_or(0) - 1;
        let mut line = Line::default();
        if self.negative {
            line.push(b"-");
        }
        if exponent < -4 || exponent >= precision {
            line.push_with_point(digits, 1);
            line.push(if exponent < 0 { b"e-" } else { b"e+" });
            if exponent.abs() < 10 {
                line.push(b"0");
            }
            line.push(itoa::Buffer::new().format(exponent.unsigned_abs()).as_bytes());
        } else if let Ok(exponent) = usize::try_from(exponent) {
            line.push_with_point(digits, exponent + 1);
        } else {
            line.push(&b"0.000"[..=exponent.unsigned_abs() as usize]);
            line.push(digits);
        }
        out.push(line.written());
    }
}

/// A short text on the stack: the longest is `-1.23456789012345e-300`.
#[derive(Default)]
struct Line {
    bytes: [u8; 32],
    length: usize,
}

impl Line {
    fn written(&self) -> &[u8] {
        &self.bytes[..self.length]
    }

    fn push(&mut self, text: &[u8]) {
        let end = self.length + text.len();
        if let Some(room) = self.bytes.get_mut(self.length..end) {
            room.copy_from_slice(text);
            self.length = end;
        }
    }

    /// Appends digits with a point after the first `whole` of them, unless there are no more.
    fn push_with_point(&mut self, digits: &[u8], whole: usize) {
        let (before, after) = digits.split_at(whole.min(digits.len()));
        self.push(before);
        for _ in before.len()..whole {
            self.push(b"0");
        }
        if !after.is_empty() {
            self.push(b".");
            self.push(after);
        }
    }
}

impl Write for Line {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.push(text.as_bytes());
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

    #[test]
    fn fifteen_digits_are_those_of_the_number() {
        for number in (0..LIMIT).step_by(7_777_777_777).chain(0..100_000).chain([LIMIT - 1]) {
            assert_eq!(ascii(number).to_le_bytes(), *format!("{number:015}\0").as_bytes(), "{number}");
        }
    }

    #[test]
    fn digits_around_powers_of_ten_are_exact() {
        for power in -6..17 {
            let power: f64 = format!("1e{power}").parse().unwrap();
            for number in [power, power.next_down(), power.next_up(), power * 0.999_999_999_999_999_9, -power] {
                assert_eq!(Decimal::significant(number), Decimal::exact(number, 15), "{number:e}");
            }
        }
    }

    #[test]
    fn digits_in_the_middle_go_where_the_double_lies() {
        // 16 digits that end in 5: on either side of what they say, or exactly it.
        for number in [0.100_000_000_000_000_5, 1.000_000_000_000_005, 2.5e-5, 1_000_000_000_000_000.5, 4_503_599_627_370_497.5] {
            assert_eq!(Decimal::significant(number), Decimal::exact(number, 15), "{number:e}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(20_000))]

        #[test]
        fn fifteen_digits_are_exact(bits in any::<u64>()) {
            let number = f64::from_bits(bits);
            prop_assume!(number.is_finite());
            prop_assert_eq!(Decimal::significant(number), Decimal::exact(number, 15));
        }

        #[test]
        fn fifteen_digits_of_numbers_without_exponent_are_exact(number in 0.00009_f64..1.1, power in 0..16, down in any::<bool>()) {
            let number = number * 10_f64.powi(power);
            let number = if down { number.next_down() } else { number.next_up() };
            prop_assert_eq!(Decimal::significant(number), Decimal::exact(number, 15));
        }

        #[test]
        fn fifteen_digits_of_decimals_are_exact(digits in 0_i64..10_000_000_000_000_000, places in -30..30, half in any::<bool>()) {
            let digits = if half { digits / 10 * 10 + 5 } else { digits };
            let number: f64 = format!("{digits}e{places}").parse().unwrap();
            prop_assert_eq!(Decimal::significant(number), Decimal::exact(number, 15));
        }

        #[test]
        fn numbers_are_json_and_read_back_as_the_number_rounded(bits in any::<u64>()) {
            let number = f64::from_bits(bits);
            prop_assume!(number.is_finite());
            let text = written(|out| push_significant(out, number));
            let rounded: f64 = format!("{number:.14e}").parse().unwrap();
            prop_assert_eq!(text.parse::<f64>().unwrap().to_bits(), rounded.to_bits());
            prop_assert!(serde_json::from_str::<serde::de::IgnoredAny>(&text).is_ok());
        }
    }
}
