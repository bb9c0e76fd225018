//! Values that outlive the protected region in which they were made.

use libR_sys::{R_PreserveObject, R_ReleaseObject, SEXP};

use super::exec::R;

/// A value kept from R's garbage collector for as long as this lives.
#[derive(Debug)]
pub struct Preserved(SEXP);

/// Keeps `value`, to be given to [`Preserved::of`] outside of the protected region: inside it, nothing that
/// needs dropping may be made.
pub(super) fn keep(_: R, value: SEXP) -> SEXP {
    // SAFETY: inside `protect`; R protects the value while it makes room for it.
    unsafe { R_PreserveObject(value) };
    value
}

impl Preserved {
    /// Takes over a value that [`keep`] has kept.
    pub(super) fn of(kept: SEXP) -> Self {
        Self(kept)
    }

    /// The value.
    pub(super) fn value(&self) -> SEXP {
        self.0
    }
}

impl Drop for Preserved {
    fn drop(&mut self) {
        // SAFETY: kept once by `keep`, released once; does not jump.
        unsafe { R_ReleaseObject(self.0) };
    }
}
