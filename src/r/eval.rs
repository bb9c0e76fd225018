//! Parsing code, and evaluating code of our own. The code of users is evaluated by [`super::toplevel`].

use libR_sys::{ParseStatus, R_GlobalEnv, R_NilValue, R_ParseVector, Rf_eval, Rf_protect, Rf_unprotect, SEXP, VECTOR_ELT, XLENGTH};

use super::{
    exec::{R, RError, protect_quietly},
    preserved::{self, Kept, Preserved},
    reports, scripts, strings,
};

/// Code that does not parse. Nothing of it was run.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct SyntaxError {
    /// R's message, with the lines around the error.
    pub message: String,
    /// Line, counted from 1; 0 when R does not say.
    pub line: u32,
    /// Column, counted from 1; 0 when R does not say.
    pub column: u32,
}

/// Why code of our own does not run.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// It does not parse.
    #[error(transparent)]
    Syntax(#[from] SyntaxError),
    /// It failed.
    #[error(transparent)]
    R(#[from] RError),
}

/// Parsed code.
#[derive(Debug)]
pub struct Code {
    text: String,
    expressions: Preserved,
    /// The same expressions, with the source of their functions. Made when it is asked for, as few sessions keep it.
    with_source: Option<Preserved>,
}

impl Code {
    /// The expressions, in order: those that keep the source of functions if that is wanted, as R's prompt does with the
    /// option `keep.source`.
    pub(super) fn expressions(&mut self, keep_source: bool) -> SEXP {
        if keep_source && self.with_source.is_none() {
            self.with_source = scripts::value(c"parse_with_source", &[&self.text]).ok();
        }
        let with_source = self.with_source.as_ref().filter(|_| keep_source);
        with_source.unwrap_or(&self.expressions).value()
    }

    /// Whether there is no statement.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        // SAFETY: an expression vector.
        unsafe { XLENGTH(self.expressions.value()) == 0 }
    }
}

/// Parses `text`, whose lines end with `\n`, `\r\n` or `\r`.
///
/// # Errors
/// [`SyntaxError`], with the line and the column.
pub fn parse(text: &str) -> Result<Code, SyntaxError> {
    let text = if text.contains('\r') { text.replace("\r\n", "\n").replace('\r', "\n") } else { text.to_owned() };
    // R's parser may warn as well, and what it says is told with the first statement.
    reports::forget_warnings();
    let parsed = protect_quietly(|r| parse_vector(r, &text));
    match parsed {
        Ok(Some(expressions)) => Ok(Code { text, expressions: expressions.into(), with_source: None }),
        Ok(None) | Err(_) => {
            // The C interface tells only that the code does not parse; R's own parse() tells why and where.
            let message = scripts::ask(c"syntax_error", &[&text]).map_or_else(|error| error.to_string(), |answer| answer.concat());
            let (line, column) = place(&message);
            Err(SyntaxError { message, line, column })
        }
    }
}

/// Parses a text; `None` when it is incomplete or wrong.
fn parse_vector(r: R, text: &str) -> Option<Kept> {
    // SAFETY: inside `protect`; the text is protected while it is parsed, and the result until it is kept.
    unsafe {
        let vector = Rf_protect(strings::scalar(r, text));
        let mut status = ParseStatus::PARSE_NULL;
        let code = Rf_protect(R_ParseVector(vector, -1, &raw mut status, R_NilValue));
        let code = (status == ParseStatus::PARSE_OK).then(|| preserved::keep(r, code));
        Rf_unprotect(2);
        code
    }
}

/// Line and column in a message of R's parser: `<text>:2:5: unexpected symbol`.
fn place(message: &str) -> (u32, u32) {
    let mut numbers = message.strip_prefix("<text>:").unwrap_or_default().splitn(3, ':').map(|part| part.parse().unwrap_or(0));
    (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0))
}

/// Evaluates code of our own in the global environment, for what R remembers of it.
///
/// # Errors
/// [`SourceError`].
pub fn rehearse(text: &str) -> Result<(), SourceError> {
    // SAFETY: R keeps its global environment.
    unsafe { source(text, R_GlobalEnv) }
}

/// Evaluates a file of our own.
///
/// # Errors
/// [`SourceError`].
///
/// # Safety
/// `environment` is preserved.
pub(super) unsafe fn source(text: &str, environment: SEXP) -> Result<(), SourceError> {
    let code = parse(text)?;
    protect_quietly(|_| {
        let expressions = code.expressions.value();
        // SAFETY: inside `protect`; `code` preserves the expressions, and the environment is preserved, as promised.
        unsafe {
            for at in 0..XLENGTH(expressions) {
                Rf_eval(VECTOR_ELT(expressions, at), environment);
            }
        }
    })?;
    Ok(())
}
