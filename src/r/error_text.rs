//! The text of R's last error (`geterrmessage()`), which R keeps in a buffer of its own.

use std::{cell::Cell, ffi::CStr};

use super::{exec::RError, ffi, reports::translated, scripts};
use crate::wire::condition::Condition;

thread_local! {
    /// The place of the buffer's last byte; 0 when it is not known.
    static LAST: Cell<usize> = const { Cell::new(0) };
}

/// Finds out how large the buffer is, in the zygote.
///
/// # Errors
/// R's.
pub(super) fn prepare() -> Result<(), RError> {
    // R cuts what does not fit.
    scripts::call(c"fill_error_text")?;
    LAST.set(text().len());
    scripts::call(c"empty_error_text")
}

/// Marks the buffer, so that [`is_new`] tells whether R has written to it since.
///
/// R ends whatever it writes there with a NUL in the last byte, too, however short the text is. Nobody else looks at
/// that byte. To compare texts would not do: the same error may come twice.
pub(super) fn mark() {
    set_last(1);
}

/// Whether there has been an error since [`mark`], or a text was put there as if there had been one.
pub(super) fn is_new() -> bool {
    // SAFETY: R's own static array, whose last byte this is; one thread.
    LAST.get() > 0 && unsafe { *ffi::R_curErrorBuf().add(LAST.get()) } == 0
}

fn set_last(byte: u8) {
    let last = LAST.get();
    // A text that fills the buffer needs the NUL.
    if last > 0 && text().len() < last {
        // SAFETY: R's own static array, which is not constant, and whose last byte this is; one thread.
        unsafe { ffi::R_curErrorBuf().cast_mut().cast::<u8>().add(last).write(byte) };
    }
}

/// Runs `body` with the mark set, and puts it back as it was if there was no error. Returns whether there was one.
pub(super) fn watch<T>(body: impl FnOnce() -> T) -> (T, bool) {
    let was_new = is_new();
    mark();
    let result = body();
    let failed = is_new();
    if !failed && was_new {
        set_last(0);
    }
    (result, failed)
}

/// Whether these bytes are the text.
pub(super) fn is_text(bytes: &[u8]) -> bool {
    !bytes.is_empty() && text() == bytes
}

/// All that R has reported of the last error.
pub(super) fn whole() -> String {
    String::from_utf8_lossy(text()).into_owned()
}

/// The last error.
pub(super) fn condition() -> Condition {
    let text = String::from_utf8_lossy(text());
    let [inside, outside] = [c"Error in %s : ", c"Error: "].map(|format| String::from_utf8_lossy(translated(format)));
    parse(&text, &inside, &outside)
}

fn text() -> &'static [u8] {
    // SAFETY: R returns a static buffer that is always terminated; nobody keeps the text while R runs.
    unsafe { CStr::from_ptr(ffi::R_curErrorBuf()) }.to_bytes()
}

/// Call and message in a report. R writes it by one of these two formats, the first with `%s` for the call.
fn parse(text: &str, inside: &str, outside: &str) -> Condition {
    let text = text.strip_suffix('\n').unwrap_or(text);
    // With the option `showErrorCalls`, R appends the calls that led to the error. They are not part of the message.
    let text = text.rsplit_once('\n').filter(|(_, last)| last.starts_with("Calls: ")).map_or(text, |(message, _)| message);
    let (before, after) = inside.split_once("%s").unwrap_or((inside, " : "));
    if let Some((call, message)) = text.strip_prefix(before).and_then(|rest| split(rest, after)) {
        // R begins a new line for the message when the call is long.
        return Condition::new(message.strip_prefix("\n  ").unwrap_or(message).to_owned(), call.to_owned());
    }
    Condition::new(text.strip_prefix(outside).unwrap_or(text).to_owned(), String::new())
}

/// Splits a report where `between` is, and not inside of quotes.
fn split<'a>(text: &'a str, between: &str) -> Option<(&'a str, &'a str)> {
    let mut quote = None;
    let mut escaped = false;
    for (at, byte) in text.bytes().enumerate() {
        match quote {
            _ if escaped => escaped = false,
            Some(_) if byte == b'\\' => escaped = true,
            Some(open) if byte == open => quote = None,
            Some(_) => {}
            None if matches!(byte, b'"' | b'`' | b'\'') => quote = Some(byte),
            None => {
                // A place that begins a character, as what it is compared with does.
                if text.as_bytes()[at..].starts_with(between.as_bytes()) {
                    return Some((&text[..at], &text[at + between.len()..]));
                }
            }
        }
    }
    text.split_once(between)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reports_are_taken_apart() {
        for (text, call, message) in [
            ("Error: simple\n", "", "simple"),
            ("Error: \n", "", ""),
            ("Error in f() : \n", "f()", ""),
            ("Error in f(1) : in f\n", "f(1)", "in f"),
            ("Error in f(a_long_call) : \n  on a line of its own\n", "f(a_long_call)", "on a line of its own"),
            ("Error in f(\"a : b\") : c : d\n", "f(\"a : b\")", "c : d"),
            ("Error in f(\"a \\\" : b\") : c\n", "f(\"a \\\" : b\")", "c"),
            ("Error in f(\"cut ... : c\n", "f(\"cut ...", "c"),
            ("Error in f() : two\nlines\nCalls: f -> g\n", "f()", "two\nlines"),
            ("written by somebody else", "", "written by somebody else"),
            ("", "", ""),
        ] {
            let condition = parse(text, "Error in %s : ", "Error: ");
            assert_eq!((condition.call.as_str(), condition.message.as_str()), (call, message), "{text}");
        }
        let german = parse("Fehler in f() : nein\n", "Fehler in %s : ", "Fehler: ");
        assert_eq!((german.call.as_str(), german.message.as_str()), ("f()", "nein"));
    }
}
