//! R's dates and times as text.
//!
//! A `Date` is a count of days, a `POSIXct` a count of seconds, both since 1970-01-01 (R manual, ?Dates and
//! ?DateTimeClasses).

use jiff::{Timestamp, tz::TimeZone};

use super::{Out, number::push_integer};

/// The form in which a `Date` is written, in strptime's notation.
pub const DATE_FORMAT: &str = "%Y-%m-%d";
/// The form in which a `POSIXct` is written: the time in its zone, and the zone's offset, so that nothing is lost.
pub const DATE_TIME_FORMAT: &str = "%Y-%m-%d %H:%M:%S %z";

/// The time zone of this process as R sees it: that of the environment variable TZ, or else the system's. A session may
/// change TZ at any time, so it is read each time; jiff would remember it.
#[must_use]
pub fn session_zone() -> TimeZone {
    match std::env::var("TZ") {
        Ok(name) if !name.is_empty() => {
            let name = name.trim_start_matches(':');
            TimeZone::get(name).or_else(|_| TimeZone::posix(name)).unwrap_or(TimeZone::UTC)
        }
        _ => TimeZone::system(),
    }
}

/// Appends a day as `2010-04-20`. Of a fraction of a day, it is the day that contains it, as R prints it.
pub fn push_date(out: &mut Out, days: f64) {
    let Some((year, month, day)) = civil(days.floor()) else { return };
    push_year(out, year);
    for part in [month, day] {
        out.byte(b'-');
        push_two(out, part);
    }
}

/// Appends a moment as `2010-04-20 13:45:10 +0200`, in `zone`; fractions of a second are left out, as R
/// prints them.
pub fn push_date_time(out: &mut Out, seconds: f64, zone: &TimeZone) {
    #[expect(clippy::cast_possible_truncation, reason = "dates too far away for jiff get no offset")]
    let offset = Timestamp::from_second(seconds.floor() as i64).map_or(0, |moment| zone.to_offset(moment).seconds());
    let local = seconds.floor() + f64::from(offset);
    let days = (local / 86_400.0).floor();
    push_date(out, days);
    out.byte(b' ');
    push_clock(out, local - days * 86_400.0);
    out.push(if offset < 0 { b" -" } else { b" +" });
    push_two(out, offset.unsigned_abs() / 3600);
    push_two(out, offset.unsigned_abs() / 60 % 60);
}

/// Appends a moment as `2010-04-20T11:45:10.25Z`, as ISO 8601 has it, in UTC. A fraction has up to six digits: a double has no
/// more of a time of today. False for moments that are too far away.
pub fn push_moment(out: &mut Out, seconds: f64) -> bool {
    const MICRO: f64 = 1e6;
    let fraction = ((seconds - seconds.floor()) * MICRO).round();
    let (whole, fraction) = if fraction < MICRO { (seconds.floor(), fraction) } else { (seconds.floor() + 1.0, 0.0) };
    let days = (whole / 86_400.0).floor();
    if civil(days).is_none() {
        return false;
    }
    push_date(out, days);
    out.byte(b'T');
    push_clock(out, whole - days * 86_400.0);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "below a million")]
    let mut rest = fraction as u32;
    if rest > 0 {
        out.byte(b'.');
    }
    let mut place = 100_000;
    while rest > 0 {
        out.byte(b"0123456789"[(rest / place) as usize]);
        rest %= place;
        place /= 10;
    }
    out.byte(b'Z');
    true
}

/// Appends the time of a day as `13:45:10`.
fn push_clock(out: &mut Out, seconds: f64) {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "seconds of a day")]
    let second = seconds as u32;
    push_two(out, second / 3600);
    for part in [second / 60 % 60, second % 60] {
        out.byte(b':');
        push_two(out, part);
    }
}

fn push_two(out: &mut Out, part: u32) {
    for digit in [part / 10 % 10, part % 10] {
        out.byte(b"0123456789"[digit as usize]);
    }
}

/// A year with at least four digits, as C's `%Y` in R pads it.
fn push_year(out: &mut Out, year: i32) {
    if (0..1000).contains(&year) {
        for bound in [1000, 100, 10] {
            if year < bound {
                out.byte(b'0');
            }
        }
    }
    push_integer(out, year);
}

/// Year, month and day of a count of days, in the Gregorian calendar, which is also used for the time before it was
/// introduced. It repeats every 400 years, an era, so that years before 0 need no rules of their own. `None` for years that
/// do not fit.
fn civil(days: f64) -> Option<(i32, u32, u32)> {
    if days.abs() > 700_000_000_000.0 {
        return None;
    }
    #[expect(clippy::cast_possible_truncation, reason = "bounded above")]
    let shifted = days as i64 + 719_468; // days since 0000-03-01
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = u32::try_from(day_of_year - (153 * month_from_march + 2) / 5 + 1).ok()?;
    let month = u32::try_from(if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 }).ok()?;
    let year = i32::try_from(year_of_era + era * 400 + i64::from(month <= 2)).ok()?;
    Some((year, month, day))
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::civil::date;
    use proptest::prelude::*;

    fn written(write: impl FnOnce(&mut Out)) -> String {
        let mut out = Out::new();
        write(&mut out);
        String::from_utf8(out.finish().unwrap()).unwrap()
    }

    #[test]
    fn days_of_note() {
        for (days, expected) in [
            (0.0, "1970-01-01"),
            (14_719.0, "2010-04-20"),
            (-1.0, "1969-12-31"),
            (-719_528.0, "0000-01-01"),
            (3_000_000.0, "10183-09-21"),
            (0.9, "1970-01-01"),
        ] {
            assert_eq!(written(|out| push_date(out, days)), expected);
        }
    }

    #[test]
    fn moments_have_their_zone() {
        let paris = TimeZone::get("Europe/Paris").unwrap();
        assert_eq!(written(|out| push_date_time(out, 1_271_763_910.7, &paris)), "2010-04-20 13:45:10 +0200");
        assert_eq!(written(|out| push_date_time(out, -0.5, &TimeZone::UTC)), "1969-12-31 23:59:59 +0000");
    }

    #[test]
    fn moments_of_iso_8601_have_the_fraction_that_they_have() {
        for (seconds, expected) in [
            (1_479_665_709.0, "2016-11-20T18:15:09Z"),
            (1_479_665_709.917_656, "2016-11-20T18:15:09.917656Z"),
            (1_479_665_709.05, "2016-11-20T18:15:09.05Z"),
            (59.999_999_9, "1970-01-01T00:01:00Z"),
            (-0.5, "1969-12-31T23:59:59.5Z"),
        ] {
            assert_eq!(written(|out| assert!(push_moment(out, seconds))), expected);
        }
        assert_eq!(written(|out| assert!(!push_moment(out, 1e20))), "");
    }

    proptest! {
        #[test]
        fn days_agree_with_a_calendar(days in -700_000_i32..2_900_000) {
            let expected = date(1970, 1, 1).checked_add(jiff::Span::new().days(days)).unwrap();
            prop_assert_eq!(written(|out| push_date(out, f64::from(days))), expected.strftime("%Y-%m-%d").to_string());
        }
    }
}
