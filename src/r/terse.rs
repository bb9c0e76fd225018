//! R's values in the JSON of [`crate::wire::terse`].

use libR_sys::{R_BaseEnv, R_NilValue, Rf_ScalarLogical, Rf_cons, Rf_eval, Rf_lcons, Rf_protect, Rf_unprotect, SET_TAG, SEXP};

use super::{
    exec::{R, RError, protect_quietly},
    kept::keep,
    preserved::Preserved,
    strings,
    view::RValue,
};
use crate::wire::{
    Out,
    terse::{self, NotTerse, Open, Scratch},
};

impl<'r> Open<'r> for RValue<'r> {
    fn bindings(self) -> Self {
        let r = self.token();
        // SAFETY: inside `protect`, as the token shows; everything is protected while R runs, and the list is kept.
        unsafe {
            let all = Rf_protect(Rf_cons(Rf_ScalarLogical(1), R_NilValue));
            SET_TAG(all, strings::symbol(r, c"all.names"));
            let arguments = Rf_protect(Rf_cons(self.value(), all));
            let call = Rf_protect(Rf_lcons(strings::symbol(r, c"as.list.environment"), arguments));
            let list = Rf_eval(call, R_BaseEnv);
            keep(r, list);
            Rf_unprotect(3);
            Self::as_it_is(r, list)
        }
    }
}

/// Why a value has no JSON.
#[derive(Debug, thiserror::Error)]
pub enum JsonError {
    /// There is none for it.
    #[error("this has no JSON: {0}")]
    NotTerse(#[from] NotTerse),
    /// There is not enough memory.
    #[error("the JSON does not fit in the session's memory")]
    TooLarge,
    /// R has failed: a binding of an environment may be anything.
    #[error(transparent)]
    R(#[from] RError),
}

/// The JSON of a value.
///
/// # Errors
/// [`JsonError`].
pub fn json(value: &Preserved) -> Result<Vec<u8>, JsonError> {
    // SAFETY: preserved for as long as this runs.
    unsafe { json_of(value.value()) }
}

/// The JSON of a value.
///
/// # Errors
/// [`JsonError`].
///
/// # Safety
/// The value is protected by the caller.
pub(super) unsafe fn json_of(value: SEXP) -> Result<Vec<u8>, JsonError> {
    let (mut out, mut scratch) = (Out::new(), Scratch::default());
    let (filled, memory) = (&mut out, &mut scratch);
    // SAFETY: protected, as promised.
    protect_quietly(move |r: R| terse::write(filled, memory, unsafe { RValue::as_it_is(r, value) }))??;
    out.finish().ok_or(JsonError::TooLarge)
}
