//! What R reports at its top level: the error that ends code, and the warnings that it prints after a statement.
//!
//! R hands over neither as a value. It writes both to its error stream, and this module looks at what goes by. A condition that is
//! only signalled, or that somebody handles, is never seen here, as nobody at R's prompt would see it.
//!
//! For the caller of an evaluation, the two are told apart from other text, and kept from the console. Text that turns out
//! to be something else, such as what `try()` prints, goes to the console after all.

use std::{
    cell::{Cell, RefCell},
    ffi::CStr,
};

use libR_sys::{
    R_BaseEnv, R_NamesSymbol, R_NilValue, Rf_GetOption1, Rf_defineVar, Rf_eval, Rf_getAttrib, Rf_protect, Rf_unprotect, SEXP, SEXPTYPE,
    TYPEOF,
};

use super::{
    console, error_text,
    exec::{RError, protect_quietly},
    ffi, scripts, strings,
};
use crate::wire::condition::{self, Condition};

/// How many warnings of one evaluation are kept.
const KEPT: usize = 1_000;
/// How many bytes of them are kept.
const KEPT_BYTES: usize = 512 << 10;
/// How much of the last text of the error stream is remembered, in bytes: as much as R's errors may have.
const RECENT_BYTES: usize = 8 << 10;
/// What R writes between the report of an error and warnings.
const ADDITION: &CStr = c"In addition: ";
/// R prints at most this many bytes of warnings at once: ten, of at most 8 KiB, with their calls.
const PRINTED_BYTES: usize = 256 << 10;

/// Who is told of warnings, and of the error that ends code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Told {
    /// The caller. The console has neither.
    Caller,
    /// The reader of the console, who sees them as at R's prompt.
    Console,
}

/// The warnings of one evaluation.
#[derive(Debug, Default)]
pub struct Warnings {
    /// Their messages, in order.
    pub messages: Vec<String>,
    /// How many more there were.
    pub dropped: usize,
}

/// Why R jumps to its top level.
#[derive(Debug)]
pub(super) enum Reason {
    Error(Condition),
    Interrupt,
}

/// What has gone by in one evaluation.
struct Reports {
    told: Told,
    /// Text like the report of an error. It is one if R jumps now.
    held: Vec<u8>,
    /// The report of the error that R jumps for.
    reported: Vec<u8>,
    /// Whether R has written what it writes between the report of an error and warnings.
    is_addition: bool,
    /// The end of what went to the console's error stream, since anything else went to the console.
    recent: Vec<u8>,
    /// What R has written since it began to print warnings.
    printed: Option<Vec<u8>>,
    /// The warnings that R has printed last, as `last.warning` has them. Only compared, as it may be gone.
    last_printed: SEXP,
    warnings: Warnings,
    /// Bytes of `warnings`.
    bytes: usize,
    /// Whether the last that was written is what R writes when it is interrupted: an empty line. There was no error since.
    is_interrupt: bool,
    reason: Option<Reason>,
}

/// Values that are made once, in the zygote, and live for good. Null until then.
#[derive(Clone, Copy)]
struct Constants {
    last_warning: SEXP,
    /// The option `error`.
    error: SEXP,
    /// A call by which R prints the warnings that it has kept.
    print_warnings: SEXP,
}

thread_local! {
    static REPORTS: RefCell<Reports> = const {
        RefCell::new(Reports {
            told: Told::Console,
            held: Vec::new(),
            reported: Vec::new(),
            is_addition: false,
            recent: Vec::new(),
            printed: None,
            last_printed: std::ptr::null_mut(),
            warnings: Warnings { messages: Vec::new(), dropped: 0 },
            bytes: 0,
            is_interrupt: false,
            reason: None,
        })
    };
    /// Whether R has evaluated something for us since warnings were forgotten.
    static OWN_WORK: Cell<bool> = const { Cell::new(false) };
    static CONSTANTS: Cell<Constants> = const {
        Cell::new(Constants { last_warning: std::ptr::null_mut(), error: std::ptr::null_mut(), print_warnings: std::ptr::null_mut() })
    };
}

/// Finds what is needed later, in the zygote.
///
/// # Errors
/// R's.
pub(super) fn prepare() -> Result<(), RError> {
    let constants = protect_quietly(|r| Constants {
        last_warning: strings::symbol(r, c"last.warning"),
        error: strings::symbol(r, c"error"),
        print_warnings: scripts::call_of(r, ".Internal(printDeferredWarnings())"),
    })?;
    CONSTANTS.set(constants);
    Ok(())
}

/// Code begins.
pub(super) fn begin(told: Told) {
    REPORTS.with_borrow_mut(|this| {
        this.told = told;
        this.last_printed = last_warning();
    });
}

/// R is about to evaluate something for us, which may leave warnings.
pub(super) fn begin_own_work() {
    OWN_WORK.set(true);
}

