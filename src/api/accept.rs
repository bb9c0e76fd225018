//! Reads the header `Accept`: the types in which a client would like its answer (RFC 9110, section 12.5.1).

use std::cmp::Reverse;

use axum::http::{HeaderMap, header};

/// Whether the client takes this type, such as `text/plain`.
#[must_use]
pub fn takes(headers: &HeaderMap, media_type: &str) -> bool {
    prefer(headers, [media_type]).is_some()
}

/// The type that the client likes best. Among types of the same quality, the one that the header names first wins, be it named itself or by
/// a range. A client without a wish gets the first of `media_types`.
#[must_use]
pub fn prefer<const N: usize>(headers: &HeaderMap, media_types: [&str; N]) -> Option<usize> {
    best(&accepted(headers), media_types)
}

fn accepted(headers: &HeaderMap) -> String {
    let accepted: Vec<&str> = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok()).collect();
    accepted.join(",")
}

fn best<const N: usize>(accepted: &str, media_types: [&str; N]) -> Option<usize> {
    if accepted.trim().is_empty() {
        return Some(0);
    }
    let wishes = media_types.iter().enumerate().filter_map(|(at, media_type)| Some((wish(accepted, media_type)?, at)));
    wishes.min().map(|(_, at)| at)
}

/// How much the client wants a type; the smallest value is the most wanted. The range that covers the type most closely decides. `None`
/// when the client does not take the type.
fn wish(accepted: &str, media_type: &str) -> Option<(Reverse<u16>, usize)> {
    let covering =
        ranges(accepted).enumerate().filter_map(|(at, (range, quality))| Some((Reverse(covers(range, media_type)?), at, quality)));
    let (_, at, quality) = covering.min()?;
    (quality > 0).then_some((Reverse(quality), at))
}

/// The media ranges of a header, with their qualities in thousandths (RFC 9110, section 12.5.1).
fn ranges(accepted: &str) -> impl Iterator<Item = (&str, u16)> {
    accepted.split(',').map(|item| {
        let mut parts = item.split(';').map(str::trim);
        let range = parts.next().unwrap_or_default();
        let quality = parts.find_map(|part| part.strip_prefix("q=").or_else(|| part.strip_prefix("Q=")));
        (range, quality.map_or(1000, thousandths))
    })
}

fn thousandths(quality: &str) -> u16 {
    let value = quality.trim().parse::<f32>().unwrap_or(1.0).clamp(0.0, 1.0);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and 1000")]
    let thousandths = (value * 1000.0) as u16;
    thousandths
}

/// How closely a range covers a type, if it does.
fn covers(range: &str, media_type: &str) -> Option<u8> {
    match range.split_once('/') {
        _ if range.eq_ignore_ascii_case(media_type) => Some(2),
        Some((kind, "*")) if media_type.split_once('/').is_some_and(|(of, _)| of.eq_ignore_ascii_case(kind)) => Some(1),
        Some(("*", "*")) => Some(0),
        _ => None,
    }
}
