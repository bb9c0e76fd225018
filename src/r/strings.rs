//! Strings of R to Rust, and back.

use std::{ffi::CStr, slice};

use libR_sys::{
    LENGTH, R_CHAR, R_NaString, Rf_allocVector, Rf_getCharCE, Rf_install, Rf_mkCharLenCE, Rf_protect, Rf_unprotect, SET_STRING_ELT, SEXP,
    SEXPTYPE, STRING_ELT, TYPEOF, XLENGTH, cetype_t,
};

use super::exec::R;
use crate::wire::Text;

/// An element of R's string cache (a CHARSXP), without copying it.
///
/// # Safety
/// `string` is a CHARSXP, and stays reachable from R for as long as the text is used.
pub(super) unsafe fn text<'a>(string: SEXP) -> Text<'a> {
    // SAFETY: a CHARSXP, as promised by the caller; its bytes do not move, and `LENGTH` counts them.
    unsafe {
        if string == R_NaString {
            return Text::Na;
        }
        let length = usize::try_from(LENGTH(string)).unwrap_or(0);
        let bytes = slice::from_raw_parts(R_CHAR(string).cast::<u8>(), length);
        match Rf_getCharCE(string) {
            cetype_t::CE_LATIN1 => Text::Latin1(bytes),
            _ => Text::Utf8(bytes),
        }
    }
}

/// All strings of a character vector; none when it is something else.
///
/// # Safety
/// `vector` is reachable from R.
pub(super) unsafe fn all(vector: SEXP) -> Vec<String> {
    // SAFETY: the type is checked, and each index is below the length.
    unsafe {
        if TYPEOF(vector) != SEXPTYPE::STRSXP {
            return Vec::new();
        }
        (0..XLENGTH(vector)).map(|at| owned(text(STRING_ELT(vector, at)))).collect()
    }
}

fn owned(text: Text<'_>) -> String {
    let mut bytes = Vec::new();
    text.pieces(|piece| bytes.extend_from_slice(piece));
    String::from_utf8_lossy(&bytes).into_owned()
}

/// A character vector of length 1. It is not protected.
pub(super) fn scalar(r: R, text: &str) -> SEXP {
    // SAFETY: inside `protect`; the vector is protected while its element is made.
    unsafe {
        let vector = Rf_protect(Rf_allocVector(SEXPTYPE::STRSXP, 1));
        SET_STRING_ELT(vector, 0, element(r, text));
        Rf_unprotect(1);
        vector
    }
}

/// An element of a character vector (a CHARSXP). It is not protected. R refuses a text with a NUL with an error.
pub(super) fn element(_: R, text: &str) -> SEXP {
    // Texts come from requests, whose size is limited to far less than this.
    let length = i32::try_from(text.len()).unwrap_or(i32::MAX);
    // SAFETY: inside `protect`; `text` has that many bytes.
    unsafe { Rf_mkCharLenCE(text.as_ptr().cast(), length, cetype_t::CE_UTF8) }
}

/// The symbol of that name.
pub(super) fn symbol(_: R, name: &CStr) -> SEXP {
    // SAFETY: inside `protect`; symbols are never collected.
    unsafe { Rf_install(name.as_ptr()) }
}