/// Makes R forget the warnings that it has kept of work of ours: they would be told as those of the code that follows. R has no
/// other way to be rid of them than to print them.
pub(super) fn forget_warnings() {
    let constants = CONSTANTS.get();
    if constants.print_warnings.is_null() || !OWN_WORK.take() {
        return;
    }
    let earlier = last_warning();
    let _ = protect_quietly(|_| {
        // SAFETY: inside `protect`. The call is preserved for good, and the earlier value is protected.
        unsafe {
            Rf_protect(earlier);
            Rf_eval(constants.print_warnings, R_BaseEnv);
            if last_warning() != earlier {
                Rf_defineVar(constants.last_warning, earlier, R_BaseEnv);
            }
            Rf_unprotect(1);
        }
    });
}

/// A statement of the code begins.
pub(super) fn begin_statement() {
    error_text::mark();
    REPORTS.with_borrow_mut(|this| {
        this.settle(false);
        this.is_interrupt = false;
        this.reason = None;
        this.recent.clear();
    });
}

/// R resets its console: it is about to jump, as an error, an interrupt or a restart has it.
pub(super) fn jump() {
    REPORTS.with_borrow_mut(|this| {
        this.take_printed();
        if !this.held.is_empty() {
            // An error while R jumps for another one, which is the caller's no more.
            this.give_up_reported();
            this.reported = std::mem::take(&mut this.held);
        }
        this.reason = if error_text::is_new() { Some(Reason::Error(this.error())) } else { this.is_interrupt.then_some(Reason::Interrupt) };
        error_text::mark();
    });
}

/// Why R has jumped to its prompt; `None` for a restart.
pub(super) fn take_reason() -> Option<Reason> {
    let reason = REPORTS.with_borrow_mut(|this| this.reason.take());
    // An error in the handling of an error resets no console.
    reason.or_else(|| error_text::is_new().then(|| Reason::Error(error_text::condition())))
}

/// The code has ended, and by a jump if `left` says so. Returns its warnings.
pub(super) fn end(left: bool) -> Warnings {
    REPORTS.with_borrow_mut(|this| {
        this.settle(left);
        this.told = Told::Console;
        this.bytes = 0;
        std::mem::take(&mut this.warnings)
    })
}

/// Looks at what R is about to write, and tells whether to write it.
pub(super) fn pass(is_error_stream: bool, text: &[u8]) -> bool {
    REPORTS.with_borrow_mut(|this| this.pass(is_error_stream, text))
}

impl Reports {
    fn pass(&mut self, is_error_stream: bool, text: &[u8]) -> bool {
        let is_caller = self.told == Told::Caller;
        self.take_printed();
        if let Some(printed) = &mut self.printed {
            if is_error_stream && printed.len() + text.len() <= PRINTED_BYTES {
                printed.extend_from_slice(text);
                return !is_caller;
            }
            self.give_up_printed();
        }
        let is_addition = std::mem::take(&mut self.is_addition);
        if is_error_stream && begins_warnings(text) {
            self.printed = Some(text.to_vec());
            return !is_caller;
        }
        if is_addition {
            console::write_error(translated(ADDITION));
        }
        if is_error_stream && is_caller {
            if text == translated(ADDITION) {
                self.is_addition = true;
                return false;
            }
            if error_text::is_text(text) {
                self.give_up_held();
                self.held.extend_from_slice(text);
                return false;
            }
        }
        // With the option `error`, R evaluates code of the user before it jumps, which may print as well.
        if !has_error_option() {
            self.give_up_held();
        }
        self.remember(is_error_stream, text);
        self.is_interrupt = is_error_stream && text == b"\n";
        if self.is_interrupt {
            error_text::mark();
        }
        true
    }

    /// Remembers the last text of the error stream.
    fn remember(&mut self, is_error_stream: bool, text: &[u8]) {
        if is_error_stream {
            let excess = (self.recent.len() + text.len()).saturating_sub(RECENT_BYTES);
            self.recent.drain(..excess.min(self.recent.len()));
            self.recent.extend_from_slice(&text[text.len().saturating_sub(RECENT_BYTES)..]);
        } else {
            self.recent.clear();
        }
    }

    /// The error that R jumps for. Package rlang writes the text itself, and then has R jump for an error without one.
    fn error(&self) -> Condition {
        let condition = error_text::condition();
        if !condition.message.is_empty() || self.recent.is_empty() {
            return condition;
        }
        let written = String::from_utf8_lossy(&self.recent);
        let begin = written.rfind("\nError").map_or(0, |before| before + 1);
        Condition::new(written[begin..].trim_end().to_owned(), String::new())
    }

