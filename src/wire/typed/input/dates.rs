//! Reads dates and moments from text, by formats in strptime's notation or in Java's.

use jiff::{civil, fmt::strtime::BrokenDownTime, tz::TimeZone};

use super::{Input, Invalid, NA_REAL, Sent, shown};
use crate::wire::time::{DATE_FORMAT, DATE_TIME_FORMAT, session_zone};

const EPOCH: civil::Date = civil::date(1970, 1, 1);

/// Reads dates or moments. Without a format, texts have the form in which we write them. A format with hours, minutes or
/// seconds makes them moments, even if the class says dates.
pub(super) fn read(texts: &[Option<Sent<'_>>], format: Option<&str>, moments: bool) -> Result<Input<'static>, Invalid> {
    let given = format.unwrap_or(if moments { DATE_TIME_FORMAT } else { DATE_FORMAT });
    let format = Format::new(given).map_err(Invalid::new)?;
    let zone = session_zone();
    let moments = moments || format.timed;
    let mut counts = Vec::with_capacity(texts.len());
    for (at, text) in texts.iter().enumerate() {
        counts.push(match text {
            None => NA_REAL,
            Some(text) => format.count(text, moments.then_some(&zone)).ok_or_else(|| {
                let which = if texts.len() == 1 { shown(text) } else { format!("element {}, {},", at + 1, shown(text)) };
                Invalid::new(format!("{which} cannot be read by the format {}", shown(given)))
            })?,
        });
    }
    Ok(if moments { Input::Moments(counts) } else { Input::Dates(counts) })
}

/// A format in jiff's notation.
struct Format {
    strptime: String,
    /// Whether it has hours, minutes or seconds.
    timed: bool,
}

impl Format {
    fn new(given: &str) -> Result<Self, String> {
        if given.contains('%') { Self::from_strptime(given) } else { Self::from_java(given) }
    }

    /// From R's notation (?strptime). jiff does not know `%OS` and the parts that depend on the language.
    fn from_strptime(given: &str) -> Result<Self, String> {
        let mut format = Self { strptime: String::new(), timed: false };
        let mut letters = given.chars();
        while let Some(letter) = letters.next() {
            if letter != '%' {
                format.strptime.push(letter);
                continue;
            }
            match letters.next() {
                Some('O') if letters.as_str().starts_with('S') => {
                    letters.next();
                    if letters.as_str().starts_with(|digit: char| digit.is_ascii_digit()) {
                        letters.next();
                    }
                    format.field("S%.f");
                }
                Some(field) if "%AaBbhCDdeFGgHIjklMmnpRSsTtUuVWwYyz".contains(field) => format.field(field.encode_utf8(&mut [0; 4])),
                Some(field) => return Err(format!("the format {} has %{field}, which is not supported", shown(given))),
                None => return Err(format!("the format {} ends in a single %", shown(given))),
            }
        }
        Ok(format)
    }

    /// From Java's notation (`SimpleDateFormat`), which clients of later servers send.
    fn from_java(given: &str) -> Result<Self, String> {
        let mut format = Self { strptime: String::new(), timed: false };
        let mut rest = given;
        while let Some(letter) = rest.chars().next() {
            if letter == '\'' {
                let (literal, after) =
                    rest[1..].split_once('\'').ok_or_else(|| format!("the format {} lacks a closing quote", shown(given)))?;
                format.strptime.push_str(if literal.is_empty() { "'" } else { literal });
                rest = after;
                continue;
            }
            let after = rest.trim_start_matches(letter);
            let count = (rest.len() - after.len()) / letter.len_utf8();
            let run = &rest[..rest.len() - after.len()];
            rest = after;
            if !letter.is_ascii_alphabetic() {
                format.strptime.push_str(run);
                continue;
            }
            format.field(match (letter, count) {
                ('y' | 'u', 2) => "y",
                ('y' | 'u', _) => "Y",
                ('M' | 'L', 1 | 2) => "m",
                ('M' | 'L', 3) => "b",
                ('M' | 'L', _) => "B",
                ('d', _) => "d",
                ('D', _) => "j",
                ('E', 1..=3) => "a",
                ('E', _) => "A",
                ('H', _) => "H",
                ('h', _) => "I",
                ('m', _) => "M",
                ('s', _) => "S",
                ('S', _) => "f",
                ('a', _) => "p",
                ('Z', _) | ('X', 2) => "z",
                ('X', 3) => ":z",
                _ => return Err(format!("the format {} has {run}, which is not supported", shown(given))),
            });
        }
        Ok(format)
    }

    fn field(&mut self, field: &str) {
        self.strptime.push('%');
        self.strptime.push_str(field);
        self.timed |= field.starts_with(['H', 'I', 'k', 'l', 'M', 'R', 'S', 's', 'T', 'f']);
    }

    /// Reads a text as days since 1970 or, with a zone, as seconds. The zone is for texts that have no offset of their own.
    fn count(&self, text: &str, zone: Option<&TimeZone>) -> Option<f64> {
        let read = BrokenDownTime::parse(&self.strptime, text.trim()).ok()?;
        let Some(zone) = zone else {
            let days = read.to_date().ok()?.duration_since(EPOCH).as_hours() / 24;
            #[expect(clippy::cast_precision_loss, reason = "a few million days")]
            return Some(days as f64);
        };
        let moment = if read.offset().is_some() || read.timestamp().is_some() {
            read.to_timestamp().ok()?
        } else {
            let at_midnight = || read.to_date().ok().map(|date| date.at(0, 0, 0, 0));
            zone.to_timestamp(read.to_datetime().ok().or_else(at_midnight)?).ok()?
        };
        #[expect(clippy::cast_precision_loss, reason = "R counts in doubles, too")]
        let whole = moment.as_second() as f64;
        Some(whole + f64::from(moment.subsec_nanosecond()) / 1e9)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(text: &str, format: &str) -> Result<Input<'static>, String> {
        read(&[Some(text.into())], Some(format).filter(|format| !format.is_empty()), false).map_err(|error| error.to_string())
    }

    #[test]
    fn dates_in_both_notations() {
        for (text, format) in [
            ("2010-04-20", ""),
            ("2010-04-20", "%Y-%m-%d"),
            (" 2010-4-20 ", "%F"),
            ("20/04/10", "%d/%m/%y"),
            ("20 April 2010", "%d %B %Y"),
            ("110 2010", "%j %Y"),
            ("2010-04-20", "yyyy-MM-dd"),
            ("20.4.10", "dd.MM.yy"),
            ("Tuesday, 20 Apr 2010", "EEEE, d MMM yyyy"),
            ("2010T04'20", "yyyy'T'MM''dd"),
        ] {
            assert_eq!(one(text, format), Ok(Input::Dates(vec![14_719.0])), "{text} {format}");
        }
        // Clients of version 8 write a day of one digit as one digit.
        assert_eq!(one("2010-04-2", "yyyy-MM-dd"), Ok(Input::Dates(vec![14_701.0])));
        assert_eq!(one("0099-12-31", ""), Ok(Input::Dates(vec![-683_004.0])));
    }

    #[test]
    fn a_format_with_a_time_makes_moments() {
        for (text, format) in [
            ("2010-04-20 13:45:10 +0200", "%Y-%m-%d %H:%M:%S %z"),
            ("2010-04-20 13:45:10 +0200", "yyyy-MM-dd HH:mm:ss Z"),
            ("2010-04-20T13:45:10+02:00", "yyyy-MM-dd'T'HH:mm:ssXXX"),
            ("04/20/2010 1:45:10 PM +0200", "%m/%d/%Y %I:%M:%S %p %z"),
            ("1271763910", "%s"),
        ] {
            assert_eq!(one(text, format), Ok(Input::Moments(vec![1_271_763_910.0])), "{text} {format}");
        }
        for (text, format) in
            [("2010-04-20 13:45:10.25 +0200", "%Y-%m-%d %H:%M:%OS3 %z"), ("2010-04-20 13:45:10.25 +0200", "yyyy-MM-dd HH:mm:ss.SSS Z")]
        {
            assert_eq!(one(text, format), Ok(Input::Moments(vec![1_271_763_910.25])), "{text} {format}");
        }
    }

    #[test]
    fn moments_may_be_days_and_missing() {
        let read = read(&[Some("1970-01-02 00:00:00 +0000".into()), None], None, true).unwrap();
        let Input::Moments(counts) = read else { panic!() };
        assert_eq!((counts[0], counts[1].to_bits()), (86_400.0, NA_REAL.to_bits()));
    }

    #[test]
    fn what_cannot_be_read_is_named() {
        for (text, format, error) in [
            ("2010-02-30", "", "inputs: \"2010-02-30\" cannot be read by the format \"%Y-%m-%d\"."),
            ("yesterday", "%d.%m.%Y", "inputs: \"yesterday\" cannot be read by the format \"%d.%m.%Y\"."),
            ("2010-04-20 and more", "", "inputs: \"2010-04-20 and more\" cannot be read by the format \"%Y-%m-%d\"."),
            ("13:45", "%H:%M", "inputs: \"13:45\" cannot be read by the format \"%H:%M\"."),
            ("x", "%Y-%Q", "inputs: the format \"%Y-%Q\" has %Q, which is not supported."),
            ("x", "%Y-%", "inputs: the format \"%Y-%\" ends in a single %."),
            ("x", "yyyy QQ", "inputs: the format \"yyyy QQ\" has QQ, which is not supported."),
            ("x", "yyyy 'T", "inputs: the format \"yyyy 'T\" lacks a closing quote."),
        ] {
            assert_eq!(one(text, format).unwrap_err(), error);
        }
    }
}
