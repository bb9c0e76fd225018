//! Messages of the core as sentences: it writes them without a capital letter and a full stop, so that they can be parts of others.

/// The text with a capital letter.
#[must_use]
pub fn capital(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().map(|first| first.to_uppercase().to_string()).unwrap_or_default();
    first + letters.as_str()
}

/// The text with a capital letter and a full stop.
#[must_use]
pub fn sentence(text: &str) -> String {
    capital(text.trim_end_matches('.')) + "."
}