    /// R has printed warnings to the end when it has set `last.warning`: takes them from there.
    fn take_printed(&mut self) {
        let last = last_warning();
        if last == self.last_printed {
            return;
        }
        self.last_printed = last;
        let printed = self.printed.take();
        // SAFETY: the value of a symbol, which R keeps. The names of a list are an attribute; nothing is made.
        let messages =
            unsafe { if TYPEOF(last) == SEXPTYPE::VECSXP { strings::all(Rf_getAttrib(last, R_NamesSymbol)) } else { Vec::new() } };
        // R keeps the first fifty of a statement, and says so.
        let more = printed.filter(|printed| has_form(printed.trim_ascii_end(), translated(MORE)));
        let more = more.map(|printed| String::from_utf8_lossy(printed.trim_ascii_end()).into_owned());
        for mut message in messages.into_iter().chain(more) {
            condition::cut(&mut message);
            if self.told == Told::Console {
                continue;
            }
            if self.warnings.messages.len() >= KEPT || self.bytes + message.len() > KEPT_BYTES {
                self.warnings.dropped += 1;
            } else {
                self.bytes += message.len();
                self.warnings.messages.push(message);
            }
        }
    }

    /// What looked like the beginning of warnings was none.
    fn give_up_printed(&mut self) {
        if let Some(printed) = self.printed.take().filter(|_| self.told == Told::Caller) {
            console::write_error(&printed);
        }
    }

    /// What looked like the report of an error was none.
    fn give_up_held(&mut self) {
        if !self.held.is_empty() {
            console::write_error(&self.held);
            self.held.clear();
        }
    }

    /// The error did not get to R's prompt.
    fn give_up_reported(&mut self) {
        if !self.reported.is_empty() {
            console::write_error(&self.reported);
            self.reported.clear();
        }
    }

    /// A statement has ended, and by a jump if `left` says so.
    fn settle(&mut self, left: bool) {
        self.take_printed();
        self.give_up_printed();
        if left {
            self.reported.clear();
        }
        self.give_up_reported();
        self.give_up_held();
        if std::mem::take(&mut self.is_addition) {
            console::write_error(translated(ADDITION));
        }
    }
}

/// Whether R evaluates code of the user at an error.
fn has_error_option() -> bool {
    let Constants { error, .. } = CONSTANTS.get();
    // SAFETY: a symbol, which is never collected; does not jump.
    unsafe { !error.is_null() && Rf_GetOption1(error) != R_NilValue }
}

/// The value of `last.warning`.
fn last_warning() -> SEXP {
    let Constants { last_warning, .. } = CONSTANTS.get();
    // SAFETY: a symbol, which is never collected; does not jump.
    unsafe { if last_warning.is_null() { R_NilValue } else { ffi::SYMVALUE(last_warning) } }
}

/// What R writes when there are more warnings than it keeps.
const MORE: &CStr = c"There were %d or more warnings (use warnings() to see the first %d)";

/// Whether R begins to print warnings with this text (R's source, errors.c).
fn begins_warnings(text: &[u8]) -> bool {
    let text = text.trim_ascii_end();
    let headings = [1, 2].map(|count| counted(c"Warning message:", c"Warning messages:", count));
    let counts = [
        counted(c"There was %d warning (use warnings() to see it)", c"There were %d warnings (use warnings() to see them)", 20),
        translated(MORE),
    ];
    headings.iter().any(|heading| text == heading.trim_ascii_end()) || counts.iter().any(|format| has_form(text, format))
}

/// Whether a text is what a C format with `%d` gives.
fn has_form(text: &[u8], format: &[u8]) -> bool {
    let Some(at) = format.windows(2).position(|two| two == b"%d") else { return text == format };
    let Some(rest) = text.strip_prefix(&format[..at]) else { return false };
    let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    digits > 0 && has_form(&rest[digits..], &format[at + 2..])
}

/// A message of R in the language of this session.
pub(super) fn translated(message: &CStr) -> &'static [u8] {
    // SAFETY: returns the argument, which is constant here, or a text of the loaded translations, which stay.
    unsafe { CStr::from_ptr(ffi::dgettext(c"R".as_ptr(), message.as_ptr())) }.to_bytes()
}

/// A message of R about so many things.
fn counted(one: &'static CStr, many: &'static CStr, count: u64) -> &'static [u8] {
    // SAFETY: as in `translated`.
    unsafe { CStr::from_ptr(ffi::dngettext(c"R".as_ptr(), one.as_ptr(), many.as_ptr(), count)) }.to_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_compared_with_formats() {
        let format = b"There were %d or more warnings (the first %d)";
        assert!(has_form(b"There were 50 or more warnings (the first 50)", format));
        assert!(!has_form(b"There were many or more warnings (the first 50)", format));
        assert!(!has_form(b"There were 50 or more warnings (the first 50) and", format));
        assert!(!has_form(b"There were 50", format));
    }
}
