//! Which of its two forms an answer is given in (contract, section 1).

use axum::http::{HeaderMap, header};

use super::error::Error;

/// A form of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// `application/json`
    Json,
    /// `application/octet-stream`: R's own serialization.
    Rds,
}

impl Form {
    /// What stands in `Content-Type`.
    #[must_use]
    pub fn content_type(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::Rds => "application/octet-stream",
        }
    }

    /// The form that the client likes best: of the highest quality, and of those the first named. Whoever
    /// takes anything gets JSON.
    ///
    /// # Errors
    /// 406 when the client takes neither.
    pub fn negotiate(headers: &HeaderMap) -> Result<Self, Error> {
        choose(&accepted(headers)).ok_or_else(|| Error::not_acceptable("application/json and as application/octet-stream"))
    }
}

/// Whether the client takes this type, such as `text/plain`.
#[must_use]
pub fn takes(headers: &HeaderMap, media_type: &str) -> bool {
    let accepted = accepted(headers);
    accepted.trim().is_empty() || ranges(&accepted).any(|(range, quality)| quality > 0 && covers(range, media_type))
}

/// Whether the client asks for this type by its name.
#[must_use]
pub fn names(headers: &HeaderMap, media_type: &str) -> bool {
    ranges(&accepted(headers)).any(|(range, quality)| quality > 0 && range.eq_ignore_ascii_case(media_type))
}

fn accepted(headers: &HeaderMap) -> String {
    let accepted: Vec<&str> = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok()).collect();
    accepted.join(",")
}

fn choose(accepted: &str) -> Option<Form> {
    if accepted.trim().is_empty() {
        return Some(Form::Json);
    }
    let mut best: Option<(u16, Form)> = None;
    for (range, quality) in ranges(accepted).filter(|&(_, quality)| quality > 0) {
        let form = [Form::Json, Form::Rds].into_iter().find(|form| covers(range, form.content_type()));
        if let Some(form) = form
            && best.is_none_or(|(of_best, _)| quality > of_best)
        {
            best = Some((quality, form));
        }
    }
    best.map(|(_, form)| form)
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

fn covers(range: &str, media_type: &str) -> bool {
    match range.split_once('/') {
        Some(("*", "*")) => true,
        Some((kind, "*")) => media_type.split_once('/').is_some_and(|(of, _)| of.eq_ignore_ascii_case(kind)),
        _ => range.eq_ignore_ascii_case(media_type),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_form_is_chosen() {
        for (accepted, expected) in [
            ("", Some(Form::Json)),
            ("*/*", Some(Form::Json)),
            ("application/*", Some(Form::Json)),
            ("application/json, text/xml, application/xml, */*", Some(Form::Json)),
            ("application/octet-stream, application/json", Some(Form::Rds)),
            ("application/octet-stream;q=0.5, application/json", Some(Form::Json)),
            ("application/json;q=0.1, application/octet-stream;q=0.2", Some(Form::Rds)),
            ("text/plain, Application/Octet-Stream", Some(Form::Rds)),
            ("application/json;q=0, application/octet-stream", Some(Form::Rds)),
            ("application/json;charset=utf-8", Some(Form::Json)),
            ("text/plain", None),
            ("application/octet-stream;q=0", None),
        ] {
            assert_eq!(choose(accepted), expected, "{accepted}");
        }
    }
}
