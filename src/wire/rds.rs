//! Writes values of our own, without R, in the format of R's `serialize()` (R Internals, section 1.8).

// The numbers that say in the format what comes next.

/// A vector of strings.
const STRINGS: i32 = 16;
/// A string, marked as UTF-8.
const STRING: i32 = 9 | 1 << 15;
/// A list.
const LIST: i32 = 19;
/// A list with attributes.
const LIST_WITH_ATTRIBUTES: i32 = LIST | 1 << 9;
/// An attribute. Its name comes before its value.
const ATTRIBUTE: i32 = 2 | 1 << 10;
/// The name of an attribute.
const SYMBOL: i32 = 1;
/// The end of the attributes.
const END: i32 = 254;

/// A value to be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RdsValue<'a> {
    /// A character vector.
    Strings(&'a [&'a str]),
    /// A list without names.
    List(&'a [RdsValue<'a>]),
    /// A list with names.
    Named(&'a [(&'a str, RdsValue<'a>)]),
}

/// Serializes a value, in the second version of the format.
#[must_use]
pub fn serialize(value: RdsValue) -> Vec<u8> {
    let mut bytes = b"X\n".to_vec();
    // The version of the format, the version of R that has written it (4.2.0), and the oldest that can read it (2.3.0).
    for head in [2, 0x0004_0200, 0x0002_0300] {
        push(&mut bytes, head);
    }
    write(&mut bytes, value);
    bytes
}

fn write(bytes: &mut Vec<u8>, value: RdsValue) {
    match value {
        RdsValue::Strings(values) => write_strings(bytes, values.iter().copied()),
        RdsValue::List(items) => {
            push(bytes, LIST);
            push(bytes, length(items.len()));
            items.iter().for_each(|&item| write(bytes, item));
        }
        RdsValue::Named(items) => {
            push(bytes, LIST_WITH_ATTRIBUTES);
            push(bytes, length(items.len()));
            items.iter().for_each(|&(_, item)| write(bytes, item));
            push(bytes, ATTRIBUTE);
            push(bytes, SYMBOL);
            write_string(bytes, "names");
            write_strings(bytes, items.iter().map(|&(name, _)| name));
            push(bytes, END);
        }
    }
}

fn write_strings<'a>(bytes: &mut Vec<u8>, values: impl ExactSizeIterator<Item = &'a str>) {
    push(bytes, STRINGS);
    push(bytes, length(values.len()));
    values.for_each(|value| write_string(bytes, value));
}

fn write_string(bytes: &mut Vec<u8>, value: &str) {
    push(bytes, STRING);
    push(bytes, length(value.len()));
    bytes.extend(value.as_bytes());
}

fn push(bytes: &mut Vec<u8>, number: i32) {
    bytes.extend(number.to_be_bytes());
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
        assert_eq!(serialize(RdsValue::Strings(&["é"])), expected);
    }

    #[test]
    fn lists_have_their_names_as_an_attribute() {
        // serialize(list(a = list("b")), NULL, version = 2), after the head, with strings marked as UTF-8.
        let value = RdsValue::Named(&[("a", RdsValue::List(&[RdsValue::Strings(&["b"])]))]);
        let expected = b"\0\0\x02\x13\0\0\0\x01\0\0\0\x13\0\0\0\x01\0\0\0\x10\0\0\0\x01\0\0\x80\x09\0\0\0\x01b\
            \0\0\x04\x02\0\0\0\x01\0\0\x80\x09\0\0\0\x05names\0\0\0\x10\0\0\0\x01\0\0\x80\x09\0\0\0\x01a\0\0\0\xfe";
        assert_eq!(&serialize(value)[14..], expected);
    }
}
