//! Reads the elements of a vector from an XML attribute: they are separated by commas, and strings follow the rules of CSV
//! (contract, section 5).

use super::{Column, Invalid, Kind, NA_REAL, Sent, shown, special_number};
use crate::wire::value::NA_INTEGER;

/// The elements of a vector: `1,,3` has three, and an empty text has one, which is `NA`.
pub(super) fn column(kind: Kind, text: &str) -> Result<Column<'static>, Invalid> {
    Ok(match kind {
        Kind::Logical => Column::Logical(cells(text, logical)?),
        Kind::Double => Column::Double(cells(text, number)?),
        Kind::Text => Column::Text(strings(text)?),
    })
}

/// A single value. A string by itself may contain commas, and is in quotes only where these are needed.
pub(super) fn single(kind: Kind, text: &str) -> Result<Column<'static>, Invalid> {
    match kind {
        Kind::Text => Ok(Column::Text(vec![string(text)])),
        _ if text.contains(',') => Err(Invalid::new("is a primitive, and so has one value, not several; use the type vector")),
        _ => column(kind, text),
    }
}

fn cells<T>(text: &str, read: impl Fn(&str) -> Option<T>) -> Result<Vec<T>, Invalid> {
    let mut all = Vec::with_capacity(memchr::memchr_iter(b',', text.as_bytes()).count() + 1);
    for (at, cell) in text.split(',').enumerate() {
        let cell = cell.trim_ascii();
        all.push(
            read(cell).ok_or_else(|| Invalid::new(format!("element {}, {}, is not what its element says it is", at + 1, shown(cell))))?,
        );
    }
    Ok(all)
}

fn logical(cell: &str) -> Option<i32> {
    // The words of R's as.logical().
    match cell {
        "" | "NA" => Some(NA_INTEGER),
        "true" | "TRUE" | "True" | "T" => Some(1),
        "false" | "FALSE" | "False" | "F" => Some(0),
        _ => None,
    }
}

fn number(cell: &str) -> Option<f64> {
    if cell.is_empty() {
        return Some(NA_REAL);
    }
    match cell.parse::<f64>() {
        Ok(number) if number.is_finite() => Some(number),
        // Rust reads words as numbers that R does not, and a number that is too large as infinite.
        _ => special_number(cell),
    }
}

/// A string by itself.
fn string(text: &str) -> Option<Sent<'static>> {
    match text.strip_prefix('"').and_then(unquoted) {
        _ if text.is_empty() => None,
        Some((string, "")) => Some(string),
        // Not the quotes around a string, but a string that begins with a quote.
        _ => Some(Sent::Owned(text.to_owned())),
    }
}

/// Several strings. Blanks around them do not count, unless they are within quotes.
fn strings(text: &str) -> Result<Vec<Option<Sent<'static>>>, Invalid> {
    let mut all = Vec::with_capacity(memchr::memchr_iter(b',', text.as_bytes()).count() + 1);
    let mut rest = text;
    loop {
        let (item, after) = item(rest).ok_or_else(|| {
            Invalid::new(format!(
                "element {} begins with a quote and does not end with one; quotes within quotes are doubled",
                all.len() + 1
            ))
        })?;
        all.push(item);
        match after {
            None => return Ok(all),
            Some(after) => rest = after,
        }
    }
}

/// The first of several strings, and the text after its comma.
fn item(text: &str) -> Option<(Option<Sent<'static>>, Option<&str>)> {
    if let Some(quoted) = text.trim_ascii_start().strip_prefix('"') {
        let (string, after) = unquoted(quoted)?;
        let after = after.trim_ascii_start();
        let after = if after.is_empty() { None } else { Some(after.strip_prefix(',')?) };
        return Some((Some(string), after));
    }
    let (plain, after) = match memchr::memchr(b',', text.as_bytes()) {
        None => (text, None),
        Some(comma) => (&text[..comma], Some(&text[comma + 1..])),
    };
    let plain = plain.trim_ascii();
    Some(((!plain.is_empty()).then(|| Sent::Owned(plain.to_owned())), after))
}

/// The text before the closing quote, with doubled quotes made single, and the text after it.
fn unquoted(text: &str) -> Option<(Sent<'static>, &str)> {
    let mut string = String::new();
    let mut rest = text;
    loop {
        let (before, after) = rest.split_once('"')?;
        string.push_str(before);
        match after.strip_prefix('"') {
            Some(after) => {
                string.push('"');
                rest = after;
            }
            None => return Some((Sent::Owned(string), after)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(text: &str) -> Vec<Option<String>> {
        strings(text).unwrap().into_iter().map(|item| item.map(Sent::into_owned)).collect()
    }

    fn some(items: &[&str]) -> Vec<Option<String>> {
        items.iter().map(|&item| Some(item.to_owned())).collect()
    }

    #[test]
    fn numbers_and_words() {
        let Column::Double(numbers) = column(Kind::Double, "1, 2.5,,-Inf,1e3,Infinity,NaN,NA").unwrap() else { panic!() };
        assert_eq!(numbers[..2], [1.0, 2.5]);
        assert_eq!(numbers[2].to_bits(), NA_REAL.to_bits());
        assert_eq!(numbers[3..6], [f64::NEG_INFINITY, 1000.0, f64::INFINITY]);
        assert!(numbers[6].is_nan() && numbers[6].to_bits() != NA_REAL.to_bits());
        assert_eq!(numbers[7].to_bits(), NA_REAL.to_bits());
        assert_eq!(column(Kind::Logical, "true,FALSE,,T").unwrap(), Column::Logical(vec![1, 0, NA_INTEGER, 1]));
    }

    #[test]
    fn what_is_no_number_is_refused() {
        for text in ["1,two", "0x10", "inf", "nan", "1e999", "1 2", "1;2", "--1", "true"] {
            assert!(column(Kind::Double, text).is_err(), "{text}");
        }
        for text in ["1", "yes", "tRUE"] {
            assert!(column(Kind::Logical, text).is_err(), "{text}");
        }
    }

    #[test]
    fn strings_follow_the_rules_of_csv() {
        assert_eq!(texts("age,gender,IQ"), some(&["age", "gender", "IQ"]));
        assert_eq!(texts(r#"age,,"","a,b"," x","say ""hi""""#), {
            let mut expected = some(&["age", "", "", "a,b", " x", "say \"hi\""]);
            expected[1] = None;
            expected
        });
        assert_eq!(texts(""), [None]);
        assert_eq!(texts(","), [None, None]);
        assert_eq!(texts(r#" a b , "c" ,5" nail"#), some(&["a b", "c", "5\" nail"]));
        assert_eq!(texts("\"a\nb\""), some(&["a\nb"]));
        for text in [r#""a"#, r#""a"b"#, r#"x,"a,b"#] {
            assert!(strings(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_string_by_itself_keeps_its_commas() {
        for (text, expected) in
            [("a, b ", "a, b "), ("\"\"", ""), ("\"\"\"x\"\"\"", "\"x\""), ("\"a\" and \"b\"", "\"a\" and \"b\""), ("\"", "\"")]
        {
            assert_eq!(single(Kind::Text, text).unwrap(), Column::Text(vec![Some(expected.into())]), "{text}");
        }
        assert_eq!(single(Kind::Text, "").unwrap(), Column::Text(vec![None]));
        assert!(single(Kind::Double, "1,2").is_err());
        assert_eq!(single(Kind::Double, " 3.0 ").unwrap(), Column::Double(vec![3.0]));
    }
}
